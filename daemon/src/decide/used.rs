//! How much memory a guest uses, by the better of what is known.
//!
//! Both numbers are at least what the guest needs, so the smaller one is the truer. Pure.

use super::observed::{GuestMemory, VmmObserved};
use reef_api::Bytes;
use reef_api::vm::{Used, UsedSource};

/// What the guest uses, and how that is known; `None` where nothing is.
///
/// The container's use holds page cache and the VMM's own need on top. The guest's own word leaves the page cache out.
pub(super) fn used(observed: &VmmObserved) -> Option<Used> {
    let container = observed.used.map(|bytes| Used { bytes, source: UsedSource::Cgroup });
    let guest = observed
        .guest
        .map(|guest| Used { bytes: by_guest(guest, observed.actual.memory), source: UsedSource::GuestStatistics });
    container.into_iter().chain(guest).min_by_key(|used| used.bytes)
}

/// What programs can no longer get, and what the kernel took before it began to count: image, page tables, memory left offline.
fn by_guest(guest: GuestMemory, plugged: Bytes) -> Bytes {
    let uncounted = plugged.saturating_sub(guest.total);
    let taken = guest.total.saturating_sub(guest.available);
    taken.checked_add(uncounted).unwrap_or(Bytes(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::tests::observed;
    use super::*;

    const MIB: u64 = 1 << 20;

    fn told(container: Option<u64>, guest: Option<(u64, u64)>) -> Option<(u64, UsedSource)> {
        let mut vm = observed(None);
        vm.actual.memory = Bytes(2048 * MIB);
        vm.used = container.map(|mib| Bytes(mib * MIB));
        let memory = |(total, available)| GuestMemory { total: Bytes(total * MIB), available: Bytes(available * MIB) };
        vm.guest = guest.map(memory);
        used(&vm).map(|used| (used.bytes.0 / MIB, used.source))
    }

    #[test]
    fn the_guests_own_word_counts_where_it_is_less_than_what_the_container_uses() {
        assert_eq!(told(Some(900), Some((1944, 1844))), Some((204, UsedSource::GuestStatistics)));
        assert_eq!(told(Some(200), Some((1944, 1844))), Some((200, UsedSource::Cgroup)));
    }

    #[test]
    fn one_number_is_enough_and_none_is_unknown() {
        assert_eq!(told(Some(900), None), Some((900, UsedSource::Cgroup)));
        assert_eq!(told(None, Some((1944, 1844))), Some((204, UsedSource::GuestStatistics)));
        assert_eq!(told(None, None), None);
    }

    #[test]
    fn memory_that_the_guest_has_not_taken_into_its_count_is_used() {
        assert_eq!(told(None, Some((512, 500))), Some((1548, UsedSource::GuestStatistics)));
    }

    #[test]
    fn numbers_that_contradict_each_other_are_no_overflow() {
        assert_eq!(told(None, Some((4096, 8192))), Some((0, UsedSource::GuestStatistics)));
    }
}
