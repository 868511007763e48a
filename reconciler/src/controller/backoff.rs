//! How long a key that failed rests, and how much one VM may be written to in a while.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::seams::Jitter;

const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(300);

/// Writes that one VM may get at once: several pushes that follow one another, of some ten to twenty writes each.
const BURST: u32 = 100;
/// After a burst, one write for each of these.
const REFILL: Duration = Duration::from_secs(3);

/// Failures in a row by key.
#[derive(Debug)]
pub struct Backoffs<K> {
    failures: BTreeMap<K, u32>,
}

impl<K> Default for Backoffs<K> {
    fn default() -> Self {
        Self { failures: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Backoffs<K> {
    /// Counts a failure and says how long to rest: doubling, and up to a fifth of it by chance.
    pub fn failed(&mut self, key: &K, jitter: &dyn Jitter) -> Duration {
        let count = self.failures.entry(key.clone()).or_insert(0);
        let doubled = 2_u32.saturating_pow((*count).min(20));
        *count = count.saturating_add(1);
        let base = FIRST.saturating_mul(doubled).min(MOST);
        base.saturating_add(jitter.up_to(base / 5))
    }

    /// Counts a failure that needs no rest yet: tells whether it is the first in a row.
    pub fn first(&mut self, key: &K) -> bool {
        let fresh = !self.failures.contains_key(key);
        if fresh {
            self.failures.insert(key.clone(), 1);
        }
        fresh
    }

    /// A success ends the row.
    pub fn succeeded(&mut self, key: &K) {
        self.failures.remove(key);
    }
}

/// How many writes a VM has had lately: two writers that undo each other's work must not keep the API server busy.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    spent: u32,
    since: Instant,
    told: bool,
}

impl Budget {
    /// A budget of which nothing is spent.
    pub fn new(now: Instant) -> Self {
        Self { spent: 0, since: now, told: false }
    }

    /// Spends one write, or says when the next may be made.
    ///
    /// # Errors
    /// The time until which to wait.
    pub fn spend(&mut self, now: Instant) -> Result<(), Instant> {
        let passed = now.saturating_duration_since(self.since).as_millis() / REFILL.as_millis();
        let refilled = u32::try_from(passed).unwrap_or(u32::MAX);
        self.spent = self.spent.saturating_sub(refilled);
        self.since = if self.spent == 0 { now } else { self.since + REFILL.saturating_mul(refilled) };
        if self.spent >= BURST {
            return Err(self.since + REFILL);
        }
        self.spent += 1;
        self.told = self.told && self.spent > BURST / 2;
        Ok(())
    }

    /// Whether people are to be told that nothing is left: once for each time of trouble.
    pub fn tell(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct All;

    impl Jitter for All {
        fn up_to(&self, most: Duration) -> Duration {
            most
        }
    }

    #[test]
    fn rests_double_up_to_five_minutes_and_begin_anew_after_a_success() {
        let mut backoffs = Backoffs::default();
        let millis: Vec<u128> = (0..12).map(|_| backoffs.failed(&"a", &All).as_millis()).collect();
        let expected = [300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 76800, 153_600, 307_200, 360_000];
        assert_eq!(millis, expected);
        assert_eq!(backoffs.failed(&"b", &All).as_millis(), 300);
        backoffs.succeeded(&"a");
        assert_eq!(backoffs.failed(&"a", &All).as_millis(), 300);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_writes_come_slowly() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        assert!((0..BURST).all(|_| budget.spend(start).is_ok()));
        assert_eq!(budget.spend(start), Err(start + REFILL));
        assert!(budget.tell() && !budget.tell());
        assert_eq!(budget.spend(start + REFILL), Ok(()));
        assert_eq!(budget.spend(start + REFILL), Err(start + REFILL * 2));
        assert!(!budget.tell());
        let rested = start + REFILL * (BURST + 60);
        assert!((0..BURST).all(|_| budget.spend(rested).is_ok()));
        assert!(budget.tell());
    }
}
