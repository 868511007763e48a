//! How a resource moves on its way to what was granted: since when it rests, and since when it has stood still.
//!
//! Kept in memory only. Losing it costs one pause: what is seen for the first time counts as having moved just now.

use super::pace::Moment;
use std::time::Duration;

/// How long a guest rests after it has given memory back, before it is asked for more. Linux reports its free pages two seconds after
/// they became free: what the container uses is told too large until then, and the gate would close for no reason.
pub const SETTLE: Duration = Duration::from_secs(2);

/// The movement of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track<T> {
    actual: Option<T>,
    moved: Option<Moment>,
}

impl<T> Default for Track<T> {
    fn default() -> Self {
        Self { actual: None, moved: None }
    }
}

impl<T: Copy + PartialEq> Track<T> {
    /// Takes in what a look has shown.
    pub fn seen(&mut self, actual: T, now: Moment) {
        if self.actual.replace(actual) != Some(actual) {
            self.moved = Some(now);
        }
    }

    /// Whether it has rested for so long that the next step may be asked for.
    pub fn is_settled(&self, now: Moment) -> bool {
        self.moved.is_none_or(|moved| now >= moved.after(SETTLE))
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
        track.seen(1, at(10));
        assert!(!track.is_settled(at(11)), "what is seen first may have moved just before");
        track.seen(1, at(12));
        assert!(track.is_settled(at(12)));
        track.seen(2, at(13));
        assert!(!track.is_settled(at(14)));
        assert!(track.is_settled(at(15)));
    }
}
