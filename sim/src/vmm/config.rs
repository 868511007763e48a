//! What a VM was told to be: the `config` of `vm.info`.
//!
//! Holds wishes only. What the guest has is in [`super::vcpus`] and [`super::memory`].

use serde_json::{Value, json};

/// One mebibyte.
pub const MIB: u64 = 1 << 20;

/// How memory is added to a running VM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HotplugMethod {
    /// DIMMs in eight slots; never really removed.
    Acpi,
    /// A virtio-mem device with blocks of 2 MiB.
    #[default]
    VirtioMem,
}

/// The vCPUs of a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpusConfig {
    /// The count that was last asked for.
    pub boot_vcpus: u32,
    /// The count that can be reached while it runs.
    pub max_vcpus: u32,
}

/// The memory of a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryConfig {
    /// The size at boot, in bytes.
    pub size_bytes: u64,
    /// How more of it is added.
    pub hotplug_method: HotplugMethod,
    /// The size of the region for more of it, in bytes.
    pub hotplug_size_bytes: Option<u64>,
    /// What was last asked for beyond `size_bytes`.
    pub hotplugged_size_bytes: Option<u64>,
    /// The memory is made of zones that the user defined.
    pub zones: bool,
}

/// The balloon of a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalloonConfig {
    /// The size that was last asked for, in bytes.
    pub size_bytes: u64,
    /// The guest reports pages that it freed.
    pub free_page_reporting: bool,
}

/// What a VM was told to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmConfig {
    /// Its vCPUs.
    pub cpus: CpusConfig,
    /// Its memory.
    pub memory: MemoryConfig,
    /// Its balloon, where it has one.
    pub balloon: Option<BalloonConfig>,
}

impl VmConfig {
    /// A VM that can be resized while it runs: it boots at its floor with the rest plugged in.
    ///
    /// Units: bytes. `memory_bytes` is the size now, between `min_bytes` and `max_bytes`.
    #[must_use]
    pub fn elastic(vcpus: u32, max_vcpus: u32, memory_bytes: u64, min_bytes: u64, max_bytes: u64) -> Self {
        Self {
            cpus: CpusConfig { boot_vcpus: vcpus, max_vcpus },
            memory: MemoryConfig {
                size_bytes: min_bytes,
                hotplug_method: HotplugMethod::VirtioMem,
                hotplug_size_bytes: Some(max_bytes.saturating_sub(min_bytes)).filter(|size| *size > 0),
                hotplugged_size_bytes: Some(memory_bytes.saturating_sub(min_bytes)).filter(|size| *size > 0),
                zones: false,
            },
            balloon: Some(BalloonConfig { size_bytes: 0, free_page_reporting: true }),
        }
    }

    /// The same VM with DIMMs: it boots at its size, and can only grow.
    #[must_use]
    pub fn with_dimms(mut self) -> Self {
        let memory = &mut self.memory;
        let plugged = memory.hotplugged_size_bytes.take().unwrap_or(0);
        memory.size_bytes = memory.size_bytes.saturating_add(plugged);
        memory.hotplug_size_bytes =
            memory.hotplug_size_bytes.map(|size| size.saturating_sub(plugged)).filter(|size| *size > 0);
        memory.hotplug_method = HotplugMethod::Acpi;
        self
    }

    /// The memory that was last asked for, in bytes.
    #[must_use]
    pub fn memory_requested_bytes(&self) -> u64 {
        self.memory.size_bytes.saturating_add(self.memory.hotplugged_size_bytes.unwrap_or(0))
    }

    /// The `config` object of `vm.info`, in the VMM's own field names; parts that no one reads are left out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "cpus": {
                "boot_vcpus": self.cpus.boot_vcpus,
                "max_vcpus": self.cpus.max_vcpus,
                "topology": null,
                "kvm_hyperv": false,
                "max_phys_bits": 46,
                "affinity": null,
                "features": { "amx": false },
                "nested": true,
            },
            "memory": {
                "size": self.memory.size_bytes,
                "mergeable": false,
                "hotplug_method": match self.memory.hotplug_method {
                    HotplugMethod::Acpi => "Acpi",
                    HotplugMethod::VirtioMem => "VirtioMem",
                },
                "hotplug_size": self.memory.hotplug_size_bytes,
                "hotplugged_size": self.memory.hotplugged_size_bytes,
                "shared": false,
                "hugepages": false,
                "hugepage_size": null,
                "prefault": false,
                "zones": if self.memory.zones { json!([{ "id": "mem0", "size": self.memory.size_bytes }]) } else { Value::Null },
                "thp": true,
            },
            "payload": { "firmware": null, "kernel": "/vm/vmlinux", "cmdline": "console=ttyS0", "initramfs": null },
            "balloon": self.balloon.as_ref().map(|balloon| json!({
                "size": balloon.size_bytes,
                "deflate_on_oom": false,
                "free_page_reporting": balloon.free_page_reporting,
            })),
            "rng": { "src": "/dev/urandom", "iommu": false },
            "watchdog": false,
        })
    }
}
