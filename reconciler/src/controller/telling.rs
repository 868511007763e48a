//! What the loop tells metrics. It reads, and nothing is decided by it.

use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::watcher::Event;
use reef_api::VmKey;
use tokio::time::Instant;

use super::census;
use super::control::Control;
use super::view::View;
use crate::decide::action::Step;
use crate::metrics::{Standing, number};
use crate::observe::{Interruption, Kind, Object, ObjectKey};

/// How things stand is told no more often: it takes a look at every source.
const TOLD_EVERY: Duration = Duration::from_secs(1);

impl Control {
    /// How things stand.
    pub(super) fn tell_metrics(&mut self, now: Instant) {
        if self.measured_at.is_some_and(|told| now < told + TOLD_EVERY) {
            return;
        }
        self.measured_at = Some(now);
        let metrics = &self.seams.metrics;
        metrics.queued.set(number(self.queue.len()));
        metrics.jobs.set(number(self.jobs.len()));
        metrics.git.stand(&self.standing());
    }

    fn standing(&self) -> Standing {
        let mut standing =
            Standing { unapplied: self.unapplied.len(), applying: self.attempts.len(), ..Standing::default() };
        for source in self.sources.all() {
            let place = match (source.fetched, &source.trouble) {
                (false, _) => &mut standing.unread,
                (true, Some(_)) => &mut standing.failed,
                (true, None) => &mut standing.read,
            };
            *place += 1;
            standing.suspended += usize::from(source.suspended.is_some());
            standing.pending += source.pending.len();
        }
        standing
    }

    /// A watch has told something.
    pub(super) fn count_seen(&self, kind: Kind, event: &Result<Event<Object>, Interruption>) {
        let (watches, resource) = (&self.seams.metrics.watches, kind.plural());
        match event {
            Ok(Event::Init) => watches.lists(resource),
            Ok(Event::Apply(_) | Event::Delete(_)) => watches.told(resource),
            Ok(Event::InitApply(_) | Event::InitDone) => {}
            Err(Interruption::Failed(_)) => watches.failed(resource),
            Err(Interruption::Restored(_)) => watches.restored(),
        }
    }

    /// Something was looked at that was due then.
    pub(super) fn count_wait(&self, due: Option<Instant>, now: Instant) {
        if let Some(due) = due {
            self.seams.metrics.queue_wait.observe(now.saturating_duration_since(due).as_secs_f64());
        }
    }

    /// A VM was looked at.
    pub(super) fn count_vm(&mut self, key: &ObjectKey, view: &View, step: &Step, (now, at): (Instant, Timestamp)) {
        let place = census::place(view, step.waiting_on, at);
        self.census.note(key, Some(place), at, &self.seams.metrics);
        self.stages.see(key, &view.observed.status, now, &self.seams.metrics.resizes);
    }

    /// A VM is gone.
    pub(super) fn uncount_vm(&mut self, key: &ObjectKey) {
        self.census.forget(key, &self.seams.metrics);
        self.stages.forget(key);
    }

    /// A source was fetched: what of it waits to be applied was pushed now.
    pub(super) fn measure_pushes(&mut self, key: &ObjectKey, now: Instant) {
        let Some(source) = self.sources.get(key) else { return };
        for (_, vm) in source.pending.iter().filter(|(kind, _)| *kind == Kind::Vm) {
            if let Some(stated) = source.desired.vms.get(&VmKey::from(vm)) {
                self.stages.pushed(vm, &stated.revision, now);
            }
        }
    }
}
