//! Suspensions in the loop: what they keep from being applied, and that everything goes on when they end.
//!
//! Whether one holds is told by the object, at the time of the controller's own clock: nothing is remembered, so that a restart changes nothing and an end
//! that comes while no controller runs is found by the next one.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reef_api::suspension::{of_annotations, of_source};
use reef_api::{GitSource, Reason, Suspended};
use tokio::time::Instant;

use super::control::Control;
use super::sources::Stated;
use super::stated::told;
use super::task::Task;
use super::view::View;
use crate::act::Manifest;
use crate::decide::diff::Drift;
use crate::decide::target::TargetProblem;
use crate::decide::{suspension, waits};
use crate::observe::{Kind, ObjectKey};

/// An end that is far away is looked for again after this.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// What keeps the state of Git from an object.
pub(super) enum Withheld {
    /// The object is suspended: its source has done with it what it can.
    ByObject(TargetProblem),
    /// Its source is suspended: it stays to be done.
    BySource(TargetProblem),
}

impl Control {
    /// Why what Git states of an object is not applied.
    pub(super) fn withheld(&self, (kind, key): &Stated, manifest: &Manifest, drift: &Drift) -> Option<Withheld> {
        let now = self.seams.clock.now();
        let problem = |suspended: &Suspended, whose: String| TargetProblem {
            reason: Reason::Suspended,
            message: format!("commit {} is not applied ({}): {whose}{suspended}", manifest.revision, told(drift)),
        };
        let own = (*kind == Kind::Vm).then(|| self.suspended_vm(key, now)).flatten();
        if let Some(suspended) = own {
            return Some(Withheld::ByObject(problem(&suspended, String::new())));
        }
        let (_, held) = self.source_named(&manifest.source)?;
        let suspended = of_source(held.object.as_ref().ok()?, now)?;
        Some(Withheld::BySource(problem(&suspended, format!("GitSource {} is ", manifest.source))))
    }

    fn suspended_vm(&self, key: &ObjectKey, now: Timestamp) -> Option<Suspended> {
        of_annotations(self.store.vm(key)?.metadata.annotations.as_ref(), now)
    }

    /// Holds the target of a VM that is suspended.
    pub(super) fn hold_suspended(&mut self, key: &ObjectKey, view: &mut View, now: Instant) {
        let at = self.seams.clock.now();
        let Some(suspended) = self.suspended_vm(key, at) else { return };
        self.look_at_end(Task::Vm(key.clone()), &suspended, at, now);
        suspension::hold(&mut view.target, &mut view.observed, suspended);
    }

    /// Takes in whether a source is suspended. Where that changes, all that it states is looked at.
    pub(super) fn see_suspension(&mut self, key: &ObjectKey, object: &GitSource, now: Instant) {
        let at = self.seams.clock.now();
        let suspended = of_source(object, at);
        if let Some(suspended) = &suspended {
            self.look_at_end(Task::Source(key.clone()), suspended, at, now);
        }
        let Some(source) = self.sources.get_mut(key).filter(|source| source.suspended != suspended) else { return };
        source.suspend(suspended, now);
        let stated: BTreeSet<Stated> = source.stated().collect();
        // Whatever else is wrong with an object is still so; that it waits is told anew where it does.
        self.unapplied.retain(|object, problem| problem.reason != Reason::Suspended || !stated.contains(object));
        stated.into_iter().for_each(|(kind, object)| self.look_at_object(kind, object));
    }

    fn look_at_end(&mut self, task: Task, suspended: &Suspended, at: Timestamp, now: Instant) {
        let Some(until) = suspended.until else { return };
        let after: Duration = waits::soon(until.duration_since(at).clamp(SignedDuration::ZERO, LOOK_AGAIN));
        self.queue.at(task, now + after);
    }
}
