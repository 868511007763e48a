//! The controller's wall clock, which can be set wrong.

use jiff::{SignedDuration, Timestamp};
use reef_api::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that is off by some seconds.
pub(super) struct WrongClock {
    right: Arc<dyn Clock>,
    off: AtomicI64,
}

impl WrongClock {
    pub(super) const fn new(right: Arc<dyn Clock>) -> Self {
        Self { right, off: AtomicI64::new(0) }
    }

    /// Sets it wrong by so many seconds; by none it is right.
    pub(super) fn set(&self, seconds: i64) {
        self.off.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        let off = SignedDuration::from_secs(self.off.load(Ordering::Relaxed));
        self.right.now().checked_add(off).unwrap_or(Timestamp::MAX)
    }
}
