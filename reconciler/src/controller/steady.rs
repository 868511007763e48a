//! The time by which the controller decides: the wall clock's, without its jumps.
//!
//! What a status counts from has to outlive a restart, so it is told in the wall clock's time. That may be set while the controller runs: an hour
//! forward, and every lease would end at once and every wait be too long. So within a process the time that has passed is measured by the monotonic
//! clock, and a wall clock that says something else is approached by a twelfth of it, as much as chrony slews a clock: no wait is shortened or
//! prolonged by more than that. What is left of a jump across a restart cannot be told from time that has passed.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reef_api::Clock;
use tokio::time::Instant;

/// The part of the time that has passed by which the wall clock is approached.
const SLEW: i32 = 12;
/// A clock that is off by more was never set before, and is believed at once: it would take weeks.
const SET_ANEW: SignedDuration = SignedDuration::from_hours(48);

/// A wall clock that does not jump.
pub(super) struct SteadyClock {
    wall: Arc<dyn Clock>,
    last: Mutex<Option<Reading>>,
}

/// What was told last, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    time: Timestamp,
    at: Instant,
}

impl Reading {
    /// The next one, where the wall clock says `wall`.
    fn next(self, wall: Timestamp, at: Instant) -> Self {
        let passed = at.saturating_duration_since(self.at);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        let steady = self.time.checked_add(passed).unwrap_or(Timestamp::MAX);
        let off = wall.duration_since(steady);
        let most = passed / SLEW;
        let time = if off.abs() > SET_ANEW {
            wall
        } else {
            steady.checked_add(off.clamp(-most, most)).unwrap_or(Timestamp::MAX)
        };
        Self { time, at }
    }
}

impl SteadyClock {
    /// Begins with what the wall clock says when it is asked first.
    pub(super) fn new(wall: Arc<dyn Clock>) -> Self {
        Self { wall, last: Mutex::new(None) }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let (wall, at) = (self.wall.now(), Instant::now());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = last.map_or(Reading { time: wall, at }, |last| last.next(wall, at));
        *last = Some(reading);
        reading.time
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use super::*;

    /// Goes right until it is set, by seconds.
    struct Wall(Instant, AtomicI64);

    impl Clock for Wall {
        fn now(&self) -> Timestamp {
            let seconds = 1_800_000_000 + self.1.load(Ordering::Relaxed);
            Timestamp::from_second(seconds).unwrap() + SignedDuration::try_from(self.0.elapsed()).unwrap()
        }
    }

    /// What a steady clock says after each of these seconds, the wall clock being off by `off` from the second look on.
    async fn told(off: i64, seconds: &[u64]) -> Vec<i64> {
        let wall = Arc::new(Wall(Instant::now(), AtomicI64::new(0)));
        let clock = SteadyClock::new(wall.clone());
        let mut told = vec![clock.now().as_second() - 1_800_000_000];
        wall.1.store(off, Ordering::Relaxed);
        for second in seconds {
            tokio::time::sleep_until(wall.0 + Duration::from_secs(*second)).await;
            told.push(clock.now().as_second() - 1_800_000_000);
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_goes_right_is_told_as_it_is() {
        assert_eq!(told(0, &[0, 1, 600, 90_000]).await, [0, 0, 1, 600, 90_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_of_an_hour_either_way_makes_a_wait_a_twelfth_longer_or_shorter() {
        assert_eq!(told(3600, &[0, 600, 1200]).await, [0, 0, 650, 1300]);
        assert_eq!(told(-3600, &[0, 600, 1200]).await, [0, 0, 550, 1100]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_was_set_is_reached_in_the_end_and_followed() {
        assert_eq!(told(60, &[600, 900, 1000]).await, [0, 650, 960, 1060]);
        assert_eq!(told(-60, &[600, 900, 1000]).await, [0, 550, 840, 940]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_never_set_before_is_believed_at_once() {
        let year = 365 * 24 * 3600;
        assert_eq!(told(year, &[1]).await, [0, year + 1]);
    }
}
