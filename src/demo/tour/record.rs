//! What happened on the tour, as values: commits with their plans, transitions with their times, the ends.
//!
//! Made by the guide, printed by `tell`.

use std::time::Duration;

use reef_api::plan::Outcome;
use reef_api::{Phase, PodSize, Size};
use serde::{Serialize, Serializer};

use crate::view::VmView;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Happened {
    /// The cluster runs, and can be reached from elsewhere.
    Started {
        /// Repository to clone.
        clone: String,
        /// Kubeconfig of the cluster.
        kubeconfig: String,
    },
    /// A step begins.
    Step {
        /// Its number, from 1; 0 is the boot.
        step: usize,
        /// How many there are.
        of: usize,
        /// What it shows.
        title: &'static str,
    },
    /// A commit was pushed.
    Commit {
        /// Its step.
        step: usize,
        /// Id.
        commit: String,
        /// First line of its message.
        subject: String,
        /// Lines that it removed and added, by file.
        diff: Vec<String>,
        /// The plan.
        plan: Vec<PlannedChange>,
        /// What cannot be used of it.
        problems: Vec<String>,
        /// What it no longer states.
        removed: Vec<String>,
    },
    /// A branch was made and planned; nothing happens by that.
    Request {
        /// Its step.
        step: usize,
        /// The branch.
        branch: &'static str,
        /// Id of its commit.
        commit: String,
        /// First line of its message.
        subject: String,
        /// Lines that it removed and added, by file.
        diff: Vec<String>,
        /// What can be said of the plan in one word.
        outcome: Outcome,
        /// The comment that the pull request gets, as `reef plan -o markdown` prints it.
        comment: String,
    },
    /// Something was done in a guest.
    Guest {
        /// Its step.
        step: usize,
        /// The VM.
        vm: &'static str,
        /// What its guest uses now.
        used: String,
    },
    /// A VM is in another state.
    Moved {
        /// Its step.
        step: usize,
        /// Since the last push.
        #[serde(rename = "millis", serialize_with = "millis")]
        after: Duration,
        /// The state.
        #[serde(flatten)]
        state: State,
    },
    /// A step ended.
    Ended {
        /// Its step.
        step: usize,
        /// How long it took.
        #[serde(rename = "millis", serialize_with = "millis")]
        took: Duration,
        /// Whether it ended as expected.
        ok: bool,
        /// What was missing at the end of the bound.
        missing: Vec<String>,
        /// The VMs that it was about.
        vms: Vec<VmView>,
        /// What was reported of files, at any moment of the step.
        reports: Vec<String>,
    },
    /// The tour is over.
    Finished {
        /// Steps that ended as expected.
        passed: usize,
        /// All steps.
        of: usize,
        /// Where a VM held more than its Pod.
        breaches: Vec<String>,
        /// How long it took.
        #[serde(rename = "millis", serialize_with = "millis")]
        took: Duration,
    },
}

/// One change of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedChange {
    /// The VM.
    pub vm: String,
    /// How it will happen.
    pub mode: &'static str,
    /// The whole change in words.
    pub text: String,
}

/// What of a VM is told when it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The VM.
    pub vm: String,
    /// Phase.
    pub phase: Phase,
    /// What it waits for.
    pub waits_for: Option<String>,
    /// What its daemon may ask for.
    pub granted: Option<Size>,
    /// What the VMM was asked for.
    pub requested: Option<Size>,
    /// What the guest has.
    pub actual: Option<Size>,
    /// What its Pod wishes.
    pub pod: Option<PodSize>,
}

impl State {
    /// The state of a VM.
    pub fn of(vm: &VmView) -> Self {
        Self {
            vm: vm.name.clone(),
            phase: vm.phase,
            waits_for: vm.waiting.as_ref().map(|waiting| waiting.reason.clone()),
            granted: vm.granted,
            requested: vm.requested,
            actual: vm.actual,
            pod: vm.pod.as_ref().map(|pod| pod.wish),
        }
    }

    /// Whether this is worth a line after `before`: memory that is on its way from block to block is not.
    pub fn is_news(&self, before: &Self) -> bool {
        let steady = |state: &Self| Self { actual: None, ..state.clone() };
        let arrived = self.actual != before.actual && self.actual == self.requested;
        steady(self) != steady(before) || arrived
    }
}

fn millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
