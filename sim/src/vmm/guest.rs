//! The guest: a Linux that uses memory and follows what the VMM's devices ask of it, late, partly or never.
//!
//! Pure and event driven. Its clock, `ran`, stands still while the VM is paused. What it does about memory is in
//! [`super::guest_memory`].

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::config::MIB;
use super::hypervisor::Hypervisor;
use super::timings::VmmTimings;

/// What a Linux without work uses, in bytes. Measured: 94 MiB resident after a shrink of an idle guest.
pub const IDLE_BYTES: u64 = 94 * MIB;

/// How a guest follows a removal of vCPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuEject {
    /// It ejects all of them.
    All,
    /// It ejects so many of them and keeps the rest.
    Only(u32),
    /// It has no support for it.
    Never,
}

/// How a guest follows a growth of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plug {
    /// It plugs all of it.
    All,
    /// It plugs until it has so many bytes beyond its boot size.
    UpTo(u64),
    /// It never plugs any, though its driver is there.
    Never,
}

/// How a guest follows a shrink of memory that would fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplug {
    /// It gives back all of it.
    All,
    /// It holds on to so many bytes beyond its boot size.
    DownTo(u64),
    /// It never gives any back.
    Never,
}

/// What happens when a shrink goes below what the guest uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// As measured: in 5 of 7 the process that holds the memory is killed, in 2 the shrink stalls.
    Seeded,
    /// The process is killed.
    Kill,
    /// The shrink stalls.
    Stall,
}

/// How a guest behaves; the default is a Linux that cooperates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// The virtio-mem and balloon drivers are there.
    pub driver: bool,
    /// Removal of vCPUs.
    pub cpu_eject: CpuEject,
    /// It puts added vCPUs online.
    pub cpus_online: bool,
    /// Growth of memory.
    pub plug: Plug,
    /// It puts plugged memory online.
    pub memory_online: bool,
    /// Shrink of memory.
    pub unplug: Unplug,
    /// A shrink below use.
    pub pressed: Pressed,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            driver: true,
            cpu_eject: CpuEject::All,
            cpus_online: true,
            plug: Plug::All,
            memory_online: true,
            unplug: Unplug::All,
            pressed: Pressed::Seeded,
        }
    }
}

/// What somebody inside the guest sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestView {
    /// vCPUs that are online.
    pub online_vcpus: u32,
    /// Its total memory, in bytes.
    pub memory_bytes: u64,
    /// What it uses of it, in bytes.
    pub used_bytes: u64,
    /// Processes that its OOM killer ended, over all boots.
    pub oom_kills: u32,
    /// Changes with each boot.
    pub boot_id: u64,
}

/// What the guest will do next, by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Todo {
    LoadDriver,
    EjectCpus,
    OnlineCpus,
    MoveMemory,
    InflateBalloon,
    ReportFree,
}

/// The guest of one VM.
#[derive(Clone, Debug)]
pub struct Guest {
    /// How it behaves; may be changed at any time.
    pub behaviour: Behaviour,
    pub(super) timings: VmmTimings,
    pub(super) rng: ChaCha8Rng,
    pub(super) ran: Duration,
    pub(super) todo: Vec<(Duration, Todo)>,
    pub(super) driver_loaded: bool,
    pub(super) moving: Option<Duration>,
    pub(super) stalled: bool,
    pub(super) used: u64,
    pub(super) resident: u64,
    online_vcpus: u32,
    pub(super) oom_kills: u32,
    boot_id: u64,
}

impl Guest {
    /// A guest that has not booted.
    #[must_use]
    pub fn new(timings: VmmTimings, rng: ChaCha8Rng) -> Self {
        Self {
            behaviour: Behaviour::default(),
            timings,
            rng,
            ran: Duration::ZERO,
            todo: Vec::new(),
            driver_loaded: false,
            moving: None,
            stalled: false,
            used: 0,
            resident: 0,
            online_vcpus: 0,
            oom_kills: 0,
            boot_id: 0,
        }
    }

