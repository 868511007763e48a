//! The VMM itself: its states, and every row of the measured table of answers.
//!
//! Pure. The guest that acts on the devices is in [`super::guest`]; HTTP is in [`super::http`].
//!
//! ```text
//! NotCreated --create--> Created --boot--> Running <--pause/resume--> Paused
//!      ^                   ^  |               |
//!      +------delete-------+  +---shutdown----+        (the guest's own power-off ends the process)
//! ```

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::config::{HotplugMethod, VmConfig};
use super::memory::{MEMORY_BLOCK_BYTES, Memory};
use super::vcpus::Vcpus;

/// The state of the VM in the VMM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmState {
    /// There is no VM.
    NotCreated,
    /// There is a configuration and nothing runs.
    Created,
    /// The vCPUs run.
    Running,
    /// The vCPUs are stopped for a while.
    Paused,
}

/// The body of `vm.resize`; unknown fields are ignored, as the VMM does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ResizeRequest {
    /// vCPUs.
    pub desired_vcpus: Option<u32>,
    /// Memory, in bytes.
    pub desired_ram: Option<u64>,
    /// Balloon, in bytes.
    pub desired_balloon: Option<u64>,
}

/// A VMM process.
#[derive(Clone, Debug)]
pub struct Hypervisor {
    version: String,
    major: u32,
    state: VmState,
    config: Option<VmConfig>,
    migrating: Option<String>,
    /// The vCPUs of the running VM.
    pub vcpus: Vcpus,
    /// The memory devices of the running VM.
    pub memory: Memory,
}

impl Default for Hypervisor {
    fn default() -> Self {
        Self {
            version: "v53.0".to_owned(),
            major: 53,
            state: VmState::NotCreated,
            config: None,
            migrating: None,
            vcpus: Vcpus::default(),
            memory: Memory::default(),
        }
    }
}

impl Hypervisor {
    /// Behaves as another version, for example `v45.0`. A text without a number behaves as the newest.
    pub fn set_version(&mut self, version: &str) {
        let major = version.trim_start_matches('v').split('.').next().and_then(|part| part.parse().ok());
        self.major = major.unwrap_or(53);
        version.clone_into(&mut self.version);
    }

    /// The major version, by which some answers differ.
    #[must_use]
    pub const fn major(&self) -> u32 {
        self.major
    }

    /// The state of the VM.
    #[must_use]
    pub const fn state(&self) -> VmState {
        self.state
    }

    /// What the VM was told to be, where there is one.
    #[must_use]
    pub const fn config(&self) -> Option<&VmConfig> {
        self.config.as_ref()
    }

    /// Takes a configuration.
    pub fn create(&mut self, config: VmConfig) {
        self.config = Some(config);
        self.state = VmState::Created;
    }

    /// Boots what was created: CPUs and requested memory are those that were last asked for.
    ///
    /// # Errors
    /// Without a configuration, with one that cannot boot, or while it runs.
    pub fn boot(&mut self) -> Result<(), Refusal> {
        let config = self.config.as_ref().ok_or(Refusal::NotCreated)?;
        if self.state != VmState::Created {
            return Err(Refusal::NotRunning);
        }
        check_bootable(config)?;
        self.power_on();
        Ok(())
    }

    /// Resets the running guest: the last requested values come back, and pending removals are gone.
    ///
    /// # Errors
    /// Where nothing runs.
    pub fn reboot(&mut self) -> Result<(), Refusal> {
        self.require_running()?;
        check_bootable(self.config.as_ref().ok_or(Refusal::NotCreated)?)?;
        self.power_on();
        Ok(())
    }

    fn power_on(&mut self) {
        if let Some(config) = &self.config {
            self.vcpus = Vcpus::boot(config.cpus.boot_vcpus, config.cpus.max_vcpus);
            let balloon = config.balloon.as_ref().map_or(0, |balloon| balloon.size_bytes);
            self.memory = Memory::boot(&config.memory, balloon);
            self.state = VmState::Running;
        }
    }

    /// Stops the VM; its configuration stays.
    ///
    /// # Errors
    /// Where nothing runs.
    pub fn shutdown(&mut self) -> Result<(), Refusal> {
        self.require_running()?;
        self.vcpus = Vcpus::default();
        self.memory = Memory::default();
        self.state = VmState::Created;
        Ok(())
    }

    /// Forgets the VM.
    ///
    /// # Errors
    /// Where there is none.
    pub fn delete(&mut self) -> Result<(), Refusal> {
        self.config.take().ok_or(Refusal::NotCreated)?;
        let (version, major) = (std::mem::take(&mut self.version), self.major);
        *self = Self { version, major, ..Self::default() };
        Ok(())
    }

