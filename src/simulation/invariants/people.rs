//! What people have said and done: without it nobody could tell their doing from a role's.

use super::facts::{PodFacts, VmFacts};
use super::{Inspector, Invariant, State};
use reef_api::Size;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a hand on a Pod counts at least: what was under way when it came may still land.
const AFTERMATH: Duration = Duration::from_secs(30);

/// No request is later than that: thirty seconds for its way, and as many for its answer.
const LATE: Duration = Duration::from_secs(60);

/// How long after a VM was to be halted it may still be stopped for it.
const HALTED_LATELY: Duration = Duration::from_secs(120);

/// What a commit says of a VM: its size, where the file can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// By VM.
    pub sizes: BTreeMap<String, Size>,
}

#[derive(Default)]
pub(super) struct People {
    /// Commits, in the order in which they were pushed.
    order: Vec<String>,
    statements: BTreeMap<String, Statement>,
    /// VMs whose spec somebody changes by hand.
    edited: BTreeSet<String>,
    /// VMs that somebody deleted, and that are still there.
    deleted: BTreeSet<String>,
    /// When somebody last had a hand on a VM's Pod, or its effect was last seen, while it lasts.
    meddled: BTreeMap<String, Duration>,
    /// VMs whose container was killed for its memory by a deed, of which the kubelet has not told yet: it may be down.
    killed: BTreeSet<String>,
    /// When a VM was last seen with a run policy that stops it.
    halted: BTreeMap<String, Duration>,
    /// When a VM that was not there was applied, by its name and the commit: no precondition can say so, and it may come late over one that was made anew.
    created: BTreeMap<(String, String), Duration>,
    /// History was rewritten or a commit reverted: an older one may come back.
    rewritten: bool,
    /// VMs about whose guest, VMM or node something was wrong, and in which words.
    pub(super) excuses: BTreeMap<String, BTreeSet<&'static str>>,
    /// Nodes on which VMs are given memory that they cannot give back.
    pub(super) one_way: BTreeSet<String>,
}

impl Inspector {
    /// Somebody pushes a commit.
    pub fn pushed(&self, commit: &str, statement: Statement) {
        self.look(|state| {
            state.people.order.push(commit.to_owned());
            state.people.statements.insert(commit.to_owned(), statement);
        });
    }

    /// Somebody rewrites history.
    pub fn rewritten(&self) {
        self.look(|state| state.people.rewritten = true);
    }

    /// Somebody is about to edit a VM.
    pub fn edits_vm(&self, vm: &str) {
        self.look(|state| state.people.edited.insert(vm.to_owned()));
    }

    /// Somebody is about to delete a VM.
    pub fn deletes_vm(&self, vm: &str) {
        self.look(|state| state.people.deleted.insert(vm.to_owned()));
    }

    /// The deletion of a VM came to nothing.
    pub fn spares_vm(&self, vm: &str) {
        self.look(|state| state.people.deleted.remove(vm));
    }

    /// Somebody is about to change a VM's Pod, or something kills its container.
    pub fn meddles(&self, vm: &str) {
        self.look(|state| {
            let now = state.now();
            state.people.meddled.insert(vm.to_owned(), now);
        });
    }

    /// Something is about to kill a VM's container, as the kernel does for want of memory.
    pub fn kills(&self, vm: &str) {
        self.meddles(vm);
        self.look(|state| state.people.killed.insert(vm.to_owned()));
    }

    /// There is something about a VM that a status may name as the reason why it does not settle.
    pub fn excuses(&self, vm: &str, why: &'static str) {
        self.look(|state| state.people.excuses.entry(vm.to_owned()).or_default().insert(why));
    }

    /// VMs on a node grow by DIMMs: they cannot shrink, and grow eight times at most.
    pub fn cannot_shrink_on(&self, node: &str) {
        self.look(|state| state.people.one_way.insert(node.to_owned()));
    }

    /// Whether somebody has edited a VM by hand.
    pub fn is_edited(&self, vm: &str) -> bool {
        self.state().people.is_edited(vm)
    }

    /// A deed is done: for the record.
    pub fn note(&self, vm: Option<&str>, words: impl FnOnce() -> String) {
        self.look(|state| {
            let now = state.now();
            state.record.line(now, vm, words);
        });
    }
}

impl People {
    /// Whether somebody has edited a VM by hand.
    pub(super) fn is_edited(&self, vm: &str) -> bool {
        self.edited.contains(vm)
    }
}

