//! Chance, for spreading work over time: the one place that draws it. Never decides anything.

use std::time::Duration;

use rand::RngExt;

/// Chance of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemJitter;

impl SystemJitter {
    fn below(most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(rand::rng().random_range(0..=nanos))
    }
}

impl reef_reconciler::seams::Jitter for SystemJitter {
    fn up_to(&self, most: Duration) -> Duration {
        Self::below(most)
    }
}

impl reef_daemon::seams::Jitter for SystemJitter {
    /// Up to a tenth more.
    fn spread(&self, delay: Duration) -> Duration {
        delay.saturating_add(Self::below(delay / 10))
    }
}
