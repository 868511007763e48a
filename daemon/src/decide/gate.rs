//! The gate that memory must pass before it is asked back from a guest.
//!
//! A shrink below what the guest uses is no safe no-op: the guest's own OOM killer ends the process that holds the memory.

use super::step::Wait;
use reef_api::Bytes;

/// The least that must stay free in the guest after a shrink: what a small Linux guest needs to move pages aside.
pub const LEAST_MARGIN: Bytes = Bytes(64 << 20);
/// The part of the new size that must stay free, as a divisor: a twentieth, 5 %.
const MARGIN_PART: u64 = 20;

/// What must be free below `target` for a shrink to it.
pub fn margin(target: Bytes) -> Bytes {
    Bytes(target.0 / MARGIN_PART).max(LEAST_MARGIN)
}

/// Says why memory may not be asked back now; `None` when it may.
///
/// `used` is never less than what the guest needs: see [`super::used`]. Where the guest has no more than the target,
/// nothing is taken from it: only a wish is withdrawn, and the gate stands open.
pub fn shrink(target: Bytes, actual: Bytes, used: Option<Bytes>) -> Option<Wait> {
    if actual <= target {
        return None;
    }
    let Some(used) = used else { return Some(Wait::UseUnknown) };
    let margin = margin(target);
    let fits = used.checked_add(margin).is_some_and(|needed| needed <= target);
    (!fits).then_some(Wait::GuestPressure { granted: target, margin })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: Bytes = Bytes(1 << 30);
    const MIB: u64 = 1 << 20;

    #[test]
    fn the_margin_is_a_twentieth_and_at_least_64_mib() {
        assert_eq!(margin(Bytes(512 * MIB)), LEAST_MARGIN);
        assert_eq!(margin(Bytes(20 << 30)), GIB);
    }

    #[test]
    fn a_guest_passes_the_gate_exactly_when_use_and_margin_fit() {
        let most = Bytes(1024 * MIB - 64 * MIB);
        assert_eq!(shrink(GIB, Bytes(2 << 30), Some(most)), None);
        let over = Some(Bytes(most.0 + 1));
        let pressed = Wait::GuestPressure { granted: GIB, margin: LEAST_MARGIN };
        assert_eq!(shrink(GIB, Bytes(2 << 30), over), Some(pressed));
    }

    #[test]
    fn nothing_is_taken_from_a_guest_whose_use_is_unknown() {
        assert_eq!(shrink(GIB, Bytes(2 << 30), None), Some(Wait::UseUnknown));
    }

    #[test]
    fn a_wish_that_was_never_plugged_is_withdrawn_however_full_the_guest_is() {
        assert_eq!(shrink(GIB, GIB, Some(GIB)), None);
    }

    #[test]
    fn a_use_beyond_all_numbers_is_pressure_and_not_an_overflow() {
        assert!(shrink(GIB, Bytes(2 << 30), Some(Bytes(u64::MAX))).is_some());
    }
}
