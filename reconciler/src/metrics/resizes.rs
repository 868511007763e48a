//! What is counted of resizes: how they ended, and how long each stage of those that settled took from the push.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use reef_api::vm::Outcome;
use reef_watch::metrics::{By, Catalogue};

/// Upper bounds in seconds: from a resize that only a VMM has to follow, to one that waited for a lease.
const BUCKETS: [f64; 14] = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

fn seconds() -> Histogram {
    Histogram::new(BUCKETS)
}

/// How far a resize has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The VM was applied.
    Applied,
    /// The controller took up the new size.
    Taken,
    /// The Pod carries all of it, and the VMM may be asked for it.
    Granted,
    /// The VMM was asked for all of it.
    Asked,
    /// The guest has it.
    Guest,
    /// The Pod agrees: nothing is left to do.
    Settled,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Taken => "taken",
            Self::Granted => "granted",
            Self::Asked => "asked",
            Self::Guest => "guest",
            Self::Settled => "settled",
        }
    }
}

/// What a resize makes of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// It starts.
    Start,
    /// It gets more.
    Grow,
    /// It gets less.
    Shrink,
    /// It gets more of one resource and less of the other.
    Mixed,
}

impl Direction {
    /// Every direction.
    const ALL: [Self; 4] = [Self::Start, Self::Grow, Self::Shrink, Self::Mixed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Grow => "grow",
            Self::Shrink => "shrink",
            Self::Mixed => "mixed",
        }
    }
}

/// What is counted of resizes.
#[derive(Clone, Debug)]
pub(crate) struct Resizes {
    ended: By<Counter, 2>,
    stages: By<Histogram, 2>,
}

impl Default for Resizes {
    fn default() -> Self {
        let settled = Direction::ALL.map(|direction| [direction.as_str(), outcome_word(Outcome::Settled)]);
        Self {
            ended: By::new(&["direction", "outcome"]).from_zero(settled),
            stages: By::made_by(&["direction", "stage"], seconds),
        }
    }
}

impl Resizes {
    pub(super) fn add(&self, catalogue: &mut Catalogue<'_>) {
        catalogue.add(
            "reef_resizes",
            "Resizes that have ended in this process, by direction and outcome; a start is the first size in a Pod",
            &self.ended,
        );
        catalogue.add(
            "reef_resize_duration_seconds",
            "Time from when the push was seen until each stage of a resize that has settled; from when it was taken up where no push was seen",
            &self.stages,
        );
    }

    /// A resize has ended.
    pub(crate) fn ended(&self, direction: Direction, outcome: Outcome) {
        self.ended.of([direction.as_str(), outcome_word(outcome)]).inc();
    }

    /// A resize that has settled had reached a stage after this time.
    pub(crate) fn reached(&self, direction: Direction, stage: Stage, after: Duration) {
        self.stages.of([direction.as_str(), stage.as_str()]).observe(after.as_secs_f64());
    }
}

const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::InProgress => "InProgress",
        Outcome::Settled => "Settled",
        Outcome::Infeasible => "Infeasible",
        Outcome::Deferred => "Deferred",
        Outcome::Partial => "Partial",
        Outcome::RestartRequired => "RestartRequired",
        Outcome::Superseded => "Superseded",
        Outcome::Ended => "Ended",
    }
}
