//! What a resize meets on its way: a node that refuses it, a guest that stands still, a rest that is given up. Parts of `status.resize`.
//!
//! Values only. All times that decide something are here, so that a crash of the controller forgets none.

use crate::reason::Reason;
use crate::size::Size;
use crate::units::{Bytes, MilliCpu, Vcpus};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A target that was refused: for ever, or for want of room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Generation whose target was refused.
    pub generation: i64,
    /// `Infeasible`, or `Deferred` where the node had no room for too long.
    pub reason: Reason,
    /// Allocatable of the node that refused it, as `cpu=16,memory=64Gi`; another value is a reason to try again.
    pub capacity: String,
    /// What the kubelet or the API server said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it was refused last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// When it was refused first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub first_at: Option<Timestamp>,
    /// When it was tried again; while this stands, the refusal does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub retried_at: Option<Timestamp>,
    /// The room that the node had for the Pods of all its VMs, as far as the kubelet said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<NodeRoom>,
    /// The largest step that the node had room for, which the VM gets meanwhile where its policy says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Size>,
}

/// Room on a node, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRoom {
    /// CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<MilliCpu>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
}

/// Resources that the guest has not moved towards its grant for a long time, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stalled {
    /// vCPUs that the guest has, where they stand still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<Vcpus>,
    /// Since when they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub vcpus_since: Option<Timestamp>,
    /// Memory that the guest has, where it stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Since when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub memory_since: Option<Timestamp>,
}

/// A resize whose rest was given up because the guest did not follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Partial {
    /// Generation whose target was not reached.
    pub generation: i64,
    /// vCPUs that the guest had, where it did not follow with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<Vcpus>,
    /// Memory that the guest had, where it did not follow with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// What was in the way.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it was given up first.
    #[schemars(with = "String")]
    pub first_at: Timestamp,
    /// When it was given up last.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// When it was tried again; while this stands, nothing is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub retried_at: Option<Timestamp>,
    /// Whether somebody asked for it: then it is tried again only when somebody asks for that, or for another size.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
}
