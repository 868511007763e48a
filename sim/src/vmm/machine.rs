//! One VMM process with its guest, moved forward by whoever holds the clock.
//!
//! Pure: `now` is the time since any fixed start, and the same calls with the same seed give the same states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::answer::Refusal;
use super::config::VmConfig;
use super::guest::{Behaviour, Guest, GuestView};
use super::hypervisor::{Hypervisor, ResizeRequest, VmState};
use super::timings::VmmTimings;

/// What can be known of a VMM process from the host and from inside the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmmView {
    /// The VMM's state.
    pub state: VmState,
    /// The vCPUs that were last asked for.
    pub vcpus_requested: u32,
    /// Distinct vCPU threads.
    pub vcpus_present: u32,
    /// Every vCPU thread: its ordinal and the `N` of its name.
    pub vcpu_threads: Arc<BTreeMap<u32, u32>>,
    /// The memory that was last asked for, in bytes.
    pub memory_requested_bytes: u64,
    /// What `vm.info` tells as actual, in bytes.
    pub memory_actual_bytes: u64,
    /// What the process holds on the host, in bytes.
    pub resident_bytes: u64,
    /// What it booted with, where it runs.
    pub layout: Option<Layout>,
    /// Requests for a size that it can never have.
    pub out_of_bounds: u32,
    /// The inside.
    pub guest: GuestView,
}

/// The sizes that a VM can have without a new start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The most vCPUs.
    pub max_vcpus: u32,
    /// The least memory, in bytes.
    pub min_memory_bytes: u64,
    /// The most.
    pub max_memory_bytes: u64,
}

impl VmmView {
    /// The distinct thread names.
    #[must_use]
    pub fn vcpu_names(&self) -> BTreeSet<u32> {
        self.vcpu_threads.values().copied().collect()
    }
}

/// A VMM process and its guest.
#[derive(Clone, Debug)]
pub struct Machine {
    hypervisor: Hypervisor,
    guest: Guest,
    last: Duration,
    out_of_bounds: u32,
}

impl Machine {
    /// A VMM without a VM.
    #[must_use]
    pub fn new(timings: VmmTimings, seed: u64) -> Self {
        let guest = Guest::new(timings, ChaCha8Rng::seed_from_u64(seed));
        Self { hypervisor: Hypervisor::default(), guest, last: Duration::ZERO, out_of_bounds: 0 }
    }

    /// A VMM that was told a VM and has booted it at `now`.
    ///
    /// # Errors
    /// Where the configuration cannot boot.
    pub fn booted(config: VmConfig, timings: VmmTimings, seed: u64, now: Duration) -> Result<Self, Refusal> {
        let mut machine = Self::new(timings, seed);
        machine.last = now;
        machine.hypervisor.create(config);
        machine.boot()?;
        Ok(machine)
    }

    /// The VMM.
    #[must_use]
    pub const fn hypervisor(&self) -> &Hypervisor {
        &self.hypervisor
    }

    /// The VMM, to press it into states that no request reaches.
    pub const fn hypervisor_mut(&mut self) -> &mut Hypervisor {
        &mut self.hypervisor
    }

    /// Boots what was created.
    ///
    /// # Errors
    /// As [`Hypervisor::boot`].
    pub fn boot(&mut self) -> Result<(), Refusal> {
        self.hypervisor.boot()?;
        self.guest.boot(&self.hypervisor);
        Ok(())
    }

    /// Resets the guest, from outside or from inside.
    ///
    /// # Errors
    /// As [`Hypervisor::reboot`].
    pub fn reboot(&mut self) -> Result<(), Refusal> {
        self.hypervisor.reboot()?;
        self.guest.boot(&self.hypervisor);
        Ok(())
    }

    /// Stops the VM; the process stays.
    ///
    /// # Errors
    /// As [`Hypervisor::shutdown`].
    pub fn shutdown(&mut self) -> Result<(), Refusal> {
        self.hypervisor.shutdown()?;
        self.guest.power_off();
        Ok(())
    }

