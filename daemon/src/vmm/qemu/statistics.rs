//! What the guest says of its own memory, by the balloon, and whether it still says it.
//!
//! A guest without the driver, or one that hangs, says nothing new; its last word must not open the gate for a shrink.

use super::super::VmmError;
use super::read;
use crate::decide::GuestMemory;
use reef_api::Bytes;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// Name of the command, for errors.
pub(super) const COMMAND: &str = "qom-get";
/// What QEMU tells for a number that the guest has never told.
const NEVER_TOLD: u64 = u64::MAX;
/// Numbers that have not changed for longer are of a guest that no longer tells any. Longer than the slowest look at a
/// VM, which is where a change is seen.
const STALE_AFTER: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawStatistics {
    last_update: u64,
    stats: RawNumbers,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawNumbers {
    stat_total_memory: Option<u64>,
    stat_available_memory: Option<u64>,
}

/// The guest's numbers, and when they were last seen to be new.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    last_update: Option<u64>,
    renewed: Option<Instant>,
}

impl Statistics {
    /// Reads what the balloon tells; `None` for numbers that are missing, or not known to be of now. The time that QEMU
    /// tells is of the host's wall clock, so only its change is looked at.
    pub(super) fn read(&mut self, returned: Value, now: Instant) -> Result<Option<GuestMemory>, VmmError> {
        let raw: RawStatistics = read(COMMAND, returned)?;
        let before = self.last_update.replace(raw.last_update);
        if before.is_some_and(|before| before != raw.last_update) {
            self.renewed = Some(now);
        }
        let fresh = self.renewed.is_some_and(|renewed| now.duration_since(renewed) <= STALE_AFTER);
        Ok(memory(&raw).filter(|_| fresh))
    }
}

fn memory(raw: &RawStatistics) -> Option<GuestMemory> {
    let told = |number: Option<u64>| number.filter(|number| *number != NEVER_TOLD).map(Bytes);
    let (total, available) = (told(raw.stats.stat_total_memory)?, told(raw.stats.stat_available_memory)?);
    Some(GuestMemory { total, available, said: raw.last_update })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(last_update: u64, available: u64) -> Value {
        let stats = json!({ "stat-total-memory": 427_741_184_u64, "stat-available-memory": available,
                            "stat-disk-caches": 2_887_680, "stat-htlb-pgalloc": 0, "stat-free-memory": 1 });
        json!({ "stats": stats, "last-update": last_update })
    }

    fn told(said: u64) -> Option<GuestMemory> {
        Some(GuestMemory { total: Bytes(427_741_184), available: Bytes(7), said })
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_count_once_they_were_seen_to_change_and_until_they_stop() {
        let (mut statistics, began) = (Statistics::default(), Instant::now());
        let mut read = |seconds, answer| statistics.read(answer, began + Duration::from_secs(seconds)).unwrap();
        assert_eq!(read(0, answer(1000, 7)), None);
        assert_eq!(read(1, answer(1000, 7)), None);
        assert_eq!(read(2, answer(1002, 7)), told(1002));
        assert_eq!(read(17, answer(1002, 7)), told(1002));
        assert_eq!(read(18, answer(1002, 7)), None);
        assert_eq!(read(19, answer(1019, 7)), told(1019));
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_that_the_guest_never_told_are_none() {
        let (mut statistics, now) = (Statistics::default(), Instant::now());
        statistics.read(answer(1, u64::MAX), now).unwrap();
        assert_eq!(statistics.read(answer(2, u64::MAX), now).unwrap(), None);
        assert_eq!(statistics.read(json!({ "stats": {}, "last-update": 3 }), now).unwrap(), None);
        assert!(matches!(statistics.read(json!({}), now), Err(VmmError::Unreadable { .. })));
    }
}
