//! By how much the memory that a guest uses has risen of late.
//!
//! A use that fits by now says little of a guest that takes more and more: it goes on while the VMM is asked, and what was free a moment
//! ago is gone when the guest is to give it. Kept in memory only. Losing it costs one pause.

use super::pace::Moment;
use reef_api::Bytes;
use std::time::Duration;

/// How long the use is watched before anything is taken; a rise counts for as long again, at most.
pub const WATCHED: Duration = Duration::from_secs(2);
/// Without a look for so long, what was seen before says nothing of the present. Longer than a VMM takes that answers slowly and is looked
/// at patiently.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// The lowest use of a span of looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    since: Moment,
    lowest: Bytes,
}

/// The use as it was seen within the last seconds: the span before, and the one that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rise {
    before: Option<Span>,
    current: Option<Span>,
    last: Moment,
}

impl Rise {
    /// Takes in a look, and tells by how much the use has risen within the last two to four seconds; `None` where it was not watched
    /// for so long.
    pub fn seen(&mut self, used: Option<Bytes>, now: Moment) -> Option<Bytes> {
        if now >= self.last.after(FORGOTTEN) {
            *self = Self::default();
        }
        self.last = now;
        let Some(used) = used else {
            (self.before, self.current) = (None, None);
            return None;
        };
        self.take(used, now);
        self.before.map(|before| used.saturating_sub(before.lowest.min(self.current.map_or(used, |span| span.lowest))))
    }

    fn take(&mut self, used: Bytes, now: Moment) {
        let current = self.current.get_or_insert(Span { since: now, lowest: used });
        if now >= current.since.after(WATCHED) {
            self.before = Some(*current);
            *current = Span { since: now, lowest: used };
        }
        current.lowest = current.lowest.min(used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rises(looks: &[(u64, Option<u64>)]) -> Vec<Option<u64>> {
        let mut rise = Rise::default();
        let look = |&(millis, used): &(u64, Option<u64>)| {
            let seen = rise.seen(used.map(Bytes), Moment(Duration::from_millis(millis)));
            seen.map(|seen| seen.0)
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn nothing_is_known_before_it_was_watched_for_two_seconds() {
        let looks = [(10_000, Some(5)), (11_999, Some(9)), (12_000, Some(9))];
        assert_eq!(rises(&looks), [None, None, Some(4)]);
    }

    #[test]
    fn a_rise_counts_for_two_to_four_seconds() {
        let looks = [(0, Some(5)), (2000, Some(5)), (2100, Some(8)), (3999, Some(8)), (4000, Some(8)), (6000, Some(8))];
        assert_eq!(rises(&looks), [None, Some(0), Some(3), Some(3), Some(3), Some(0)]);
    }

    #[test]
    fn a_rise_after_a_fall_is_one() {
        let looks = [(0, Some(9)), (2000, Some(9)), (2500, Some(4)), (2600, Some(6))];
        assert_eq!(rises(&looks), [None, Some(0), Some(0), Some(2)]);
    }

    #[test]
    fn a_use_that_was_not_seen_for_long_or_cannot_be_read_begins_anew() {
        let looks =
            [(0, Some(5)), (2000, Some(5)), (32_000, Some(5)), (34_000, Some(5)), (34_100, None), (34_200, Some(5))];
        assert_eq!(rises(&looks), [None, Some(0), None, Some(0), None, None]);
    }

    #[test]
    fn looks_at_a_slow_vmm_are_enough() {
        let looks = [(0, Some(5)), (15_000, Some(7)), (30_000, Some(7))];
        assert_eq!(rises(&looks), [None, Some(2), Some(0)]);
    }
}
