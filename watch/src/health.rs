//! Whether a role is ready and alive, for whoever serves the endpoints and the metrics.
//!
//! Counts by tokio's time; judges nothing.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use crate::metrics::{Age, Catalogue};

/// A handle on the health of a running role; clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    ready: Gauge,
    idle: Age,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// A role that has not begun: from now on its loop has to go round.
    pub fn new() -> Self {
        let idle = Age::default();
        idle.set(Some(Duration::ZERO));
        Self { ready: Gauge::default(), idle }
    }

    /// Whether everything that is watched has been listed, so that decisions are made.
    pub fn is_ready(&self) -> bool {
        self.ready.get() == 1
    }

    /// How long ago the loop went round. It does every few seconds, also when nothing happens.
    pub fn idle_for(&self) -> Duration {
        self.idle.get()
    }

    /// The loop goes round; whether decisions are made.
    pub fn turned(&self, ready: bool) {
        self.ready.set(i64::from(ready));
        self.idle.set(Some(Duration::ZERO));
    }

    /// Registers both as metrics.
    pub fn add(&self, catalogue: &mut Catalogue<'_>) {
        catalogue.add(
            "reef_ready",
            "1 when everything that is watched has been listed, so that decisions are made, else 0",
            &self.ready,
        );
        catalogue.add(
            "reef_loop_idle_seconds",
            "Time since the loop went round last; more than a minute is a loop that is stuck",
            &self.idle,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stops_turning_becomes_idle_and_so_does_one_that_never_turns() {
        let health = Health::new();
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!((health.is_ready(), health.idle_for()), (false, Duration::from_secs(7)));
        health.turned(true);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((health.is_ready(), health.idle_for()), (true, Duration::from_secs(2)));
        health.turned(false);
        assert_eq!((health.is_ready(), health.idle_for()), (false, Duration::ZERO));
    }
}
