//! One Pod on a node: where it is in its life, what is promised to it and what is in effect.
//!
//! ```text
//! Starting --2 s--> Running --ends--> Ended
//!     |               |  ^______________|  (restartPolicy other than Never)
//!     +---deleted-----+--> Stopping --> gone
//! ```
//! State only; what happens to it is in [`super::steps`] and [`super::sizes`], how it is shown in [`super::status`].

use jiff::Timestamp;
use tokio::time::Instant;

use crate::node::pod::PodView;
use crate::node::resources::{Amounts, ContainerResources};
use crate::vmm::Vmm;

/// Where a Pod is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its containers run at this time.
    Starting(Instant),
    /// Its containers run.
    Running,
    /// It has been told to stop and has stopped at this time.
    Stopping(Instant),
    /// It has ended.
    Ended(Exit),
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code.
    pub code: i32,
    /// `Completed`, `Error`, `OOMKilled`, or why the Pod was not admitted.
    pub reason: String,
    /// A sentence; empty for none.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// One container and its resources.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// The id of its present process.
    pub id: String,
    /// What is promised.
    pub allocated: ContainerResources,
    /// What is in effect.
    pub actual: ContainerResources,
}

/// A wish that cannot be allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// `Deferred` or `Infeasible`.
    pub reason: &'static str,
    /// The kubelet's sentence.
    pub message: String,
    /// The wish's generation.
    pub generation: i64,
}

/// A wish that is allocated and not yet in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The wish's generation.
    pub generation: i64,
    /// When it was allocated.
    pub since: Instant,
    /// The next attempt.
    pub due: Instant,
    /// Why the last one failed, once that is shown.
    pub error: Option<String>,
}

/// One Pod on a node.
#[derive(Debug)]
pub struct Worker {
    /// The Pod as it was last seen.
    pub pod: PodView,
    /// Where it is in its life.
    pub stage: Stage,
    /// Its containers.
    pub containers: Vec<Container>,
    /// A wish that cannot be allocated.
    pub pending: Option<Pending>,
    /// A wish that is not yet in effect.
    pub progress: Option<Progress>,
    /// When the kubelet looks at a change.
    pub react: Option<Instant>,
    /// The last generation that it has looked at.
    pub observed: i64,
    /// Its VMM, where it has one that runs.
    pub vmm: Option<Vmm>,
    /// When its containers were started.
    pub started: Option<Timestamp>,
    /// How often its containers were started again.
    pub restarts: u32,
    /// The status differs from what is stored.
    pub dirty: bool,
    /// What the guest was last told by annotation to use and how to behave.
    pub guest: super::guest_control::Wishes,
    /// Old values that are shown once more, and until when.
    pub flap: Option<super::sizes::Flap>,
}

impl Worker {
    /// A Pod that was just seen.
    #[must_use]
    pub fn new(pod: PodView, starts: Instant) -> Self {
        let container = |view: &crate::node::pod::ContainerView| Container {
            name: view.name.clone(),
            image: view.image.clone(),
            id: String::new(),
            allocated: view.desired,
            actual: view.desired,
        };
        Self {
            containers: pod.containers.iter().map(container).collect(),
            observed: pod.generation,
            pod,
            stage: Stage::Starting(starts),
            pending: None,
            progress: None,
            react: None,
            vmm: None,
            started: None,
            restarts: 0,
            dirty: true,
            guest: super::guest_control::Wishes::default(),
            flap: None,
        }
    }

    /// What it holds of the node.
    #[must_use]
    pub fn allocated(&self) -> Amounts {
        if matches!(self.stage, Stage::Ended(_)) {
            return Amounts::default();
        }
        self.containers
            .iter()
            .map(|it| it.allocated.requests)
            .fold(Amounts::default(), Amounts::plus)
            .max(self.pod.init)
    }

    /// What its spec asks of one container.
    #[must_use]
    pub fn desired(&self, name: &str) -> Option<ContainerResources> {
        self.pod.containers.iter().find(|container| container.name == name).map(|container| container.desired)
    }

    /// Whether the spec asks for something else than what is promised.
    #[must_use]
    pub fn wants_resize(&self) -> bool {
        self.containers.iter().any(|it| self.desired(&it.name).is_some_and(|desired| desired != it.allocated))
    }

    /// The next time at which something happens by itself.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let stage = match &self.stage {
            Stage::Starting(at) | Stage::Stopping(at) => Some(*at),
            Stage::Running | Stage::Ended(_) => None,
        };
        let running = self.stage == Stage::Running;
        let react = self.react.filter(|_| running);
        let attempt = self.progress.as_ref().map(|progress| progress.due).filter(|_| running);
        let flap = self.flap.as_ref().map(super::sizes::Flap::due);
        [stage, react, attempt, flap].into_iter().flatten().min()
    }
}
