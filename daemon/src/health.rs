//! Whether the daemon is ready and alive, for whoever serves the endpoints.
//!
//! Counts only; nothing is judged by the wall clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// A handle on the health of a running daemon; clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    synced: AtomicBool,
    turned_millis: AtomicU64,
    vms: AtomicU64,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// A daemon that has not begun. Needs a tokio runtime's time.
    pub fn new() -> Self {
        let shared = Shared {
            began: Instant::now(),
            synced: AtomicBool::new(false),
            turned_millis: AtomicU64::new(0),
            vms: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Whether both watches have seen everything once: VMs of this node are known.
    pub fn is_ready(&self) -> bool {
        self.shared.synced.load(Ordering::Relaxed)
    }

    /// How long ago the daemon's loop went round. It does every few seconds, also when nothing happens.
    pub fn idle_for(&self) -> Duration {
        let turned = Duration::from_millis(self.shared.turned_millis.load(Ordering::Relaxed));
        self.shared.began.elapsed().saturating_sub(turned)
    }

    /// VMs that have a task of their own.
    pub fn vms(&self) -> u64 {
        self.shared.vms.load(Ordering::Relaxed)
    }

    pub(crate) fn turned(&self, synced: bool, vms: usize) {
        let now = u64::try_from(self.shared.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.turned_millis.store(now, Ordering::Relaxed);
        self.shared.vms.store(u64::try_from(vms).unwrap_or(u64::MAX), Ordering::Relaxed);
        if synced {
            self.shared.synced.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stops_turning_becomes_idle() {
        let health = Health::new();
        tokio::time::advance(Duration::from_secs(7)).await;
        health.turned(true, 3);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((health.is_ready(), health.vms(), health.idle_for()), (true, 3, Duration::from_secs(2)));
    }
}
