//! A short trace for people: one line for each thing that happened, with the VM that it is about.

use super::facts::{PodFacts, VmFacts};
use super::{Inspector, State};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// Whether lines are kept: they cost time, and a run can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// None.
    Off,
    /// The last ones.
    Last(usize),
    /// All.
    All,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, since the world began.
    pub at: Duration,
    /// The VM that it is about, where it is about one.
    pub vm: Option<String>,
    /// What.
    pub words: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vm = self.vm.as_deref().unwrap_or("-");
        write!(f, "{:>10.3} {vm:<8} {}", self.at.as_secs_f64(), self.words)
    }
}

pub(super) struct Record {
    recording: Recording,
    lines: VecDeque<Line>,
}

impl Record {
    pub(super) const fn new(recording: Recording) -> Self {
        Self { recording, lines: VecDeque::new() }
    }

    pub(super) fn line(&mut self, at: Duration, vm: Option<&str>, words: impl FnOnce() -> String) {
        let most = match self.recording {
            Recording::Off => return,
            Recording::Last(most) => most,
            Recording::All => usize::MAX,
        };
        if self.lines.len() >= most {
            self.lines.pop_front();
        }
        self.lines.push_back(Line { at, vm: vm.map(str::to_owned), words: words() });
    }

    fn is_on(&self) -> bool {
        self.recording != Recording::Off
    }
}

impl Inspector {
    /// What was recorded, in order.
    pub fn lines(&self) -> Vec<Line> {
        self.state().record.lines.iter().cloned().collect()
    }
}

impl State {
    pub(super) fn record_vm(&mut self, before: Option<&VmFacts>, vm: &VmFacts) {
        if !self.record.is_on() {
            return;
        }
        let now = shown_vm(vm);
        if before.map(shown_vm).as_ref() != Some(&now) {
            let at = self.now();
            self.record.line(at, Some(&vm.name), || now);
        }
    }

    pub(super) fn record_pod(&mut self, before: Option<&PodFacts>, pod: &PodFacts) {
        if !self.record.is_on() {
            return;
        }
        let now = shown_pod(pod);
        if before.map(shown_pod).as_ref() != Some(&now) {
            let at = self.now();
            self.record.line(at, pod.vm.as_deref(), || now);
        }
    }

    pub(super) fn record_vmm(&mut self, pod_uid: &str, vm: Option<&str>) {
        if !self.record.is_on() {
            return;
        }
        let Some(it) = self.running.get(pod_uid) else { return };
        let words = format!(
            "VMM {}: requested {}, actual {}, guest uses {}, cgroup cpu {} memory {}",
            it.pid, it.requested, it.actual, it.uses, it.limits.cpu, it.limits.memory
        );
        let at = self.now();
        self.record.line(at, vm, || words);
    }
}

fn shown_vm(vm: &VmFacts) -> String {
    let size = |size: &Option<reef_api::Size>| size.map_or_else(|| "-".to_owned(), |size| size.to_string());
    let grant = vm.grant.as_ref().map_or_else(|| "-".to_owned(), |grant| format!("{} ({})", grant.seq, grant.size));
    let report = vm.report.as_ref().map_or_else(
        || "-".to_owned(),
        |it| format!("ack {} requested {} actual {} {}", it.ack, it.requested, it.actual, it.waiting),
    );
    let ready = vm.ready.clone().unwrap_or_default();
    format!(
        "VM of generation {}: {} {} | {} | target {} aim {} | grant {grant} | report {report} | Ready {} {} of {}: {}{}",
        vm.generation,
        size(&vm.size),
        vm.run_policy,
        vm.phase,
        size(&vm.target),
        size(&vm.aim),
        ready.holds,
        ready.reason,
        ready.generation,
        ready.message,
        if vm.deleting { " | being deleted" } else { "" },
    )
}

fn shown_pod(pod: &PodFacts) -> String {
    let amounts = |it: &Option<super::facts::Amounts>| {
        it.map_or_else(|| "-".to_owned(), |it| format!("{} {}", it.cpu, it.memory))
    };
    format!(
        "Pod {} of generation {} on {}: {} | spec {} allocated {} actual {} | {}{} {}",
        pod.name,
        pod.generation,
        pod.node,
        pod.phase,
        amounts(&pod.limits),
        amounts(&pod.allocated),
        amounts(&pod.in_effect),
        pod.conditions.join(", "),
        if pod.deleting { " | being deleted" } else { "" },
        pod.ended_by,
    )
}