    /// `vm.resize`. The guest is told also where only a part was accepted.
    ///
    /// # Errors
    /// As [`Hypervisor::resize`].
    pub fn resize(&mut self, request: ResizeRequest) -> Result<(), Refusal> {
        let (vcpus, memory) = (self.hypervisor.vcpus.clone(), self.hypervisor.memory.clone());
        let answer = self.hypervisor.resize(request);
        if self.hypervisor.vcpus != vcpus {
            self.guest.told_cpus(&self.hypervisor);
        }
        if self.hypervisor.memory != memory {
            self.guest.told_memory(&self.hypervisor.memory);
        }
        let refused = answer.as_ref().is_err_and(Refusal::is_out_of_bounds);
        self.out_of_bounds = self.out_of_bounds.saturating_add(u32::from(refused));
        answer
    }

    /// Changes how the guest behaves; what it refused before is tried again.
    pub fn set_behaviour(&mut self, behaviour: Behaviour) {
        self.guest.behaviour = behaviour;
        if self.runs() {
            self.guest.driver_came(&self.hypervisor.memory);
            self.guest.told_cpus(&self.hypervisor);
        }
    }

    /// How the guest behaves.
    #[must_use]
    pub const fn behaviour(&self) -> Behaviour {
        self.guest.behaviour
    }

    /// Processes in the guest now use so many bytes, its own idle use included.
    pub fn set_used(&mut self, used_bytes: u64) {
        if self.runs() {
            let balloon = self.hypervisor.config().and_then(|config| config.balloon.as_ref());
            let reports = balloon.is_some_and(|balloon| balloon.free_page_reporting);
            self.guest.set_used(used_bytes, &self.hypervisor.memory, reports);
        }
    }

    /// The guest ejects a vCPU that nobody asked it to eject.
    pub fn eject_by_guest(&mut self, vcpu: u32) {
        self.hypervisor.vcpus.eject(vcpu);
    }

    fn runs(&self) -> bool {
        matches!(self.hypervisor.state(), VmState::Running | VmState::Paused)
    }

    /// Lets the guest run until `now`; it stands still while it is paused.
    pub fn advance(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.last);
        self.last = self.last.max(now);
        if self.hypervisor.state() == VmState::Running {
            let until = self.guest.ran.saturating_add(passed);
            self.guest.run(until, &mut self.hypervisor);
        }
    }

    /// When `advance` will next change something, unless a request comes before.
    #[must_use]
    pub fn next_change(&self) -> Option<Duration> {
        if self.hypervisor.state() != VmState::Running {
            return None;
        }
        let wait = self.guest.next_at()?.saturating_sub(self.guest.ran);
        Some(self.last.saturating_add(wait))
    }

    fn layout(&self) -> Option<Layout> {
        let config = self.hypervisor.config().filter(|_| self.runs())?;
        let boot = self.hypervisor.memory.boot;
        Some(Layout {
            max_vcpus: config.cpus.max_vcpus,
            min_memory_bytes: boot,
            max_memory_bytes: boot.saturating_add(config.memory.hotplug_size_bytes.unwrap_or(0)),
        })
    }

    /// What can be known of it.
    #[must_use]
    pub fn view(&self) -> VmmView {
        let config = self.hypervisor.config();
        let vcpus = &self.hypervisor.vcpus;
        VmmView {
            state: self.hypervisor.state(),
            vcpus_requested: config.map_or(0, |config| config.cpus.boot_vcpus),
            vcpus_present: vcpus.names_count(),
            vcpu_threads: vcpus.threads().clone(),
            memory_requested_bytes: config.map_or(0, VmConfig::memory_requested_bytes),
            memory_actual_bytes: self.hypervisor.memory_actual_bytes(),
            resident_bytes: self.guest.resident_bytes(&self.hypervisor.memory),
            layout: self.layout(),
            out_of_bounds: self.out_of_bounds,
            guest: self.guest.view(&self.hypervisor),
        }
    }
}
