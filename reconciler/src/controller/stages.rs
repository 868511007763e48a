//! How long resizes take, stage by stage, as the status' history tells: each that ends is counted once, and none that had ended before it was first seen.
//!
//! ```text
//! push seen ─► applied ─► taken up ─► granted ─► VMM asked ─► guest has it ─► settled
//!    (the loop)          (history)   (history)     (the daemon's report)     (history)
//! ```
//! In memory only: a restart loses what was measured before it, and the history's own times are still told. It only measures: nothing is decided by it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reef_api::vm::{HistoryEntry, Outcome, VirtualMachineStatus};
use tokio::time::Instant;

use crate::metrics::{Direction, Resizes, Stage};
use crate::observe::ObjectKey;

/// A commit that changed a VM, as the loop has seen it.
#[derive(Clone, Debug)]
struct Push {
    revision: Arc<str>,
    seen: Instant,
    applied: Option<Instant>,
}

/// An entry of the history: it names its Pod, and begins at a time of its own.
type Name = (String, Timestamp);

/// A VM, as its history was seen last.
#[derive(Debug, Default)]
struct Known {
    /// The entries, and how each had ended.
    outcomes: BTreeMap<Name, Outcome>,
    /// The one that goes on.
    going: Option<Going>,
}

/// A resize that goes on.
#[derive(Debug)]
struct Going {
    name: Name,
    /// When it was seen first.
    since: Instant,
    asked: Option<Instant>,
    guest: Option<Instant>,
}

/// All that is measured.
#[derive(Debug, Default)]
pub(super) struct Stages {
    pushes: BTreeMap<ObjectKey, Push>,
    known: BTreeMap<ObjectKey, Known>,
}

impl Stages {
    /// A tip was read, in which this commit is the last to have changed the VM.
    pub(super) fn pushed(&mut self, vm: &ObjectKey, revision: &Arc<str>, now: Instant) {
        if self.pushes.get(vm).is_none_or(|push| push.revision != *revision) {
            self.pushes.insert(vm.clone(), Push { revision: Arc::clone(revision), seen: now, applied: None });
        }
    }

    /// What Git states of the VM was applied.
    pub(super) fn applied(&mut self, vm: &ObjectKey, now: Instant) {
        if let Some(push) = self.pushes.get_mut(vm) {
            push.applied.get_or_insert(now);
        }
    }

    /// The VM agrees with Git: a commit that had nothing to apply is no push to be measured.
    pub(super) fn agreed(&mut self, vm: &ObjectKey) {
        if self.pushes.get(vm).is_some_and(|push| push.applied.is_none()) {
            self.pushes.remove(vm);
        }
    }

    /// The VM is gone.
    pub(super) fn forget(&mut self, vm: &ObjectKey) {
        self.known.remove(vm);
    }

    /// Takes in a status, and counts what has ended since the last one.
    pub(super) fn see(&mut self, vm: &ObjectKey, status: &VirtualMachineStatus, now: Instant, metrics: &Resizes) {
        let first = !self.known.contains_key(vm);
        let known = self.known.entry(vm.clone()).or_default();
        known.follow(status, first, now);
        let before = std::mem::replace(&mut known.outcomes, outcomes(&status.history));
        if first {
            return;
        }
        for (index, entry) in status.history.iter().enumerate() {
            let was = before.get(&name(entry)).copied();
            if entry.outcome == Outcome::InProgress || was == Some(entry.outcome) {
                continue;
            }
            let direction = direction(index.checked_sub(1).and_then(|index| status.history.get(index)), entry);
            metrics.ended(direction, entry.outcome);
            if entry.outcome == Outcome::Settled {
                let push = self.pushes.get(vm).filter(|push| entry.revision.as_deref() == Some(&*push.revision));
                let going = known.going.take_if(|going| going.name == name(entry));
                measure(entry, push, going.as_ref(), direction, metrics);
                self.pushes.remove(vm);
            }
        }
    }
}

impl Known {
    /// Notes what has become of the resize that goes on. Of one that went on before the VM was seen first, nobody knows when its stages were reached.
    fn follow(&mut self, status: &VirtualMachineStatus, first: bool, now: Instant) {
        let Some(last) = status.history.last() else { return };
        if self.going.as_ref().is_none_or(|going| going.name != name(last)) {
            let new = !first && !self.outcomes.contains_key(&name(last));
            self.going = new.then(|| Going { name: name(last), since: now, asked: None, guest: None });
        }
        let report = status.vmm.as_ref().filter(|report| report.pod_uid == last.pod_uid);
        let (Some(going), Some(report)) = (&mut self.going, report) else { return };
        if report.requested() == last.target {
            going.asked.get_or_insert(now);
            if report.actual() == last.target {
                going.guest.get_or_insert(now);
            }
        }
    }
}

fn name(entry: &HistoryEntry) -> Name {
    (entry.pod_uid.clone(), entry.started_at)
}

fn outcomes(history: &[HistoryEntry]) -> BTreeMap<Name, Outcome> {
    history.iter().map(|entry| (name(entry), entry.outcome)).collect()
}

fn direction(before: Option<&HistoryEntry>, entry: &HistoryEntry) -> Direction {
    let Some(before) = before.filter(|before| before.pod_uid == entry.pod_uid) else { return Direction::Start };
    let (from, to) = (before.target, entry.target);
    let grows = to.vcpus > from.vcpus || to.memory > from.memory;
    let shrinks = to.vcpus < from.vcpus || to.memory < from.memory;
    match (grows, shrinks) {
        (true, true) => Direction::Mixed,
        (false, true) => Direction::Shrink,
        (_, false) => Direction::Grow,
    }
}

/// Tells the stages of a resize that has settled. Between the push and the take-up time is measured in this process; after it by the history's times,
/// which are of one clock.
fn measure(entry: &HistoryEntry, push: Option<&Push>, going: Option<&Going>, direction: Direction, metrics: &Resizes) {
    let ahead = match (push, going) {
        (Some(push), Some(going)) => going.since.saturating_duration_since(push.seen),
        _ => Duration::ZERO,
    };
    let reached = |stage, after: Duration| metrics.reached(direction, stage, after);
    if let Some(push) = push.filter(|_| going.is_some()) {
        if let Some(applied) = push.applied {
            reached(Stage::Applied, applied.saturating_duration_since(push.seen));
        }
        reached(Stage::Taken, ahead);
    }
    let after = |time: Option<Timestamp>| {
        let passed = time?.duration_since(entry.started_at);
        Some(ahead + Duration::try_from(passed).unwrap_or_default())
    };
    if let Some(granted) = after(entry.granted_at) {
        reached(Stage::Granted, granted);
    }
    for (stage, at) in [(Stage::Asked, going.and_then(|it| it.asked)), (Stage::Guest, going.and_then(|it| it.guest))] {
        if let Some((at, going)) = at.zip(going) {
            reached(stage, ahead + at.saturating_duration_since(going.since));
        }
    }
    if let Some(settled) = after(entry.finished_at) {
        reached(Stage::Settled, settled);
    }
}

#[cfg(test)]
mod tests;
