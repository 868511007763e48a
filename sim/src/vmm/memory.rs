//! The memory devices of a running VM: virtio-mem, ACPI slots and the balloon.
//!
//! Holds what was requested of each device and what is in effect. The guest moves the latter, never this module.

use super::answer::Refusal;
use super::config::{HotplugMethod, MIB, MemoryConfig};

/// The block of a virtio-mem device.
pub const DEVICE_BLOCK_BYTES: u64 = 2 * MIB;
/// A DIMM, a hotplug region and a memory block of a Linux guest are multiples of this.
pub const MEMORY_BLOCK_BYTES: u64 = 128 * MIB;
/// How often ACPI memory can be added between two boots.
const ACPI_SLOTS: u32 = 8;

/// The memory devices of a running VM, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The size at boot.
    pub boot: u64,
    /// The region behind `requested`, where there is one.
    pub region: Option<u64>,
    /// virtio-mem: what the guest shall plug.
    pub requested: u64,
    /// virtio-mem: what the guest has plugged.
    pub plugged: u64,
    /// ACPI: what the VMM itself believes, which never falls.
    pub acpi_total: u64,
    /// ACPI: slots used since boot.
    pub acpi_slots: u32,
    /// Balloon: what the guest shall give.
    pub balloon_requested: u64,
    /// Balloon: what the guest has given.
    pub balloon: u64,
}

impl Memory {
    /// The devices of a VM that just booted; nothing is plugged before the guest's driver is loaded.
    #[must_use]
    pub fn boot(config: &MemoryConfig, balloon: u64) -> Self {
        Self {
            boot: config.size_bytes,
            region: config.hotplug_size_bytes,
            requested: config.hotplugged_size_bytes.unwrap_or(0),
            acpi_total: config.size_bytes,
            balloon_requested: balloon,
            ..Self::default()
        }
    }

    /// What the guest has been given: boot size, plugged blocks and DIMMs, less the balloon.
    #[must_use]
    pub fn given(&self) -> u64 {
        self.unplugged_base().saturating_add(self.plugged).saturating_sub(self.balloon)
    }

    /// The part of it that virtio-mem has nothing to do with: boot size and DIMMs.
    #[must_use]
    pub fn unplugged_base(&self) -> u64 {
        self.boot.max(self.acpi_total)
    }

    /// Takes a new total.
    ///
    /// # Errors
    /// What the VMM refuses, by method.
    pub fn resize(&mut self, method: HotplugMethod, desired: u64, major: u32) -> Result<(), Refusal> {
        match method {
            HotplugMethod::VirtioMem if desired < self.boot && major < 53 => Ok(()),
            HotplugMethod::VirtioMem => self.resize_virtio(desired),
            HotplugMethod::Acpi if desired > self.acpi_total => self.add_dimm(desired - self.acpi_total),
            HotplugMethod::Acpi => Ok(()),
        }
    }

    fn resize_virtio(&mut self, desired: u64) -> Result<(), Refusal> {
        let below = Refusal::BelowBoot { desired, boot: self.boot };
        let size = desired.checked_sub(self.boot).ok_or(below)?;
        let region = self.region.ok_or(Refusal::NoVirtioMem)?;
        if size == self.requested {
            return Err(Refusal::SameSize(size));
        }
        if size > region {
            return Err(Refusal::BeyondRegion { size, region });
        }
        if !size.is_multiple_of(DEVICE_BLOCK_BYTES) {
            return Err(Refusal::NotAligned { size, block: DEVICE_BLOCK_BYTES });
        }
        self.requested = size;
        Ok(())
    }

    fn add_dimm(&mut self, addition: u64) -> Result<(), Refusal> {
        if self.acpi_slots >= ACPI_SLOTS {
            return Err(Refusal::NoSlot);
        }
        if !addition.is_multiple_of(MEMORY_BLOCK_BYTES) {
            return Err(Refusal::InvalidAddition);
        }
        let total = self.acpi_total.saturating_add(addition);
        if total > self.boot.saturating_add(self.region.unwrap_or(0)) {
            return Err(Refusal::NoRoom);
        }
        self.acpi_total = total;
        self.acpi_slots += 1;
        Ok(())
    }
}
