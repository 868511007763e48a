//! How many VMs stand where, counted as each of them is looked at. It only counts: nothing is decided by it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reef_api::condition::{self, READY, SUSPENDED};
use reef_api::vm::{ResizeStatus, Stalled};
use reef_api::{Phase, Reason};
use tokio::time::Instant;

use super::view::View;
use crate::decide::refused;
use crate::metrics::{Metrics, Mode};
use crate::observe::ObjectKey;

/// Where one VM stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    phase: Phase,
    reason: Reason,
    /// How it is held, and since when.
    held: BTreeMap<Mode, Timestamp>,
}

/// All VMs.
#[derive(Debug, Default)]
pub(super) struct Census {
    places: BTreeMap<ObjectKey, Place>,
    /// Those that are held, the one that has been held longest first.
    since: BTreeMap<Mode, BTreeSet<(Timestamp, ObjectKey)>>,
    /// The time that was handed in last, and when that was.
    told: Option<(Timestamp, Instant)>,
}

impl Census {
    /// A VM is gone.
    pub(super) fn forget(&mut self, key: &ObjectKey, metrics: &Metrics) {
        let Some((at, told)) = self.told else { return };
        let passed = SignedDuration::try_from(told.elapsed()).unwrap_or_default();
        self.note(key, None, at.saturating_add(passed).unwrap_or(at), metrics);
    }

    /// Takes in where a VM stands; none where it is gone.
    pub(super) fn note(&mut self, key: &ObjectKey, place: Option<Place>, at: Timestamp, metrics: &Metrics) {
        self.told = Some((at, Instant::now()));
        if self.places.get(key) == place.as_ref() {
            return;
        }
        let mut changed = BTreeSet::new();
        if let Some(before) = self.places.remove(key) {
            metrics.vms.of([before.phase.as_str()]).dec();
            metrics.reasons.of([before.reason.as_str()]).dec();
            for (mode, since) in before.held {
                self.since.entry(mode).or_default().remove(&(since, key.clone()));
                changed.insert(mode);
            }
        }
        if let Some(place) = place {
            metrics.vms.of([place.phase.as_str()]).inc();
            metrics.reasons.of([place.reason.as_str()]).inc();
            for (mode, since) in &place.held {
                self.since.entry(*mode).or_default().insert((*since, key.clone()));
                changed.insert(*mode);
            }
            self.places.insert(key.clone(), place);
        }
        changed.into_iter().for_each(|mode| self.tell(mode, at, metrics));
    }

    fn tell(&self, mode: Mode, at: Timestamp, metrics: &Metrics) {
        let held = self.since.get(&mode);
        let count = held.map_or(0, BTreeSet::len);
        metrics.held.of([mode.as_str()]).set(crate::metrics::number(count));
        let oldest = held.and_then(BTreeSet::first).map(|(since, _)| at.duration_since(*since).unsigned_abs());
        metrics.held_oldest.of([mode.as_str()]).set(oldest);
    }
}

/// Where a VM stands by its view, and by what it waits for.
pub(super) fn place(view: &View, waiting_on: Option<Reason>, at: Timestamp) -> Place {
    let status = &view.observed.status;
    let reason = waiting_on.unwrap_or(Reason::Settled);
    let resize = status.resize.as_ref();
    let mut held = BTreeMap::new();
    let mut hold = |mode, since: Option<Timestamp>| {
        // What begins after now was told by a clock that was wrong.
        held.insert(mode, since.unwrap_or(at).min(at));
    };
    let reason_since = resize.and_then(|resize| resize.reason_since);
    if let Some(mode) = by_reason(reason) {
        hold(mode, reason_since);
    }
    if let Some(known) = resize.and_then(|resize| resize.refused.as_ref()).filter(|known| refused::holds(known)) {
        hold(if known.reason == Reason::Infeasible { Mode::Infeasible } else { Mode::Deferred }, known.first_at);
    }
    if let Some(stalled) = resize.and_then(|resize| resize.stalled.as_ref()) {
        hold(Mode::Stalled, stalled_since(stalled));
    }
    if let Some(partial) = resize.and_then(partial) {
        hold(Mode::Partial, Some(partial));
    }
    let turned = |kind| condition::find(&status.conditions, kind).map(|found| found.last_transition_time.0);
    if view.target.problem.as_ref().is_some_and(|problem| problem.reason == Reason::Blocked) {
        hold(Mode::Blocked, turned(READY));
    }
    if let Some(suspension) = &view.target.hold {
        hold(Mode::Suspended, suspension.suspended.at.or_else(|| turned(SUSPENDED)));
    }
    Place { phase: status.phase.unwrap_or_default(), reason, held }
}

const fn by_reason(reason: Reason) -> Option<Mode> {
    match reason {
        Reason::Deferred => Some(Mode::Deferred),
        Reason::Infeasible => Some(Mode::Infeasible),
        Reason::RestartRequired => Some(Mode::Restart),
        Reason::Blocked => Some(Mode::Blocked),
        Reason::GuestPressure => Some(Mode::Pressure),
        Reason::Stalled => Some(Mode::Stalled),
        Reason::Partial => Some(Mode::Partial),
        Reason::Forbidden
        | Reason::AdmissionDenied
        | Reason::QuotaExceeded
        | Reason::Unsupported
        | Reason::VmmRefused => Some(Mode::Refused),
        _ => None,
    }
}

fn stalled_since(stalled: &Stalled) -> Option<Timestamp> {
    [stalled.vcpus_since, stalled.memory_since].into_iter().flatten().min()
}

/// Since when the rest of the present target is given up.
fn partial(resize: &ResizeStatus) -> Option<Timestamp> {
    let partial = resize.partial.as_ref()?;
    (partial.generation == resize.generation && partial.retried_at.is_none()).then_some(partial.first_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn deferred(since: i64) -> Place {
        Place {
            phase: Phase::PodResizeInProgress,
            reason: Reason::Deferred,
            held: [(Mode::Deferred, at(since))].into(),
        }
    }

    fn settled() -> Place {
        Place { phase: Phase::Running, reason: Reason::Settled, held: BTreeMap::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn vms_are_counted_where_they_stand_and_the_oldest_wish_is_told_by_its_age() {
        let (mut census, metrics) = (Census::default(), Metrics::default());
        let key = |name: &str| ObjectKey::new("team", name);
        census.note(&key("a"), Some(settled()), at(100), &metrics);
        census.note(&key("b"), Some(deferred(40)), at(100), &metrics);
        census.note(&key("c"), Some(deferred(70)), at(100), &metrics);
        let held = || (metrics.held.of(["Deferred"]).get(), metrics.held_oldest.of(["Deferred"]).get().as_secs());
        assert_eq!((metrics.vms.of(["Running"]).get(), metrics.vms.of(["PodResizeInProgress"]).get()), (1, 2));
        assert_eq!(held(), (2, 60));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(held(), (2, 70), "an age grows without anybody looking");
        census.note(&key("b"), Some(settled()), at(110), &metrics);
        assert_eq!(held(), (1, 40));
        census.forget(&key("c"), &metrics);
        assert_eq!(held(), (0, 0));
        assert_eq!(metrics.vms.of(["Running"]).get(), 2);
        assert_eq!(metrics.reasons.of(["Deferred"]).get(), 0);
    }
}
