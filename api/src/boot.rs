//! What a VM boots with, in the *elastic layout*: memory at its floor with the rest plugged at once, room reserved up to the ceiling.
//!
//! The one place that says it; plan, controller, launch and the embedded cluster all use this value. It knows no VMM's command line.

use crate::effective::Vm;
use crate::units::{Bytes, Vcpus};
use crate::vm::{BootStatus, VmmKind};
use serde::{Deserialize, Serialize};

/// Sizes that are fixed when a VM boots. Handed to the container `vm-manager` as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootLayout {
    /// The VMM.
    pub vmm: VmmKind,
    /// vCPUs at boot.
    pub vcpus: Vcpus,
    /// Fewest vCPUs while it runs.
    pub min_vcpus: Vcpus,
    /// Most vCPUs while it runs (`max_vcpus`).
    pub max_vcpus: Vcpus,
    /// Guest memory at boot: the floor, and the rest plugged at once.
    pub memory: Bytes,
    /// Least guest memory while it runs (`memory.size`).
    pub min_memory: Bytes,
    /// Most guest memory while it runs (`memory.size + hotplug_size`).
    pub max_memory: Bytes,
}

impl BootLayout {
    /// The limits of a VM that booted with this layout.
    pub const fn limits(&self) -> BootStatus {
        BootStatus {
            min_vcpus: self.min_vcpus,
            max_vcpus: self.max_vcpus,
            min_memory: self.min_memory,
            max_memory: self.max_memory,
        }
    }
}

/// The layout that a VM boots with.
pub const fn boot_layout(vm: &Vm) -> BootLayout {
    BootLayout {
        vmm: vm.vmm,
        vcpus: vm.size.vcpus,
        min_vcpus: vm.floor.vcpus,
        max_vcpus: vm.ceiling.vcpus,
        memory: vm.size.memory,
        min_memory: vm.floor.memory,
        max_memory: vm.ceiling.memory,
    }
}
