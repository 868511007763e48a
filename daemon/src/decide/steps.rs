//! By which steps memory is asked back.
//!
//! A guest that is asked for little at a time shows whether it can follow before it is asked for more, and what it uses is measured anew
//! before each step. Pure.

use reef_api::Bytes;
use reef_api::units::{GIB, MEMORY_BLOCK, VIRTIO_MEM_GRANULE};

/// The part of the plugged memory that one step takes at most, as a divisor: a tenth.
const STEP_PART: u64 = 10;
/// The most that one step takes.
pub const LARGEST_STEP: Bytes = GIB;

/// The size to ask for on the way from what was requested and is plugged to what is granted.
///
/// Growth is one request. So is what takes nothing from the guest: less of a shrink, or the end of a growth that was never plugged.
/// `least` is the size at boot, from which all sizes are counted in granules.
pub fn towards(granted: Bytes, requested: Bytes, plugged: Bytes, least: Bytes) -> Bytes {
    let base = requested.min(plugged);
    if granted >= base {
        return granted;
    }
    let withdrawn = aligned(plugged, least);
    if withdrawn < requested {
        return withdrawn;
    }
    aligned(base.saturating_sub(step(base)), least).max(granted)
}

/// How much one step takes from so much memory: whole blocks, because a guest gives back what it can take offline, and that is blocks.
fn step(plugged: Bytes) -> Bytes {
    let part = Bytes(plugged.0 / STEP_PART);
    let blocks = Bytes(part.0 - part.0 % MEMORY_BLOCK.0);
    blocks.clamp(MEMORY_BLOCK, LARGEST_STEP)
}

/// The size at or above `size` that a VMM takes.
fn aligned(size: Bytes, least: Bytes) -> Bytes {
    let added = size.saturating_sub(least);
    let whole = added.checked_next_multiple_of(VIRTIO_MEM_GRANULE).unwrap_or(added);
    least.checked_add(whole).unwrap_or(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn mib(size: u64) -> Bytes {
        Bytes(size * MIB)
    }

    /// The sizes that are asked for until the grant is reached by a guest that follows.
    fn way(from: u64, to: u64) -> Vec<u64> {
        let mut sizes = vec![from];
        while sizes.last() != Some(&to) {
            let at = mib(*sizes.last().unwrap());
            sizes.push(towards(mib(to), at, at, mib(256)).0 / MIB);
        }
        sizes
    }

    #[test]
    fn a_small_guest_gives_a_block_at_a_time_and_a_large_one_at_most_a_tenth_and_a_gibibyte() {
        assert_eq!(way(2048, 1536), [2048, 1920, 1792, 1664, 1536]);
        assert_eq!(way(4096, 3584), [4096, 3712, 3584]);
        assert_eq!(way(65536, 63000 - 512), [65536, 64512, 63488, 62488]);
    }

    #[test]
    fn growth_and_whatever_takes_nothing_from_the_guest_is_one_request() {
        assert_eq!(towards(mib(8192), mib(1024), mib(1024), mib(256)), mib(8192));
        assert_eq!(towards(mib(3072), mib(1024), mib(4096), mib(256)), mib(3072), "a softened shrink");
        assert_eq!(towards(mib(2048), mib(8192), mib(2048), mib(256)), mib(2048), "a growth that was never plugged");
    }

    #[test]
    fn a_growth_under_way_is_ended_before_memory_is_asked_back() {
        assert_eq!(towards(mib(1024), mib(8192), mib(2048), mib(256)), mib(2048));
        assert_eq!(towards(mib(1024), mib(2048), mib(2048), mib(256)), mib(1920));
    }

    proptest! {
        #[test]
        fn a_step_takes_at_least_something_and_never_more_than_it_may(
            granted in 128..80_000_u64, plugged in 128..80_000_u64, least in 128..1024_u64,
        ) {
            let least = mib(least - least % 2);
            let granted = aligned(mib(granted), least);
            let plugged = aligned(mib(plugged), least);
            let next = towards(granted, plugged, plugged, least);
            prop_assert!(next >= granted.min(plugged));
            prop_assert_eq!(next.saturating_sub(least).0 % VIRTIO_MEM_GRANULE.0, 0);
            if granted < plugged {
                prop_assert!(next < plugged);
                let taken = plugged.saturating_sub(next);
                let most = Bytes(plugged.0 / STEP_PART).clamp(MEMORY_BLOCK, LARGEST_STEP);
                prop_assert!(taken <= most, "{} of {}", taken, plugged);
            }
        }
    }
}
