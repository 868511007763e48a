//! The plan: what one commit brings, each change with *how* it will happen and why.
//!
//! A forecast, made of the same facts as the pipeline's decisions; it carries nothing out. The kubelet has the last word about room.

use reef_api::vm::BootStatus;
use reef_api::{Bytes, MilliCpu, PodSize, Size, Violation, Vm, VmKey};
use std::collections::BTreeMap;
use std::fmt;

/// How a change will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// While the VM runs.
    Live,
    /// When the VM is started anew.
    Restart,
    /// While the VM runs, as soon as its node has room.
    Deferred,
    /// Not: a rule forbids it.
    Blocked,
    /// Not: its node can never hold it.
    Infeasible,
}

impl Mode {
    /// The word in a plan.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Restart => "restart",
            Self::Deferred => "deferred",
            Self::Blocked => "blocked",
            Self::Infeasible => "infeasible",
        }
    }
}

/// A VM that a commit changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Namespace and name.
    pub key: VmKey,
    /// The VM as the commit wants it, or what is wrong with it.
    pub wanted: Result<Vm, Vec<Violation>>,
    /// The VM as it runs, where it does.
    pub running: Option<Running>,
    /// The size that the cluster's spec asks for now; nothing for a new VM.
    pub current: Option<Size>,
}

/// A VM that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Its node.
    pub node: String,
    /// What it booted with, once its daemon has told.
    pub boot: Option<BootStatus>,
    /// What its Pod wishes.
    pub pod: PodSize,
}

/// What a node can give, and has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Allocatable CPU.
    pub cpu: MilliCpu,
    /// Allocatable memory.
    pub memory: Bytes,
    /// CPU that Pods request, by the scheduler's rule.
    pub cpu_used: MilliCpu,
    /// Memory that Pods request, by the scheduler's rule.
    pub memory_used: Bytes,
}

/// The nodes of a cluster.
pub type Capacity = BTreeMap<String, Room>;

/// One change of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The VM.
    pub key: VmKey,
    /// Its size before; nothing for a new VM.
    pub from: Option<Size>,
    /// Its size after; nothing where the commit's VM cannot be read.
    pub to: Option<Size>,
    /// How it will happen.
    pub mode: Mode,
    /// Why so.
    pub why: String,
}

/// Everything that a commit brings, ordered by VM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes.
    pub changes: Vec<Change>,
}

/// Makes the plan of the subjects. Shrinks give their room to growths of the same commit.
pub fn plan(subjects: &[Subject], capacity: &Capacity) -> Plan {
    let mut room = capacity.clone();
    for subject in subjects {
        give_back(subject, &mut room);
    }
    Plan { changes: subjects.iter().map(|subject| change(subject, &mut room)).collect() }
}

fn give_back(subject: &Subject, room: &mut Capacity) {
    let (Ok(vm), Some(running)) = (&subject.wanted, &subject.running) else { return };
    let Some(node) = room.get_mut(&running.node) else { return };
    let wish = vm.pod_size(vm.size);
    node.cpu_used =
        MilliCpu(node.cpu_used.0.saturating_sub(running.pod.cpu_request.0.saturating_sub(wish.cpu_request.0)));
    node.memory_used = Bytes(node.memory_used.0.saturating_sub(running.pod.memory.0.saturating_sub(wish.memory.0)));
}

fn change(subject: &Subject, room: &mut Capacity) -> Change {
    let (mode, why) = match &subject.wanted {
        Err(violations) => (Mode::Blocked, violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        Ok(vm) => verdict(vm, subject, room),
    };
    let to = subject.wanted.as_ref().ok().map(|vm| vm.size);
    Change { key: subject.key.clone(), from: subject.current, to, mode, why }
}

fn verdict(vm: &Vm, subject: &Subject, room: &mut Capacity) -> (Mode, String) {
    let Some(running) = &subject.running else {
        let why = if subject.current.is_some() { "it does not run; it starts with this size" } else { "a new VM" };
        return (Mode::Live, why.to_owned());
    };
    if let Some(boot) = running.boot.filter(|boot| !boot.allows(vm.size)) {
        let why = format!(
            "it booted with {} to {} vCPU and {} to {}",
            boot.min_vcpus, boot.max_vcpus, boot.min_memory, boot.max_memory
        );
        return (Mode::Restart, why);
    }
    let wish = vm.pod_size(vm.size);
    match room.get_mut(&running.node) {
        Some(node) => fit(wish, running, node),
        None => (Mode::Live, format!("nothing is known of node {}", running.node)),
    }
}

fn fit(wish: PodSize, running: &Running, node: &mut Room) -> (Mode, String) {
    let name = &running.node;
    if wish.cpu_request > node.cpu || wish.memory > node.memory {
        let why = format!("its Pod needs {wish}, and {name} has cpu {}, memory {} in all", node.cpu, node.memory);
        return (Mode::Infeasible, why);
    }
    let more_cpu = MilliCpu(wish.cpu_request.0.saturating_sub(running.pod.cpu_request.0));
    let more_memory = Bytes(wish.memory.0.saturating_sub(running.pod.memory.0));
    let free_cpu = MilliCpu(node.cpu.0.saturating_sub(node.cpu_used.0));
    let free_memory = Bytes(node.memory.0.saturating_sub(node.memory_used.0));
    if more_cpu > free_cpu || more_memory > free_memory {
        let why = format!(
            "its Pod needs cpu {more_cpu}, memory {more_memory} more, and {name} has cpu {free_cpu}, memory {free_memory} free"
        );
        return (Mode::Deferred, why);
    }
    node.cpu_used = node.cpu_used.saturating_add(more_cpu);
    node.memory_used = node.memory_used.saturating_add(more_memory);
    (Mode::Live, format!("its Pod becomes {wish} on {name}"))
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = self.to.map_or_else(|| "not applied".to_owned(), |to| to.to_string());
        match self.from {
            None => write!(f, "{}  create      {to} ({})", self.key, self.why),
            Some(from) if Some(from) == self.to => {
                write!(f, "{}  {:<10}  {to}, no resize ({})", self.key, self.mode.as_str(), self.why)
            }
            Some(from) => write!(f, "{}  {:<10}  {from} -> {to} ({})", self.key, self.mode.as_str(), self.why),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("nothing changes");
        }
        let lines: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}