impl State {
    /// Whether somebody has had a hand on a VM's Pod, and its effect lasts.
    pub(super) fn is_meddled(&self, vm: Option<&str>) -> bool {
        vm.is_some_and(|vm| self.people.meddled.contains_key(vm))
    }

    /// Whether a deed killed a VM's container, of which the kubelet tells now.
    pub(super) fn tells_of_killing(&mut self, vm: Option<&str>) -> bool {
        vm.is_some_and(|vm| self.people.killed.remove(vm))
    }

    /// A Pod on which somebody has had a hand does not cover its VM: that lasts until it has done so for a while, because a kubelet that was away acts on
    /// what it sees first, also when it has been put back by then.
    pub(super) fn still_meddled(&mut self, vm: Option<&str>) {
        let now = self.now();
        if let Some(at) = vm.and_then(|vm| self.people.meddled.get_mut(vm)) {
            *at = now;
        }
    }

    /// A Pod covers its VM: a hand on it has no effect any more.
    pub(super) fn covered_again(&mut self, vm: Option<&str>) {
        let now = self.now();
        let over = |since: &Duration| now.saturating_sub(*since) >= AFTERMATH;
        if let Some(vm) = vm.filter(|vm| self.people.meddled.get(*vm).is_some_and(over)) {
            self.people.meddled.remove(vm);
        }
    }

    /// Whether a VM is to be stopped, however long ago that was written, or was to be lately.
    pub(super) fn is_halted(&self, vm: &str) -> bool {
        if self.vms.get(vm).is_some_and(|vm| vm.is_halted()) {
            return true;
        }
        let lately = |at: &Duration| self.now().saturating_sub(*at) < HALTED_LATELY;
        self.people.halted.get(vm).is_some_and(lately)
    }

    /// The controller applies a VM, of a commit.
    pub(super) fn creates(&mut self, vm: Option<&str>, revision: Option<String>) {
        let now = self.now();
        if let (Some(vm), Some(revision)) = (vm.filter(|vm| !self.vms.contains_key(*vm)), revision) {
            self.people.created.insert((vm.to_owned(), revision), now);
        }
    }

    /// Whether a VM may have been made by an apply of this commit that is still on its way.
    fn may_be_created(&self, vm: &str, revision: &str) -> bool {
        let at = self.people.created.get(&(vm.to_owned(), revision.to_owned()));
        at.is_some_and(|at| self.now().saturating_sub(*at) < LATE)
    }

    /// Whether somebody has asked for a new start of a VM, for which a Pod of it was not made.
    pub(super) fn starts_anew(&self, vm: &str, pod: &PodFacts) -> bool {
        let asked = self.vms.get(vm).and_then(|vm| vm.restart.as_ref());
        asked.is_some() && asked != pod.restart.as_ref()
    }

    /// A VM is gone from the cluster.
    pub(super) fn vm_gone(&mut self, vm: &VmFacts) {
        if let Some(report) = &vm.report {
            self.last_acks.insert(report.pod_uid.clone(), report.ack);
        }
        if !self.people.deleted.remove(&vm.name) {
            self.fail(Invariant::Absence, Some(&vm.name), "the VM is deleted, and nobody has deleted it");
        }
    }

    /// A spec is what a commit says, or what somebody wrote by hand.
    pub(super) fn check_spec(&mut self, before: Option<&VmFacts>, vm: &VmFacts) {
        let now = self.now();
        if vm.is_halted() {
            self.people.halted.insert(vm.name.clone(), now);
        }
        let same = before.is_some_and(|before| before.generation == vm.generation && before.revision == vm.revision);
        if same || self.people.edited.contains(&vm.name) {
            return;
        }
        let Some(revision) = vm.revision.as_deref() else { return };
        let Some(statement) = self.people.statements.get(revision) else {
            self.fail(Invariant::Revision, Some(&vm.name), format!("its revision {revision} was never pushed"));
            return;
        };
        if statement.sizes.get(&vm.name).copied() != vm.size {
            let told = format!("its spec says {:?}, and commit {revision} does not", vm.size);
            self.fail(Invariant::Revision, Some(&vm.name), told);
        }
        let place = |revision: &str| self.people.order.iter().rposition(|commit| commit == revision);
        let earlier = before.and_then(|before| before.revision.as_deref()).and_then(place);
        if !self.people.rewritten && place(revision) < earlier && !self.may_be_created(&vm.name, revision) {
            self.fail(Invariant::Revision, Some(&vm.name), format!("commit {revision} comes back by itself"));
        }
    }
}
