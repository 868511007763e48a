//! The gate that memory must pass before it is asked back from a guest.
//!
//! A shrink below what the guest uses is no safe no-op: the guest's own OOM killer ends the process that holds the memory.

use super::observed::VmmObserved;
use super::pace::Moment;
use super::step::Wait;
use super::used::used;
use reef_api::Bytes;
use reef_api::vm::Grant;

/// The least that must stay free in the guest after a shrink: what a small Linux guest needs to move pages aside.
pub const LEAST_MARGIN: Bytes = Bytes(64 << 20);
/// The part of the new size that must stay free, as a divisor: a twentieth, 5 %.
const MARGIN_PART: u64 = 20;

/// What must be free below `target` for a shrink to it.
pub fn margin(target: Bytes) -> Bytes {
    Bytes(target.0 / MARGIN_PART).max(LEAST_MARGIN)
}

/// Says why the guest may not be asked for the step to `size` now; `None` when it may.
///
/// What is used is never less than what the guest needs: see [`super::used`]. Where the guest has no more than that size,
/// nothing is taken from it: only a wish is withdrawn, and the gate stands open.
pub fn shrink(grant: &Grant, size: Bytes, observed: &VmmObserved, now: Moment) -> Option<Wait> {
    if observed.actual.memory <= size {
        return None;
    }
    let Some(used) = used(observed) else { return Some(Wait::UseUnknown) };
    let (granted, margin) = (grant.memory, margin(size));
    let fits = used.bytes.checked_add(margin).is_some_and(|needed| needed <= size);
    if !fits {
        return Some(Wait::GuestPressure { granted, step: size, margin, known_by: used.source });
    }
    let Some(risen) = observed.risen else { return Some(Wait::Guest) };
    (risen > most_risen(margin)).then(|| rising(granted, observed, now))
}

/// The most that a use may have risen of late: as much again while the guest gives, and half the margin is still free.
const fn most_risen(margin: Bytes) -> Bytes {
    Bytes(margin.0 / 2)
}

/// A rise ends by itself as a rule, so it is told only where it goes on.
fn rising(granted: Bytes, observed: &VmmObserved, now: Moment) -> Wait {
    if observed.pace.memory_track.is_slow(now) { Wait::UseRises { granted } } else { Wait::Guest }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{grant, observed};
    use super::*;
    use reef_api::vm::UsedSource;
    use std::time::Duration;

    const GIB: Bytes = Bytes(1 << 30);
    const MIB: u64 = 1 << 20;
    const NOW: Moment = Moment(Duration::from_secs(100));

    fn vm(actual: Bytes, used: Option<u64>) -> VmmObserved {
        let mut vm = observed(None);
        (vm.actual.memory, vm.used) = (actual, used.map(Bytes));
        vm
    }

    /// A step to one gibibyte, on the way to half of it.
    fn to_one_gib(vm: &VmmObserved) -> Option<Wait> {
        shrink(&Grant { memory: Bytes(GIB.0 / 2), ..grant(1, 1, 1) }, GIB, vm, NOW)
    }

    #[test]
    fn the_margin_is_a_twentieth_and_at_least_64_mib() {
        assert_eq!(margin(Bytes(512 * MIB)), LEAST_MARGIN);
        assert_eq!(margin(Bytes(20 << 30)), GIB);
    }

    #[test]
    fn a_guest_passes_the_gate_exactly_when_use_and_margin_fit() {
        let most = 1024 * MIB - 64 * MIB;
        assert_eq!(to_one_gib(&vm(Bytes(2 << 30), Some(most))), None);
        let pressed = Wait::GuestPressure {
            granted: Bytes(GIB.0 / 2),
            step: GIB,
            margin: LEAST_MARGIN,
            known_by: UsedSource::Cgroup,
        };
        assert_eq!(to_one_gib(&vm(Bytes(2 << 30), Some(most + 1))), Some(pressed));
    }

    #[test]
    fn nothing_is_taken_from_a_guest_whose_use_is_unknown() {
        assert_eq!(to_one_gib(&vm(Bytes(2 << 30), None)), Some(Wait::UseUnknown));
    }

    #[test]
    fn nothing_is_taken_while_the_use_rises_or_was_not_watched() {
        let risen = |risen| to_one_gib(&VmmObserved { risen, ..vm(Bytes(2 << 30), Some(MIB)) });
        assert_eq!(risen(Some(Bytes(32 * MIB))), None);
        assert_eq!(risen(Some(Bytes(32 * MIB + 1))), Some(Wait::Guest));
        assert_eq!(risen(None), Some(Wait::Guest));
    }

    #[test]
    fn a_rise_that_goes_on_is_told() {
        let mut rising = VmmObserved { risen: Some(GIB), ..vm(Bytes(2 << 30), Some(MIB)) };
        rising.pace.memory_track.seen(None, GIB, Moment(Duration::from_secs(80)));
        assert_eq!(to_one_gib(&rising), Some(Wait::UseRises { granted: Bytes(GIB.0 / 2) }));
    }

    #[test]
    fn a_wish_that_was_never_plugged_is_withdrawn_however_full_the_guest_is() {
        assert_eq!(to_one_gib(&vm(GIB, Some(GIB.0))), None);
    }

    #[test]
    fn a_use_beyond_all_numbers_is_pressure_and_not_an_overflow() {
        assert!(to_one_gib(&vm(Bytes(2 << 30), Some(u64::MAX))).is_some());
    }
}
