//! What the controller counts: registered by whoever serves it, and fed by the loop. No decision knows of it, and it decides nothing.

mod git;
mod modes;
mod resizes;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use reef_api::{Phase, Reason};
use reef_watch::metrics::{Age, By, Catalogue, Entry, Watches, request_seconds};

use crate::act::Verb;
use crate::observe::Kind;

pub(crate) use git::{CHANGED, Git, Standing, UNCHANGED, number};
pub(crate) use modes::Mode;
pub(crate) use resizes::{Direction, Resizes, Stage};

/// What requests of the controller can come to.
const OUTCOMES: [&str; 6] = ["done", "conflict", "refused", "gone", "unknown", "throttled"];

/// Everything that is counted. Clones share it.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) requests: By<Counter, 2>,
    pub(crate) passes: Counter,
    pub(crate) panics: Counter,
    pub(crate) audit_misses: Counter,
    pub(crate) files_parsed: Counter,
    pub(crate) queued: Gauge,
    pub(crate) queue_wait: Histogram,
    pub(crate) jobs: Gauge,
    pub(crate) vms: By<Gauge, 1>,
    pub(crate) reasons: By<Gauge, 1>,
    pub(crate) held: By<Gauge, 1>,
    pub(crate) held_oldest: By<Age, 1>,
    pub(crate) git: Git,
    pub(crate) resizes: Resizes,
    pub(crate) watches: Watches,
}

impl Default for Metrics {
    fn default() -> Self {
        let outcomes = |verb: Verb| OUTCOMES.map(|outcome| [verb.as_str(), outcome]);
        let modes = || Mode::ALL.map(|mode| [mode.as_str()]);
        Self {
            requests: By::new(&["verb", "outcome"]).from_zero(Verb::ALL.into_iter().flat_map(outcomes)),
            passes: Counter::default(),
            panics: Counter::default(),
            audit_misses: Counter::default(),
            files_parsed: Counter::default(),
            queued: Gauge::default(),
            queue_wait: request_seconds(),
            jobs: Gauge::default(),
            vms: By::new(&["phase"]).from_zero(Phase::ALL.map(|phase| [phase.as_str()])),
            reasons: By::new(&["reason"]).from_zero([[Reason::Settled.as_str()]]),
            held: By::new(&["mode"]).from_zero(modes()),
            held_oldest: By::new(&["mode"]).from_zero(modes()),
            git: Git::default(),
            resizes: Resizes::default(),
            watches: Watches::of(Kind::ALL.map(Kind::plural)),
        }
    }
}

impl Metrics {
    /// Registers everything, and says what.
    pub fn register(&self, registry: &mut Registry) -> Vec<Entry> {
        let mut catalogue = Catalogue::of(registry);
        self.add_loop(&mut catalogue);
        self.add_vms(&mut catalogue);
        self.resizes.add(&mut catalogue);
        self.git.add(&mut catalogue);
        catalogue.add("reef_files_parsed", "Files of repositories that were read and parsed", &self.files_parsed);
        self.watches.add(&mut catalogue);
        catalogue.into_entries()
    }

    fn add_loop(&self, catalogue: &mut Catalogue<'_>) {
        catalogue.add("reef_controller_passes", "Decisions about one VM", &self.passes);
        catalogue.add(
            "reef_controller_panics",
            "Tasks and decisions about one object that ended in a panic; each is a defect of Reef",
            &self.panics,
        );
        catalogue.add("reef_controller_audit_misses", "VMs with which something was to be done though nothing had told of it, found by the slow pass over all; each is a defect of Reef", &self.audit_misses);
        catalogue.add(
            "reef_controller_queue_tasks",
            "Objects that are to be looked at, now or at a time that is known already",
            &self.queued,
        );
        catalogue.add(
            "reef_controller_queue_wait_seconds",
            "Time from when an object was due to be looked at until it was",
            &self.queue_wait,
        );
        catalogue.add("reef_controller_jobs", "Pieces of work for one object that are under way", &self.jobs);
        catalogue.add(
            "reef_controller_requests",
            "Requests about objects by verb and by what came of them; unknown is one that may have been done or not",
            &self.requests,
        );
    }

    fn add_vms(&self, catalogue: &mut Catalogue<'_>) {
        catalogue.add("reef_vms", "VMs by phase", &self.vms);
        catalogue.add(
            "reef_vms_by_reason",
            "VMs by what they wait for, as in their conditions; Settled are as their spec says",
            &self.reasons,
        );
        catalogue.add(
            "reef_vms_held",
            "VMs that do not get what was asked for while they run, by how; one VM may be held in several ways",
            &self.held,
        );
        catalogue.add(
            "reef_vms_held_oldest_seconds",
            "How long the VM has been held that has been for the longest, by how; 0 where there is none",
            &self.held_oldest,
        );
    }

    /// The counts now.
    pub fn counts(&self) -> Counts {
        let requests = self.requests.all();
        let by = |verb: Verb| {
            let its = requests.iter().filter(|([name, _], _)| *name == verb.as_str());
            (verb.as_str(), its.map(|(_, count)| count.get()).sum())
        };
        Counts {
            calls: Verb::ALL.into_iter().map(by).collect(),
            passes: self.passes.get(),
            fetches: self.git.fetched(),
            files_parsed: self.files_parsed.get(),
            panics: self.panics.get(),
            audit_misses: self.audit_misses.get(),
        }
    }
}

/// Some of the counts at one moment, for who compares two of them.
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
    /// VMs that the pass over all has found to have been missed.
    pub audit_misses: u64,
}

impl Counts {
    /// All calls to the API server.
    pub fn all_calls(&self) -> u64 {
        self.calls.iter().map(|(_, count)| count).sum()
    }
}
