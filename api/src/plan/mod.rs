//! The capacity plan: what one state of a repository changes in VMs, as one versioned document.
//!
//! Words only. The planner fills the document, and every output (text, Markdown, SARIF, annotations) is made of it and of nothing else.
//! Fields are only ever added to a version; `docs/plan.schema.json` is its schema.

mod change;
mod finding;
mod headroom;
mod told;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use change::{Action, Change, Mode, PodChange, SizeChange};
pub use finding::{Finding, Place, Rule};
pub use headroom::{Amounts, NodeHeadroom};

/// `kind` of the document.
pub const PLAN_KIND: &str = "CapacityPlan";

/// What one state of a repository changes, compared with another state or with the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityPlan {
    /// `reef.dev/v1alpha1`.
    pub api_version: String,
    /// `CapacityPlan`.
    pub kind: String,
    /// What is compared with.
    pub base: State,
    /// What is planned.
    pub head: State,
    /// What is known of the cluster.
    pub facts: FactsOrigin,
    /// The plan in numbers.
    pub summary: Summary,
    /// Every VM that changes, by namespace and name.
    pub changes: Vec<Change>,
    /// The nodes that the changes touch, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeHeadroom>,
    /// What the changed policies of the head would say of VMs, where that differs from what those of the base say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyEffect>,
    /// What cannot be used of the head; the objects concerned keep their last good state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Remark>,
    /// What is used, and may not be meant so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Remark>,
}

/// One of the two states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// As it was asked for: a reference, a commit, `working tree`, `cluster`.
    pub name: String,
    /// The commit, in hexadecimal, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first line of the commit's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// Where facts about the cluster come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FactsKind {
    /// From the cluster itself.
    Cluster,
    /// From a file that `reef snapshot` wrote.
    Snapshot,
    /// There are none: what can be said without.
    Offline,
}

/// What is known of the cluster, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FactsOrigin {
    /// Where the facts come from.
    pub from: FactsKind,
    /// When they were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// Which cluster it is: UID of its namespace `kube-system`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// How a plan ends; the word that decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Nothing changes.
    Unchanged,
    /// Something changes, and all of it can be carried out.
    Changes,
    /// Some node can never hold what it is asked for.
    Infeasible,
    /// Some rule forbids a change.
    Blocked,
    /// Something of the head cannot be read.
    Problems,
}

/// A plan in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How it ends.
    pub outcome: Outcome,
    /// VMs that change.
    pub vms: usize,
    /// Of these, how many while they run (or are new).
    pub live: usize,
    /// How many when they are started anew.
    pub restart: usize,
    /// How many may have to wait for room.
    pub deferred: usize,
    /// How many a rule forbids.
    pub blocked: usize,
    /// How many their node can never hold.
    pub infeasible: usize,
    /// What can be carried out takes of the cluster in all, and what it gives back is counted against it.
    pub takes: Amounts,
}

/// What a policy of the head would say of a VM, and the one of the base does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEffect {
    /// Namespace of VM and policy.
    pub namespace: String,
    /// Name of the VM.
    pub name: String,
    /// In a sentence.
    pub message: String,
}

/// Something in the repository that people should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// Where it is.
    pub place: Place,
    /// The object concerned, as `VirtualMachine vms/web-1`, as far as it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// What is wrong, and what to do.
    pub message: String,
    /// The lines concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
}

impl Summary {
    /// Counts the changes. `problems` says whether something of the head cannot be read.
    pub fn of(changes: &[Change], problems: bool) -> Self {
        let count = |mode| changes.iter().filter(|change| change.mode == mode).count();
        let outcome = match (count(Mode::Blocked), count(Mode::Infeasible)) {
            _ if problems => Outcome::Problems,
            (1.., _) => Outcome::Blocked,
            (0, 1..) => Outcome::Infeasible,
            (0, 0) if changes.is_empty() => Outcome::Unchanged,
            (0, 0) => Outcome::Changes,
        };
        Self {
            outcome,
            vms: changes.len(),
            live: count(Mode::Live),
            restart: count(Mode::Restart),
            deferred: count(Mode::Deferred),
            blocked: count(Mode::Blocked),
            infeasible: count(Mode::Infeasible),
            takes: changes.iter().fold(Amounts::default(), |sum, change| sum.plus(change.takes())),
        }
    }
}