    /// Stops the vCPUs for a while.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn pause(&mut self) -> Result<(), Refusal> {
        self.switch(VmState::Running, VmState::Paused)
    }

    /// Lets the vCPUs go on.
    ///
    /// # Errors
    /// Where it is not paused.
    pub fn resume(&mut self) -> Result<(), Refusal> {
        self.switch(VmState::Paused, VmState::Running)
    }

    fn switch(&mut self, from: VmState, to: VmState) -> Result<(), Refusal> {
        self.require_running()?;
        if self.state != from {
            return Err(Refusal::NotRunning);
        }
        self.state = to;
        Ok(())
    }

    fn require_running(&self) -> Result<(), Refusal> {
        if self.migrating.is_some() {
            return Err(Refusal::Migrating);
        }
        match self.state {
            VmState::NotCreated => Err(Refusal::NotCreated),
            VmState::Created => Err(Refusal::NotRunning),
            VmState::Running | VmState::Paused => Ok(()),
        }
    }

    /// Starts or ends a migration; while it lasts `vm.info` is a frozen copy.
    pub fn set_migrating(&mut self, migrating: bool) {
        self.migrating = if migrating { self.info().ok() } else { None };
    }

    /// `vm.resize`: vCPUs, then memory, then balloon; nothing is rolled back.
    ///
    /// # Errors
    /// The first refusal; what came before it stays in effect.
    pub fn resize(&mut self, request: ResizeRequest) -> Result<(), Refusal> {
        let config = self.config.as_mut().ok_or(Refusal::NotCreated)?;
        if self.migrating.is_some() {
            return Err(Refusal::Migrating);
        }
        if self.state == VmState::Created {
            edit(config, request);
            return Ok(());
        }
        if let Some(vcpus) = request.desired_vcpus {
            self.vcpus.resize(vcpus)?;
            config.cpus.boot_vcpus = vcpus;
        }
        if let Some(ram) = request.desired_ram {
            if config.memory.zones {
                return Err(Refusal::Zones);
            }
            self.memory.resize(config.memory.hotplug_method, ram, self.major)?;
            match config.memory.hotplug_method {
                HotplugMethod::Acpi => config.memory.size_bytes = ram,
                HotplugMethod::VirtioMem => {
                    config.memory.hotplugged_size_bytes =
                        ram.checked_sub(config.memory.size_bytes).filter(|size| *size > 0);
                }
            }
        }
        if let Some(size) = request.desired_balloon {
            config.balloon.as_mut().ok_or(Refusal::NoBalloon)?.size_bytes = size;
            self.memory.balloon_requested = size;
        }
        Ok(())
    }

    /// What `vm.info` gives as `memory_actual_size`, in bytes.
    #[must_use]
    pub fn memory_actual_bytes(&self) -> u64 {
        let Some(config) = &self.config else { return 0 };
        let running = matches!(self.state, VmState::Running | VmState::Paused);
        let plugged = match (running, config.memory.hotplug_method) {
            (false, _) | (true, HotplugMethod::Acpi) => 0,
            (true, HotplugMethod::VirtioMem) if self.major < 52 => config.memory.hotplugged_size_bytes.unwrap_or(0),
            (true, HotplugMethod::VirtioMem) => self.memory.plugged,
        };
        config.memory.size_bytes.saturating_sub(self.memory.balloon).saturating_add(plugged)
    }

    /// `vm.info`, as text: it is asked for far more often than anything else.
    ///
    /// # Errors
    /// Where there is no VM.
    pub fn info(&self) -> Result<String, Refusal> {
        if let Some(frozen) = &self.migrating {
            return Ok(frozen.clone());
        }
        let config = self.config.as_ref().ok_or(Refusal::NotCreated)?;
        let state = match self.state {
            VmState::NotCreated => return Err(Refusal::NotCreated),
            VmState::Created => "Created",
            VmState::Running => "Running",
            VmState::Paused => "Paused",
        };
        let actual = self.memory_actual_bytes();
        let config = config.to_text();
        Ok(format!(r#"{{"config":{config},"device_tree":{{}},"memory_actual_size":{actual},"state":"{state}"}}"#))
    }

    /// `vmm.ping`.
    #[must_use]
    pub fn ping(&self, pid: u32) -> Value {
        let version = format!("{}.0", self.version.trim_start_matches('v'));
        json!({ "build_version": self.version, "version": version, "pid": pid, "features": ["kvm"] })
    }
}

/// A VM that does not run takes any size: only its configuration is edited, and it may then fail to boot.
fn edit(config: &mut VmConfig, request: ResizeRequest) {
    if let Some(vcpus) = request.desired_vcpus {
        config.cpus.boot_vcpus = vcpus;
    }
    if let Some(ram) = request.desired_ram {
        config.memory.size_bytes = ram;
    }
    if let (Some(size), Some(balloon)) = (request.desired_balloon, config.balloon.as_mut()) {
        balloon.size_bytes = size;
    }
}

fn check_bootable(config: &VmConfig) -> Result<(), Refusal> {
    if config.cpus.boot_vcpus == 0 {
        return Err(Refusal::ZeroVcpus);
    }
    if config.cpus.boot_vcpus > config.cpus.max_vcpus {
        return Err(Refusal::VcpusExceedMaximum);
    }
    let region = config.memory.hotplug_size_bytes.unwrap_or(0);
    let plugged = config.memory.hotplugged_size_bytes.unwrap_or(0);
    if config.memory.size_bytes == 0 || !region.is_multiple_of(MEMORY_BLOCK_BYTES) || plugged > region {
        return Err(Refusal::InvalidMemory);
    }
    Ok(())
}
