//! One change of a plan: a VM, its sizes before and after, and *how* it will happen.

use super::finding::{Finding, Place};
use super::headroom::Amounts;
use crate::size::{PodSize, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It is new.
    Create,
    /// Its size changes.
    Resize,
    /// It is started.
    Start,
    /// It is stopped.
    Stop,
    /// Something else of it changes.
    Edit,
    /// It stands in another file, and nothing else of it changes.
    Move,
    /// It is no longer stated. It is kept: absence deletes nothing.
    Remove,
}

/// How a change will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// While the VM runs; or at once, where it does not.
    Live,
    /// When the VM is started anew.
    Restart,
    /// As soon as there is room.
    Deferred,
    /// Not: a rule forbids it.
    Blocked,
    /// Not: no node, or not its own, can ever hold it.
    Infeasible,
}

impl Mode {
    /// Every mode, in the order in which a plan shows them.
    pub const ALL: [Self; 5] = [Self::Blocked, Self::Infeasible, Self::Deferred, Self::Restart, Self::Live];

    /// The word in a plan.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Restart => "restart",
            Self::Deferred => "deferred",
            Self::Blocked => "blocked",
            Self::Infeasible => "infeasible",
        }
    }

    /// Whether anything of it is carried out, now or later, without somebody changing their mind.
    pub const fn goes_on(self) -> bool {
        matches!(self, Self::Live | Self::Restart | Self::Deferred)
    }
}

impl Action {
    /// The word in a plan.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Resize => "resize",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Edit => "edit",
            Self::Move => "move",
            Self::Remove => "remove",
        }
    }
}

/// A size before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SizeChange {
    /// Before; nothing for a new VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Size>,
    /// After; nothing where the VM is no longer stated, or cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Size>,
}

/// A Pod's size before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodChange {
    /// What the node has set aside for it; nothing where it does not run, or where nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PodSize>,
    /// What it is to become; nothing where it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PodSize>,
}

/// One VM that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Namespace of the VM.
    pub namespace: String,
    /// Name of the VM.
    pub name: String,
    /// What becomes of it.
    pub action: Action,
    /// How.
    pub mode: Mode,
    /// Its size.
    pub size: SizeChange,
    /// Its Pod's size.
    pub pod: PodChange,
    /// The node that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// In which turn it goes, from 1: what gives room goes before what takes it. 0 for what does not go.
    pub turn: u32,
    /// VMs of the plan whose room it needs, as `NAMESPACE/NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Fields that change beside the size, as `spec.runPolicy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Why so: the rule that decides comes first.
    pub findings: Vec<Finding>,
    /// Lines of its document that differ, each behind `-`, `+`, or a blank where it is there for orientation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<String>,
    /// Where the head states it; for a VM that is no longer stated, where the base did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The file that stated it before, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<String>,
}

impl Change {
    /// `NAMESPACE/NAME`.
    pub fn vm(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// What it takes of the cluster once it is carried out; negative for what it gives back. Nothing where it does not go.
    pub fn takes(&self) -> Amounts {
        if !self.mode.goes_on() {
            return Amounts::default();
        }
        let of = |size: Option<PodSize>| size.map(Amounts::from).unwrap_or_default();
        of(self.pod.to).less(of(self.pod.from))
    }

    /// Why it goes as it does, in one line.
    pub fn why(&self) -> String {
        self.findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; ")
    }
}
