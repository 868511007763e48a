//! The machine's wall clock: the one place that reads it.

use jiff::Timestamp;
use reef_api::Clock;

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the wall clock enters here, and is handed in everywhere else")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
