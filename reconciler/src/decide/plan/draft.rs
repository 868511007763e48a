//! A change as far as it can be told without looking for room: what becomes of the VM, what is forbidden, what its Pod is to be.

use reef_api::facts::{Claim, VmFacts, VmPodFacts, VmmFacts};
use reef_api::plan::{Action, Change, Finding, Mode, PodChange, Rule, SizeChange};
use reef_api::vm::RunPolicy;
use reef_api::{PodSize, Size, Violation, Vm, boot_layout};

use super::demand::Demand;
use super::hypervisor::{beyond, obstacles};
use super::known::Known;
use super::start::Start;
use super::subject::{Effect, Subject, Wanted};
use crate::decide::held::in_class;

/// A change that is being judged.
pub(super) struct Draft<'s> {
    pub(super) subject: &'s Subject,
    pub(super) change: Change,
    pub(super) demand: Demand,
}

/// Judges a subject without looking for room.
pub(super) fn of<'s>(subject: &'s Subject, known: Option<&Known<'_>>) -> Draft<'s> {
    let facts = known.and_then(|known| known.vms.get(&subject.key).copied());
    let start = Start::of(subject, known);
    let mut draft = Draft { subject, change: blank(subject, facts, &start), demand: Demand::default() };
    match &subject.wanted {
        Wanted::Nothing => {
            draft.says(Rule::Removed, "it is no longer stated, and is kept as it is: absence deletes nothing")
        }
        Wanted::Invalid(_, violations) => draft.broken(violations),
        Wanted::Conflict(conflict) => {
            draft.worsen(Mode::Blocked, Finding::says(Rule::PolicyConflict, conflict.to_string()))
        }
        Wanted::Stated(vm) => match other_source(subject, facts) {
            Some(finding) => draft.worsen(Mode::Blocked, finding),
            None => {
                draft.stated(vm, facts, known.is_some());
                suspension(subject, facts, known).into_iter().for_each(|(mode, finding)| draft.worsen(mode, finding));
            }
        },
    }
    draft
}

fn blank(subject: &Subject, facts: Option<&VmFacts>, start: &Start) -> Change {
    let pod = facts.and_then(|facts| facts.pod.as_ref());
    Change {
        namespace: subject.key.namespace.clone(),
        name: subject.key.name.clone(),
        action: start.action(subject),
        mode: Mode::Live,
        size: SizeChange { from: start.size, to: subject.wanted.size() },
        pod: PodChange { from: pod.map(|pod| pod.allocated), to: pod.map(|pod| pod.allocated) },
        node: pod.and_then(|pod| pod.node.clone()),
        turn: 0,
        after: Vec::new(),
        fields: subject.fields.iter().map(|field| field.path.clone()).collect(),
        findings: Vec::new(),
        diff: Vec::new(),
        place: subject.place.clone(),
        moved_from: subject.moved_from.clone(),
    }
}

fn other_source(subject: &Subject, facts: Option<&VmFacts>) -> Option<Finding> {
    let (ours, theirs) = (subject.source.as_ref()?, facts?.source.as_ref()?);
    let message =
        format!("GitSource {theirs} has applied it, and {ours} does not take it over; remove it from one of the two");
    (ours != theirs).then(|| Finding::says(Rule::OtherSource, message))
}

/// What keeps the change from the VM for a while, or until somebody resumes it.
fn suspension(subject: &Subject, facts: Option<&VmFacts>, known: Option<&Known<'_>>) -> Option<(Mode, Finding)> {
    let own = facts.and_then(|facts| facts.suspended.as_ref()).map(|held| ("the VM".to_owned(), held));
    let source = subject.source.as_ref().or_else(|| facts?.source.as_ref());
    let of_source = || Some((format!("GitSource {}", source?), *known?.suspended.get(source?)?));
    let (whose, held) = own.or_else(of_source)?;
    let message = format!("{whose} is {}; nothing of this is applied before that ends", held.told);
    let finding = Finding::says(Rule::Suspended, message);
    Some(match held.until {
        Some(until) => {
            (Mode::Deferred, finding.remedied(format!("it goes on by itself at {until}, or with `reef resume`")))
        }
        None => (Mode::Blocked, finding.remedied("end it with `reef resume`")),
    })
}

