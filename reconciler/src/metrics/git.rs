//! What is counted of repositories: by what came of a fetch and never by an address, so that the number of sources makes no difference.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use reef_watch::metrics::{By, Catalogue, request_seconds};

/// A fetch that brought a new tip.
pub(crate) const CHANGED: &str = "Changed";
/// A fetch that brought nothing.
pub(crate) const UNCHANGED: &str = "Unchanged";

/// How many sources and stated objects there are, by where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Sources whose last fetch went well.
    pub(crate) read: usize,
    /// Sources whose last fetch failed.
    pub(crate) failed: usize,
    /// Sources that were not fetched since the start.
    pub(crate) unread: usize,
    /// Sources that somebody has suspended.
    pub(crate) suspended: usize,
    /// Objects that are not compared or applied yet.
    pub(crate) pending: usize,
    /// Objects that could not be applied, or are withheld.
    pub(crate) unapplied: usize,
    /// Objects that were applied and do not agree yet.
    pub(crate) applying: usize,
}

/// What is counted of sources.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    fetches: By<Counter, 1>,
    took: Histogram,
    sources: By<Gauge, 1>,
    suspended: Gauge,
    drifted: By<Gauge, 1>,
    applies: By<Counter, 1>,
}

impl Default for Git {
    fn default() -> Self {
        Self {
            fetches: By::new(&["result"]).from_zero([[CHANGED], [UNCHANGED]]),
            took: request_seconds(),
            sources: By::new(&["state"]).from_zero([["read"], ["failed"], ["unread"]]),
            suspended: Gauge::default(),
            drifted: By::new(&["state"]).from_zero([["pending"], ["unapplied"], ["applying"]]),
            applies: By::new(&["drift"]).from_zero([["missing"], ["unowned"], ["fields"]]),
        }
    }
}

impl Git {
    pub(super) fn add(&self, catalogue: &mut Catalogue<'_>) {
        catalogue.add(
            "reef_git_fetches",
            "Fetches of repositories by result: Changed, Unchanged, or why there was none",
            &self.fetches,
        );
        catalogue.add(
            "reef_git_fetch_duration_seconds",
            "Time of a fetch of a repository, those that failed included",
            &self.took,
        );
        catalogue.add("reef_sources", "GitSources by how their last fetch ended", &self.sources);
        catalogue.add(
            "reef_sources_suspended",
            "GitSources that are suspended: commits are read and nothing of them is applied",
            &self.suspended,
        );
        catalogue.add("reef_drifted_objects", "Objects that the cluster does not have as Git states them, by where they stand; told anew every 15 seconds at the latest", &self.drifted);
        catalogue.add(
            "reef_applies",
            "Objects that were applied because the cluster differed from Git, by how it differed",
            &self.applies,
        );
    }

    /// A fetch has ended so.
    pub(crate) fn ended(&self, result: &'static str) {
        self.fetches.of([result]).inc();
    }

    /// A fetch has taken so long.
    pub(crate) fn took(&self, time: Duration) {
        self.took.observe(time.as_secs_f64());
    }

    /// Something is applied.
    pub(crate) fn applied(&self, drift: &'static str) {
        self.applies.of([drift]).inc();
    }

    /// How things stand now.
    pub(crate) fn stand(&self, standing: &Standing) {
        let Standing { read, failed, unread, suspended, pending, unapplied, applying } = *standing;
        for (state, count) in [("read", read), ("failed", failed), ("unread", unread)] {
            self.sources.of([state]).set(number(count));
        }
        self.suspended.set(number(suspended));
        for (state, count) in [("pending", pending), ("unapplied", unapplied), ("applying", applying)] {
            self.drifted.of([state]).set(number(count));
        }
    }

    /// All fetches.
    pub(super) fn fetched(&self) -> u64 {
        self.fetches.all().iter().map(|(_, count)| count.get()).sum()
    }
}

/// A count as a gauge has it.
pub(crate) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
