//! Nodes, and what their Pods take of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::size::PodSize;
use crate::units::{Bytes, MilliCpu};

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeFacts {
    /// Name.
    pub name: String,
    /// Allocatable CPU.
    pub cpu: MilliCpu,
    /// Allocatable memory.
    pub memory: Bytes,
    /// What its Pods request by the scheduler's rule: of each Pod the largest of what it wishes, what is set aside and what is in effect.
    pub requested: Claim,
    /// What the kubelet has set aside for its Pods; it decides by this whether a running Pod may grow.
    pub allocated: Claim,
    /// Whether new Pods may go there: it is ready and not cordoned.
    pub schedulable: bool,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Taints that keep Pods away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<TaintFacts>,
}

/// What a Pod, or all Pods of a node, take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// CPU that is requested.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
}

impl Claim {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_add(other.cpu), memory: self.memory.saturating_add(other.memory) }
    }

    /// What is left without the other one.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(other.cpu), memory: self.memory.saturating_sub(other.memory) }
    }

    /// The larger of both, for each resource by itself.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { cpu: self.cpu.max(other.cpu), memory: self.memory.max(other.memory) }
    }

    /// Whether it is within `room` in both resources.
    pub fn fits(self, room: Self) -> bool {
        self.cpu <= room.cpu && self.memory <= room.memory
    }
}

impl From<PodSize> for Claim {
    fn from(size: PodSize) -> Self {
        Self { cpu: size.cpu_request, memory: size.memory }
    }
}

/// A taint that keeps Pods away which do not tolerate it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaintFacts {
    /// Key.
    pub key: String,
    /// Value; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// `NoSchedule` or `NoExecute`.
    pub effect: String,
}
