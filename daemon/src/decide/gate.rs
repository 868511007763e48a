//! The gate that memory must pass before it is asked back from a guest.
//!
//! A shrink below what the guest uses is no safe no-op: the guest's own OOM killer ends the process that holds the memory.

use super::step::Wait;
use reef_api::Bytes;
use reef_api::vm::Used;

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
/// `used` is never less than what the guest needs: see [`super::used`]. Where the guest has no more than that size,
/// nothing is taken from it: only a wish is withdrawn, and the gate stands open.
pub fn shrink(size: Bytes, granted: Bytes, actual: Bytes, used: Option<Used>) -> Option<Wait> {
    if actual <= size {
        return None;
    }
    let Some(used) = used else { return Some(Wait::UseUnknown) };
    let margin = margin(size);
    let fits = used.bytes.checked_add(margin).is_some_and(|needed| needed <= size);
    (!fits).then_some(Wait::GuestPressure { granted, step: size, margin, known_by: used.source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reef_api::vm::UsedSource;

    const GIB: Bytes = Bytes(1 << 30);
    const MIB: u64 = 1 << 20;

    fn to_one_gib(actual: Bytes, used: Option<u64>) -> Option<Wait> {
        let used = used.map(|bytes| Used { bytes: Bytes(bytes), source: UsedSource::Cgroup });
        shrink(GIB, Bytes(GIB.0 / 2), actual, used)
    }

    #[test]
    fn the_margin_is_a_twentieth_and_at_least_64_mib() {
        assert_eq!(margin(Bytes(512 * MIB)), LEAST_MARGIN);
        assert_eq!(margin(Bytes(20 << 30)), GIB);
    }

    #[test]
    fn a_guest_passes_the_gate_exactly_when_use_and_margin_fit() {
        let most = 1024 * MIB - 64 * MIB;
        assert_eq!(to_one_gib(Bytes(2 << 30), Some(most)), None);
        let pressed = Wait::GuestPressure {
            granted: Bytes(GIB.0 / 2),
            step: GIB,
            margin: LEAST_MARGIN,
            known_by: UsedSource::Cgroup,
        };
        assert_eq!(to_one_gib(Bytes(2 << 30), Some(most + 1)), Some(pressed));
    }

    #[test]
    fn nothing_is_taken_from_a_guest_whose_use_is_unknown() {
        assert_eq!(to_one_gib(Bytes(2 << 30), None), Some(Wait::UseUnknown));
    }

    #[test]
    fn a_wish_that_was_never_plugged_is_withdrawn_however_full_the_guest_is() {
        assert_eq!(to_one_gib(GIB, Some(GIB.0)), None);
    }

    #[test]
    fn a_use_beyond_all_numbers_is_pressure_and_not_an_overflow() {
        assert!(to_one_gib(Bytes(2 << 30), Some(u64::MAX)).is_some());
    }
}
