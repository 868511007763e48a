//! What a policy forbids: ratios, restarts, budgets, and rules of one's own. Words only; they are judged in the crate `policy`.

use crate::units::{Bytes, Vcpus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A least and a most amount of memory; each is optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryRange {
    /// No less than this, in bytes. Any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Bytes>,
    /// No more than this, in bytes. Any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Bytes>,
}

/// What becomes of a size that the VM can only get when it is started anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestartPolicy {
    /// It is taken up, and waits until somebody starts the VM anew.
    #[default]
    Manual,
    /// It is refused.
    Never,
}

/// What one commit may change at most: of all VMs of the policy, and of those of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Of all VMs of the namespace that the policy holds for. Not limited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Allowance>,
    /// Of those that run on one node. Not limited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Allowance>,
}

/// How much one commit may change; what is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Allowance {
    /// VMs that are new or get another size. Not limited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vms: Option<u32>,
    /// vCPUs that are added, all growths together. What shrinks is not counted against it. Not limited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<Vcpus>,
    /// Guest memory in bytes that is added, all growths together. What shrinks is not counted against it. Not limited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
}

/// A rule of one's own over each change of a size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRule {
    /// True where the change is allowed. In the Common Expression Language without its loops, over `old` (null for a new VM), `new`, `change` and
    /// `node` (null where the VM does not run); `memory('8Gi')` is a number of bytes.
    #[schemars(length(min = 1, max = 1024))]
    pub expression: String,
    /// What people are told where it is false.
    #[schemars(length(min = 1, max = 1024))]
    pub message: String,
}
