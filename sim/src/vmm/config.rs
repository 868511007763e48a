//! What a VM was told to be: the `config` of `vm.info`.
//!
//! Holds wishes only. What the guest has is in [`super::vcpus`] and [`super::memory`].

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

    /// The `config` object of `vm.info` as text, in the VMM's own field names; parts that no one reads are left out.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (cpus, memory) = (self.cpus.to_text(), self.memory.to_text());
        let balloon = self.balloon.as_ref().map_or_else(|| "null".to_owned(), BalloonConfig::to_text);
        format!(
            r#"{{"balloon":{balloon},"cpus":{cpus},"memory":{memory},"payload":{{"cmdline":"console=ttyS0","firmware":null,"initramfs":null,"kernel":"/vm/vmlinux"}},"rng":{{"iommu":false,"src":"/dev/urandom"}},"watchdog":false}}"#
        )
    }
}

impl CpusConfig {
    fn to_text(&self) -> String {
        let Self { boot_vcpus, max_vcpus } = self;
        format!(
            r#"{{"affinity":null,"boot_vcpus":{boot_vcpus},"features":{{"amx":false}},"kvm_hyperv":false,"max_phys_bits":46,"max_vcpus":{max_vcpus},"nested":true,"topology":null}}"#
        )
    }
}

impl MemoryConfig {
    fn to_text(&self) -> String {
        let (size, or_null) =
            (self.size_bytes, |size: Option<u64>| size.map_or("null".to_owned(), |it| it.to_string()));
        let method = match self.hotplug_method {
            HotplugMethod::Acpi => "Acpi",
            HotplugMethod::VirtioMem => "VirtioMem",
        };
        let (region, plugged) = (or_null(self.hotplug_size_bytes), or_null(self.hotplugged_size_bytes));
        let zones = if self.zones { format!(r#"[{{"id":"mem0","size":{size}}}]"#) } else { "null".to_owned() };
        format!(
            r#"{{"hotplug_method":"{method}","hotplug_size":{region},"hotplugged_size":{plugged},"hugepage_size":null,"hugepages":false,"mergeable":false,"prefault":false,"shared":false,"size":{size},"thp":true,"zones":{zones}}}"#
        )
    }
}

impl BalloonConfig {
    fn to_text(&self) -> String {
        let Self { size_bytes, free_page_reporting } = self;
        format!(r#"{{"deflate_on_oom":false,"free_page_reporting":{free_page_reporting},"size":{size_bytes}}}"#)
    }
}
