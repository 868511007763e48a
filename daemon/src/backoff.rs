//! A delay that doubles while something fails.
//!
//! Deterministic but for the jitter that is handed in. Used for watches and for writes; refusals of a VMM have their own pace.

use crate::seams::Jitter;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The delay after the first failure.
const FIRST: Duration = Duration::from_millis(250);
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(30);
/// A watch that has gone well for so long after a delay begins anew with the shortest one. Each attempt tells that it lists, before the server
/// has answered, and a list may be allowed where a watch is not: neither is a success.
const WELL: Duration = Duration::from_secs(60);
/// Doublings that lead from the first delay beyond the longest.
const DOUBLINGS: u32 = 7;

/// Doubles from a quarter of a second to half a minute.
#[derive(Clone)]
pub(crate) struct Doubling {
    failures: u32,
    over: Option<Instant>,
    jitter: Arc<dyn Jitter>,
}

impl Doubling {
    pub(crate) fn new(jitter: Arc<dyn Jitter>) -> Self {
        Self { failures: 0, over: None, jitter }
    }

    /// The delay after one more failure.
    pub(crate) fn failed(&mut self) -> Duration {
        let delay = FIRST.saturating_mul(1 << self.failures.min(DOUBLINGS)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let delay = self.jitter.spread(delay);
        self.over = Some(Instant::now() + delay);
        delay
    }

    /// Begins anew after a success.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

impl Iterator for Doubling {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.failed())
    }
}

impl kube::runtime::utils::Backoff for Doubling {
    fn reset(&mut self) {
        if self.over.is_none_or(|over| over.elapsed() >= WELL) {
            self.succeeded();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seams::NoJitter;

    #[test]
    fn delays_double_and_begin_anew_after_a_success() {
        let mut backoff = Doubling::new(Arc::new(NoJitter));
        let delays: Vec<u128> = backoff.by_ref().take(9).map(|delay| delay.as_millis()).collect();
        assert_eq!(delays, [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        backoff.succeeded();
        assert_eq!(backoff.failed(), FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_of_a_watch_is_no_success_before_it_has_gone_well_for_a_minute() {
        use kube::runtime::utils::Backoff;
        let mut backoff = Doubling::new(Arc::new(NoJitter));
        let mut delays = Vec::new();
        for _ in 0..6 {
            let delay = backoff.failed();
            tokio::time::sleep(delay + Duration::from_secs(5)).await;
            backoff.reset();
            delays.push(delay.as_millis());
        }
        assert_eq!(delays, [250, 500, 1000, 2000, 4000, 8000]);
        tokio::time::sleep(WELL).await;
        backoff.reset();
        assert_eq!(backoff.failed(), FIRST);
    }
}