impl Draft<'_> {
    /// Adds a finding that changes no mode.
    pub(super) fn says(&mut self, rule: Rule, message: impl Into<String>) {
        self.change.findings.push(Finding::says(rule, message));
    }

    /// Adds a finding; the weightiest one decides about the mode, and stands first.
    pub(super) fn worsen(&mut self, mode: Mode, finding: Finding) {
        if weight(mode) > weight(self.change.mode) {
            self.change.mode = mode;
            self.change.findings.insert(0, finding);
        } else {
            self.change.findings.push(finding);
        }
        if !self.change.mode.goes_on() {
            self.demand = Demand::Nothing;
        }
    }

    /// What the Pods of `node` take once this change is carried out, where they took `sum` before.
    pub(super) fn on(&self, node: &str, sum: Claim) -> Claim {
        if matches!(self.change.mode, Mode::Deferred) || !self.change.mode.goes_on() {
            return sum;
        }
        match &self.demand {
            Demand::Grown { node: own, from, to } if own == node => sum.less(Claim::from(*from)).plus(Claim::from(*to)),
            Demand::Gone { node: own, from } if own == node => sum.less(Claim::from(*from)),
            Demand::Placed { pod, instead_of, node: found } => {
                let old = instead_of.as_ref().filter(|(old, _)| old == node).map(|(_, size)| Claim::from(*size));
                let new = found.as_ref().filter(|found| *found == node).map(|_| Claim::from(*pod));
                sum.less(old.unwrap_or_default()).plus(new.unwrap_or_default())
            }
            Demand::Nothing | Demand::Grown { .. } | Demand::Gone { .. } => sum,
        }
    }

    fn broken(&mut self, violations: &[Violation]) {
        for violation in violations {
            self.worsen(Mode::Blocked, Finding::of(Rule::Invalid, violation));
        }
    }

    fn stated(&mut self, vm: &Vm, facts: Option<&VmFacts>, is_known: bool) {
        let pod = facts.and_then(|facts| facts.pod.as_ref());
        match self.change.action {
            Action::Create | Action::Start if pod.is_none() => self.started(vm),
            Action::Stop => self.stopped(pod),
            Action::Create | Action::Start | Action::Resize => self.resized(vm, facts, is_known),
            Action::Edit if pod.is_some_and(|pod| in_class(pod.wish, vm.pod_size(vm.size)) != pod.wish) => {
                self.resized(vm, facts, is_known);
            }
            // A Pod that has found no node is made anew, and may find one then.
            Action::Edit if pod.is_some_and(|pod| pod.node.is_none()) => self.resized(vm, facts, is_known),
            Action::Edit | Action::Remove => {}
            Action::Move => {
                let from = self.change.moved_from.as_deref().unwrap_or("another file");
                self.says(Rule::Fits, format!("it stood in {from}, and nothing else of it changes"));
            }
        }
        self.edited(pod.is_some_and(|pod| pod.node.is_some()) || !is_known);
    }

    fn started(&mut self, vm: &Vm) {
        match vm.run_policy {
            RunPolicy::Halted | RunPolicy::Manual => {
                self.says(Rule::NotRunning, format!("it is not started: spec.runPolicy is {:?}", vm.run_policy));
            }
            RunPolicy::Always | RunPolicy::RerunOnFailure | RunPolicy::Once => {
                let pod = vm.pod_size(vm.size);
                self.change.pod.to = Some(pod);
                self.demand = Demand::Placed { pod, instead_of: None, node: None };
            }
        }
    }

    fn stopped(&mut self, pod: Option<&VmPodFacts>) {
        self.change.pod.to = None;
        self.change.turn = 1;
        self.says(Rule::Fits, "it is stopped");
        if let Some((pod, node)) = pod.and_then(|pod| Some((pod, pod.node.clone()?))) {
            self.demand = Demand::Gone { node, from: pod.allocated };
        }
    }

    fn resized(&mut self, vm: &Vm, facts: Option<&VmFacts>, is_known: bool) {
        let Some(pod) = facts.and_then(|facts| facts.pod.as_ref()) else {
            return if is_known { self.starts_with_it() } else { self.offline(vm.size) };
        };
        let wish = in_class(pod.wish, vm.pod_size(vm.size));
        self.change.pod.to = Some(wish);
        let Some(node) = pod.node.clone() else {
            self.says(Rule::NotRunning, "its Pod waits for a node");
            self.demand = Demand::Placed { pod: wish, instead_of: None, node: None };
            return;
        };
        match facts.and_then(|facts| facts.vmm.as_ref()) {
            Some(vmm) => self.demand = self.reached(vm, vmm, pod, node),
            None => {
                self.demand = Demand::Grown { node, from: pod.allocated, to: wish };
                self.says(Rule::NotJudged, "its daemon has not reported what it booted with");
            }
        }
        if let Some(vmm) = facts.and_then(|facts| facts.vmm.as_ref()) {
            obstacles(vmm, vm.size).into_iter().for_each(|finding| self.worsen(Mode::Restart, finding));
        }
    }

    /// What the Pod of a VM that runs asks for: a place for another one where the size lies beyond what the VM booted with.
    fn reached(&mut self, vm: &Vm, vmm: &VmmFacts, pod: &VmPodFacts, node: String) -> Demand {
        if !vmm.boot.allows(vm.size) {
            let new = vm.pod_size(vm.size);
            self.change.pod.to = Some(new);
            return Demand::Placed { pod: new, instead_of: Some((node, pod.allocated)), node: None };
        }
        // The controller grants what the layout allows: the Pod becomes larger, and gives nothing back before the VM follows.
        let stuck = vmm.hinders(vm.size);
        let size = if stuck { vm.size.max(vmm.actual) } else { vm.size };
        let to = in_class(pod.wish, vm.pod_size(size));
        self.change.pod.to = Some(to);
        if stuck && to == pod.allocated {
            return Demand::Nothing;
        }
        Demand::Grown { node, from: pod.allocated, to }
    }

    fn starts_with_it(&mut self) {
        self.change.turn = 1;
        self.says(Rule::NotRunning, "it does not run; it starts with this size");
    }

    /// Without facts a running VM is taken to have booted as the base states it.
    fn offline(&mut self, size: Size) {
        let limits = self.subject.before.as_ref().map(|before| boot_layout(before).limits());
        match limits.filter(|limits| !limits.allows(size)) {
            Some(limits) => self.worsen(Mode::Restart, beyond(limits, size, "as the base states it, it boots with")),
            None => self.says(Rule::NotJudged, "nothing is known of its node"),
        }
    }

    /// Fields beside the size.
    fn edited(&mut self, may_run: bool) {
        let at_start: Vec<&str> = self.of_effect(Effect::AtStart);
        let message = format!("{} take effect when the VM is started anew", listed(&at_start));
        match self.change.action {
            Action::Create | Action::Start | Action::Stop => {}
            _ if at_start.is_empty() => {
                if self.change.findings.is_empty() && self.demand == Demand::Nothing {
                    self.change.turn = 1;
                    let fields = self.of_effect(Effect::Live);
                    let what = match fields.as_slice() {
                        [] => "the cluster has this already".to_owned(),
                        fields => format!("{} change", listed(fields)),
                    };
                    self.says(Rule::Fits, format!("{what}; the VM goes on as it is"));
                }
            }
            Action::Edit if may_run => self.worsen(Mode::Restart, Finding::says(Rule::AtRestart, message)),
            _ => self.says(Rule::AtRestart, message),
        }
    }

    fn of_effect(&self, effect: Effect) -> Vec<&'_ str> {
        self.subject.fields.iter().filter(|field| field.effect == effect).map(|field| field.path.as_str()).collect()
    }

    /// What its Pod becomes.
    pub(super) fn target(&self) -> Option<PodSize> {
        self.change.pod.to
    }
}

const fn weight(mode: Mode) -> u8 {
    match mode {
        Mode::Live => 0,
        Mode::Restart => 1,
        Mode::Deferred => 2,
        Mode::Infeasible => 3,
        Mode::Blocked => 4,
    }
}

/// Names in a sentence; of many the first ones, and how many more.
pub(super) fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
