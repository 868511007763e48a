//! How a resource moves on its way to what was granted: since when it rests, and since when it stands still.
//!
//! Kept in memory only. Losing it costs one pause: what is seen for the first time counts as having moved just now.

use super::pace::Moment;
use std::time::Duration;

/// How long a guest rests after it has given memory back, before it is asked for more. Linux reports its free pages two seconds after
/// they became free: what the container uses is told too large until then, and the gate would close for no reason.
pub const SETTLE: Duration = Duration::from_secs(2);
/// How long a resource may stand still before it is called stalled. A guest that boots takes some ten seconds, and a shrink that has to
/// wait for memory to become free goes on by itself within fifty.
pub const STALL_AFTER: Duration = Duration::from_secs(180);
/// How long a shrink stands still before it is nudged: what fits is moved aside in two to five seconds.
const FIRST_NUDGE: Duration = Duration::from_secs(20);
/// Doublings of the pause between two nudges, after which it stays: some ten minutes.
const MOST_DOUBLINGS: u32 = 5;

/// The movement of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track<T> {
    granted: Option<T>,
    actual: Option<T>,
    asked: Option<T>,
    moved: Option<Moment>,
    still: Option<Moment>,
    nudges: u32,
    nudged: Option<Moment>,
}

impl<T> Default for Track<T> {
    fn default() -> Self {
        Self { granted: None, actual: None, asked: None, moved: None, still: None, nudges: 0, nudged: None }
    }
}

impl<T: Copy + PartialEq> Track<T> {
    /// Takes in what a look has shown, and what is granted by now.
    pub fn seen(&mut self, granted: Option<T>, actual: T, now: Moment) {
        if self.actual.replace(actual) != Some(actual) {
            self.moved = Some(now);
            self.begin(now);
        }
        if self.granted != granted {
            self.granted = granted;
            self.asked = None;
            self.begin(now);
        }
    }

    /// Takes in that the guest cannot follow at present, because it does not run.
    pub fn held(&mut self, now: Moment) {
        self.begin(now);
    }

    /// Takes in that the VMM was asked for a size, for the first time or again.
    pub fn asked(&mut self, size: T, now: Moment) {
        if self.asked.replace(size) != Some(size) {
            self.begin(now);
        }
    }

    /// Takes in that the guest was nudged.
    pub fn nudged(&mut self, now: Moment) {
        self.nudges = self.nudges.saturating_add(1);
        self.nudged = Some(now);
    }

    fn begin(&mut self, now: Moment) {
        self.still = Some(now);
        (self.nudges, self.nudged) = (0, None);
    }

    /// Whether it has rested for so long that the next step may be asked for.
    pub fn is_settled(&self, now: Moment) -> bool {
        self.moved.is_none_or(|moved| now >= moved.after(SETTLE))
    }

    /// Whether it has stood still for so long that it is called stalled.
    pub fn is_stalled(&self, now: Moment) -> bool {
        self.still.is_some_and(|still| now >= still.after(STALL_AFTER))
    }

    /// Whether it has stood still for longer than a guest takes that gives what is free.
    pub fn is_slow(&self, now: Moment) -> bool {
        self.still.is_some_and(|still| now >= still.after(FIRST_NUDGE))
    }

    /// Whether a guest that stands still is to be nudged: each time after twice the pause.
    pub fn is_nudge_due(&self, now: Moment) -> bool {
        let pause = FIRST_NUDGE.saturating_mul(1 << self.nudges.min(MOST_DOUBLINGS));
        self.nudged.or(self.still).is_some_and(|last| now >= last.after(pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    #[test]
    fn a_guest_that_has_moved_rests_before_the_next_step() {
        let mut track = Track::default();
        assert!(track.is_settled(at(0)), "nothing is known to have moved");
        track.seen(None, 1, at(10));
        assert!(!track.is_settled(at(11)), "what is seen first may have moved just before");
        track.seen(None, 1, at(12));
        assert!(track.is_settled(at(12)));
        track.seen(None, 2, at(13));
        assert!(!track.is_settled(at(14)));
        assert!(track.is_settled(at(15)));
    }

    #[test]
    fn it_is_called_stalled_three_minutes_after_anything_new() {
        let mut track = Track::default();
        track.seen(Some(9), 1, at(0));
        assert!(!track.is_stalled(at(179)));
        assert!(track.is_stalled(at(180)));
        for (moment, act) in [
            (1000, &(|track: &mut Track<i32>| track.seen(Some(9), 2, at(1000))) as &dyn Fn(&mut Track<i32>)),
            (2000, &|track| track.seen(Some(8), 2, at(2000))),
            (3000, &|track| track.asked(8, at(3000))),
            (4000, &|track| track.held(at(4000))),
        ] {
            act(&mut track);
            assert!(!track.is_stalled(at(moment + 179)), "{moment}");
            assert!(track.is_stalled(at(moment + 180)), "{moment}");
        }
        track.asked(8, at(5000));
        track.nudged(at(5000));
        assert!(track.is_stalled(at(5001)), "what was asked before, and a nudge, are nothing new");
    }

    #[test]
    fn nudges_come_ever_more_rarely_until_something_moves() {
        let mut track = Track::default();
        track.seen(Some(9), 1, at(0));
        let mut nudges = Vec::new();
        for second in 0..2000 {
            if track.is_nudge_due(at(second)) {
                nudges.push(second);
                track.nudged(at(second));
            }
        }
        assert_eq!(nudges, [20, 60, 140, 300, 620, 1260, 1900]);
        track.seen(Some(9), 2, at(2000));
        assert!(!track.is_nudge_due(at(2019)));
        assert!(track.is_nudge_due(at(2020)));
    }
}
