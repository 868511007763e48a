//! How long a watch that failed waits: doubling, without chance, so that a run can be repeated.

use std::time::Duration;

use kube::runtime::utils::Backoff;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(30);

/// A watch that has gone well for so long after a wait begins anew with the shortest one. Each attempt tells that it lists, before the server
/// has answered, and a list may be allowed where a watch is not: neither is a success.
const WELL: Duration = Duration::from_secs(60);

/// Doubles from half a second to half a minute. One controller watches, so nothing is gained by jitter.
#[derive(Clone, Copy, Debug)]
pub struct WatchBackoff {
    next: Duration,
    over: Option<Instant>,
}

impl Default for WatchBackoff {
    fn default() -> Self {
        Self { next: FIRST, over: None }
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = self.next;
        self.next = now.saturating_mul(2).min(MOST);
        self.over = Some(Instant::now() + now);
        Some(now)
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        if self.over.is_none_or(|over| over.elapsed() >= WELL) {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_waits_twice_as_long_each_time_up_to_half_a_minute() {
        let waits: Vec<u128> = WatchBackoff::default().take(8).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_is_no_success_before_it_has_gone_well_for_a_minute() {
        let mut backoff = WatchBackoff::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            let wait = backoff.next().unwrap();
            tokio::time::sleep(wait + Duration::from_secs(5)).await;
            backoff.reset();
            waits.push(wait.as_millis());
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000]);
        tokio::time::sleep(WELL).await;
        backoff.reset();
        assert_eq!(backoff.next(), Some(FIRST));
    }
}
