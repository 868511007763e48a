//! How much memory a guest uses, by the better of what is known.
//!
//! Both numbers are at least what the guest needs, so the smaller one is the truer. Pure.

use super::observed::{GuestMemory, VmmObserved};
use reef_api::Bytes;
use reef_api::vm::{Used, UsedSource};

/// What the guest uses, and how that is known; `None` where nothing is.
///
/// The container's use holds page cache and the VMM's own need on top. The guest's own word leaves the page cache out,
/// and is some seconds old: what the container has come to use since then counts as the guest's.
pub fn used(observed: &VmmObserved) -> Option<Used> {
    let container = observed.used.map(|bytes| Used { bytes, source: UsedSource::Cgroup });
    let guest = observed.guest.map(|guest| Used {
        bytes: by_guest(guest, observed.actual.memory, observed.grown),
        source: UsedSource::GuestStatistics,
    });
    container.into_iter().chain(guest).min_by_key(|used| used.bytes)
}

/// What programs can no longer get, and what the kernel took before it began to count: image, page tables, memory left offline.
fn by_guest(guest: GuestMemory, plugged: Bytes, grown: Bytes) -> Bytes {
    let uncounted = plugged.saturating_sub(guest.total);
    let taken = guest.total.saturating_sub(guest.available);
    taken.checked_add(uncounted).and_then(|sum| sum.checked_add(grown)).unwrap_or(Bytes(u64::MAX))
}

/// What the container used when the guest last spoke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    said: Option<u64>,
    then: Option<Bytes>,
    last: Option<Bytes>,
}

impl Baseline {
    /// By how much the use has grown since the guest spoke, seen from this look. The guest spoke at some moment between
    /// two looks, so the smaller of their numbers counts as the use of then.
    pub fn grown(&mut self, said: Option<u64>, now: Option<Bytes>) -> Bytes {
        if self.said != said {
            self.said = said;
            self.then = [self.last, now].into_iter().flatten().min();
        }
        self.last = now.or(self.last);
        let grown = now.zip(self.then).map(|(now, then)| now.saturating_sub(then));
        grown.unwrap_or(Bytes::ZERO)
    }
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
        let memory =
            |(total, available)| GuestMemory { total: Bytes(total * MIB), available: Bytes(available * MIB), said: 1 };
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

    #[test]
    fn what_the_container_came_to_use_since_the_guest_spoke_counts_as_the_guests() {
        let mut vm = observed(None);
        vm.actual.memory = Bytes(1000);
        vm.used = Some(Bytes(900));
        vm.guest = Some(GuestMemory { total: Bytes(1000), available: Bytes(800), said: 1 });
        vm.grown = Bytes(300);
        assert_eq!(used(&vm), Some(Used { bytes: Bytes(500), source: UsedSource::GuestStatistics }));
    }

    #[test]
    fn growth_is_counted_from_the_lower_of_the_looks_around_the_guests_word() {
        let mut baseline = Baseline::default();
        let looks = [
            (Some(1), Some(500), 0),
            (Some(1), Some(700), 200),
            (Some(1), Some(400), 0),
            (Some(2), Some(600), 200),
            (Some(2), None, 0),
            (Some(3), Some(900), 300),
            (Some(4), Some(900), 0),
            (None, Some(950), 50),
        ];
        for (said, now, grown) in looks {
            assert_eq!(baseline.grown(said, now.map(Bytes)), Bytes(grown), "{said:?} {now:?}");
        }
    }
}