    /// Boots: nothing is in use, and the drivers are loaded only some seconds later.
    pub fn boot(&mut self, hypervisor: &Hypervisor) {
        self.power_off();
        self.boot_id = self.rng.random();
        self.used = IDLE_BYTES.min(hypervisor.memory.boot);
        self.resident = self.used;
        self.online_vcpus = hypervisor.vcpus.present();
        let after = self.timings.driver_loaded.pick(&mut self.rng);
        self.plan(after, Todo::LoadDriver);
    }

    /// Ends: nothing is left to do.
    pub fn power_off(&mut self) {
        self.todo.clear();
        self.driver_loaded = false;
        self.moving = None;
        self.stalled = false;
        self.used = 0;
        self.resident = 0;
        self.online_vcpus = 0;
    }

    /// What somebody inside sees.
    #[must_use]
    pub fn view(&self, hypervisor: &Hypervisor) -> GuestView {
        let memory = &hypervisor.memory;
        let given = if self.behaviour.memory_online { memory.given() } else { memory.boot };
        GuestView {
            online_vcpus: self.online_vcpus.min(hypervisor.vcpus.present()),
            memory_bytes: given,
            used_bytes: self.used,
            oom_kills: self.oom_kills,
            boot_id: self.boot_id,
        }
    }

    /// Reacts to vCPUs that were added or marked for removal.
    pub fn told_cpus(&mut self, hypervisor: &Hypervisor) {
        if !hypervisor.vcpus.pending().is_empty() {
            self.plan(self.timings.cpu_eject, Todo::EjectCpus);
        }
        if hypervisor.vcpus.present() > self.online_vcpus {
            self.plan(self.timings.cpu_online, Todo::OnlineCpus);
        }
    }

    /// When the next thing happens, by the guest's clock.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.todo.iter().map(|(at, _)| *at).min()
    }

    /// Does everything that is due until `until`, by the guest's clock.
    pub fn run(&mut self, until: Duration, hypervisor: &mut Hypervisor) {
        while let Some((at, todo)) = self.pop_due(until) {
            self.ran = self.ran.max(at);
            self.act(todo, hypervisor);
        }
        self.ran = self.ran.max(until);
    }

    fn pop_due(&mut self, until: Duration) -> Option<(Duration, Todo)> {
        let next = self.todo.iter().copied().min().filter(|(at, _)| *at <= until)?;
        self.todo.retain(|entry| *entry != next);
        Some(next)
    }

    fn act(&mut self, todo: Todo, hypervisor: &mut Hypervisor) {
        match todo {
            Todo::LoadDriver => self.load_driver(&hypervisor.memory),
            Todo::EjectCpus => self.eject_cpus(hypervisor),
            Todo::OnlineCpus if self.behaviour.cpus_online => self.online_vcpus = hypervisor.vcpus.present(),
            Todo::OnlineCpus => {}
            Todo::MoveMemory => self.move_memory(&mut hypervisor.memory),
            Todo::InflateBalloon => self.inflate(&mut hypervisor.memory),
            Todo::ReportFree => self.resident = self.used,
        }
    }

    fn eject_cpus(&mut self, hypervisor: &mut Hypervisor) {
        let pending = hypervisor.vcpus.pending();
        let count = match self.behaviour.cpu_eject {
            CpuEject::All => pending.len(),
            CpuEject::Only(count) => usize::try_from(count).unwrap_or(usize::MAX),
            CpuEject::Never => 0,
        };
        for vcpu in pending.into_iter().rev().take(count) {
            hypervisor.vcpus.eject(vcpu);
        }
        self.online_vcpus = self.online_vcpus.min(hypervisor.vcpus.present());
    }

    pub(super) fn is_planned(&self, todo: Todo) -> bool {
        self.todo.iter().any(|(_, planned)| *planned == todo)
    }

    /// Plans `todo` and drops what was planned of the same kind.
    pub(super) fn plan(&mut self, after: Duration, todo: Todo) {
        self.todo.retain(|(_, planned)| *planned != todo);
        self.todo.push((self.ran.saturating_add(after), todo));
    }
}
