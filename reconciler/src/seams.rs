//! What the controller is handed from outside, each at this one place: clients, clock, chance, repositories; and what it tells about itself.
//!
//! Production passes the real ones, simulation its own. Nothing here does anything by itself.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use std::time::Duration;

use kube::Client;
use reef_api::{Clock, NodeDevice};

use crate::act::Verb;
use crate::source::{FileUrls, Repositories};

/// Chance, for spreading work over time. Never decides anything.
pub trait Jitter: Send + Sync {
    /// A duration between nothing and `most`.
    fn up_to(&self, most: Duration) -> Duration;
}

/// Everything that is handed in.
#[derive(Clone)]
pub struct Seams {
    /// For requests. Must not retry by itself.
    pub client: Client,
    /// For watches: its read time-out must be longer than a watch may be silent.
    pub watch_client: Client,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub jitter: Arc<dyn Jitter>,
    /// Where commits come from.
    pub repositories: Arc<dyn Repositories>,
    /// What is counted.
    pub counters: Counters,
}

/// What can be set from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether sources may name repositories of this machine's file system.
    pub file_urls: FileUrls,
    /// Image of the container `vm-manager`.
    pub vmm_image: String,
    /// Devices of its node that the Pod of a VM asks for from now on; one that is there already keeps what it has.
    pub vm_devices: BTreeSet<NodeDevice>,
    /// How many requests may be under way at once.
    pub concurrency: usize,
}

/// How often something was done; shared by all who count.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: [AtomicU64; Verb::ALL.len()],
    passes: AtomicU64,
    fetches: AtomicU64,
    files_parsed: AtomicU64,
    panics: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls to the API server by verb, watches not counted.
    pub calls: Vec<(&'static str, u64)>,
    /// Decisions about one VM.
    pub passes: u64,
    /// Fetches of repositories.
    pub fetches: u64,
    /// Files that were read and parsed.
    pub files_parsed: u64,
    /// Tasks of one VM that ended in a panic.
    pub panics: u64,
}

impl Counters {
    /// Counts a call.
    pub fn called(&self, verb: Verb) {
        let place = Verb::ALL.iter().position(|known| *known == verb);
        if let Some(count) = place.and_then(|place| self.inner.calls.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a decision.
    pub fn passed(&self) {
        self.inner.passes.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a fetch.
    pub fn fetched(&self) {
        self.inner.fetches.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts files.
    pub fn parsed(&self, files: u64) {
        self.inner.files_parsed.fetch_add(files, Ordering::Relaxed);
    }

    /// Counts a panic.
    pub fn panicked(&self) {
        self.inner.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn counts(&self) -> Counts {
        let calls = Verb::ALL.iter().zip(&self.inner.calls);
        Counts {
            calls: calls.map(|(verb, count)| (verb.as_str(), count.load(Ordering::Relaxed))).collect(),
            passes: self.inner.passes.load(Ordering::Relaxed),
            fetches: self.inner.fetches.load(Ordering::Relaxed),
            files_parsed: self.inner.files_parsed.load(Ordering::Relaxed),
            panics: self.inner.panics.load(Ordering::Relaxed),
        }
    }
}

impl Counts {
    /// All calls to the API server.
    pub fn all_calls(&self) -> u64 {
        self.calls.iter().map(|(_, count)| count).sum()
    }
}

/// What the endpoints for readiness and liveness read.
#[derive(Clone, Default)]
pub struct Health {
    state: Arc<HealthState>,
}

#[derive(Default)]
struct HealthState {
    ready: AtomicBool,
    beats: AtomicU64,
}

impl Health {
    /// Whether everything that is watched has been listed once, so that decisions are made.
    pub fn is_ready(&self) -> bool {
        self.state.ready.load(Ordering::Relaxed)
    }

    /// Grows at least every a few seconds while the loop is alive.
    pub fn beats(&self) -> u64 {
        self.state.beats.load(Ordering::Relaxed)
    }

    /// Tells whether decisions are made.
    pub fn set_ready(&self, ready: bool) {
        self.state.ready.store(ready, Ordering::Relaxed);
    }

    /// Tells that the loop is alive.
    pub fn beat(&self) {
        self.state.beats.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Health {{ ready: {}, beats: {} }}", self.is_ready(), self.beats())
    }
}
