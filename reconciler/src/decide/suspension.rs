//! What a suspension does to a VM: its target stays what was promised before, and it says so.
//!
//! Pure. Nothing is taken back and nothing new is begun: a resize that is under way follows the rules for sizes to its end, because holding still in the
//! middle would leave a guest, its grant and its Pod apart for as long as somebody wishes. A spec that changes meanwhile is not taken up.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use reef_api::condition::{SUSPENDED, Truth, condition, find, seconds};
use reef_api::{EventName, Phase, Reason, Suspended};

use crate::decide::action::PlannedEvent;
use crate::decide::observed::VmObserved;
use crate::decide::status::{Kind, Standing};
use crate::decide::target::{Hold, Target};

/// Holds a target where a suspension does: at what the VM's present Pod was promised last, else at what it booted with. What is observed is then of
/// that generation too, so that refusals and contests stay about what they were about. A VM without a Pod is started by the spec that there is.
pub fn hold(target: &mut Target, observed: &mut VmObserved, suspended: Suspended) {
    target.hold = Some(Hold { suspended, generation: target.generation });
    let Some(pod) = observed.pod().filter(|pod| pod.alive()) else { return };
    let promised = observed.status.resize.as_ref().filter(|resize| resize.pod_uid == pod.uid);
    let (size, generation, revision) = match (promised, observed.report()) {
        (Some(resize), _) => (resize.target, resize.generation, resize.revision.clone()),
        (None, Some(report)) => {
            (report.requested(), pod.made_for.unwrap_or(target.generation), target.revision.clone())
        }
        (None, None) => return,
    };
    target.vm.size = size;
    target.revision = revision;
    target.generation = generation;
    observed.generation = generation;
}

/// What `Ready` says of a VM that is suspended; none while its Pod is on its way, which is then what matters.
pub fn told(target: &Target, standing: &Standing) -> Option<String> {
    let suspended = &target.hold.as_ref()?.suspended;
    let under_way = matches!(standing.phase, Phase::Pending | Phase::Scheduling | Phase::Scheduled);
    let rest = match standing.kind {
        Kind::Good => String::new(),
        Kind::Moving | Kind::Stuck if under_way => return None,
        Kind::Moving => format!("; what was begun before is finished: {}", standing.message),
        Kind::Stuck => format!("; {}", standing.message),
    };
    Some(format!("{suspended}; nothing that Git states is applied to the VM, and no resize is begun{rest}"))
}

/// The condition of an object that is suspended, since when it is.
pub fn suspended(suspended: &Suspended, generation: i64, before: &[Condition], now: Timestamp) -> Condition {
    let told = condition(SUSPENDED, Truth::True, Reason::Suspended, suspended.to_string(), generation, before, now);
    if find(before, SUSPENDED).is_some_and(|old| old.last_transition_time == told.last_transition_time) {
        return told;
    }
    let begun = suspended.at.map(seconds).filter(|at| *at <= now);
    Condition { last_transition_time: begun.map_or(told.last_transition_time, Time), ..told }
}

/// The events of a suspension's begin and end: `[begun, ended]` are their names. Both are of the second in which it was begun, so that a crash repeats none.
pub fn events(
    [begun, ended]: [EventName; 2],
    before: &[Condition],
    after: &[Condition],
    now: Timestamp,
) -> Option<PlannedEvent> {
    let event = |name, condition: &Condition, message| {
        let generation = condition.last_transition_time.0.as_second();
        Some(PlannedEvent { name, generation, message, at: now })
    };
    match (find(before, SUSPENDED), find(after, SUSPENDED)) {
        (None, Some(new)) => event(begun, new, new.message.clone()),
        (Some(old), None) => event(ended, old, format!("what Git states is applied again; it was {}", old.message)),
        (None, None) | (Some(_), Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    const NAMES: [EventName; 2] = [EventName::VMSuspended, EventName::VMResumed];

    fn of(at: Option<Timestamp>) -> Suspended {
        Suspended { by: Some("ops".to_owned()), at, ..Suspended::default() }
    }

    #[test]
    fn a_suspension_is_told_once_when_it_begins_and_once_when_it_ends_under_names_that_no_crash_repeats() {
        let first = vec![suspended(&of(Some(at(0))), 1, &[], at(5))];
        let begun = events(NAMES, &[], &first, at(5)).unwrap();
        assert_eq!((begun.name, begun.generation), (EventName::VMSuspended, at(0).as_second()));
        assert_eq!(events(NAMES, &[], &first, at(9)).unwrap().generation, begun.generation);
        let later = vec![suspended(&of(Some(at(7))), 2, &first, at(9))];
        assert_eq!(events(NAMES, &first, &later, at(9)), None);
        let ended = events(NAMES, &later, &[], at(20)).unwrap();
        assert_eq!((ended.name, ended.generation), (EventName::VMResumed, at(0).as_second()));
        assert_eq!(ended.message, "what Git states is applied again; it was suspended by ops until it is resumed");
    }

    #[test]
    fn a_begin_that_is_not_known_or_still_to_come_is_when_it_was_seen_first() {
        for begun in [None, Some(at(600))] {
            let told = suspended(&of(begun), 1, &[], at(5));
            assert_eq!(told.last_transition_time, Time(at(5)));
            assert_eq!(suspended(&of(begun), 1, std::slice::from_ref(&told), at(50)), told);
        }
    }
}
