//! SizingPolicy: what a namespace allows its VMs, and how the policy for one VM is found.
//!
//! Only fields that work are in the schema. What a policy says of a change is judged in the crate `policy`.

#![allow(clippy::duplicated_attributes, reason = "each printer column repeats the same attribute names")]

mod effective;
mod limits;

use crate::units::{Bytes, Lease, Overcommit, Vcpus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use effective::{EffectivePolicy, PolicyConflict};
pub use limits::{Allowance, Budget, MemoryRange, PolicyRule, RestartPolicy};

/// Sizing rules for the VMs of one namespace that the selector matches.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "reef.dev",
    version = "v1alpha1",
    kind = "SizingPolicy",
    namespaced,
    shortname = "szp",
    category = "reef",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Overhead", type_ = "string", json_path = ".spec.overhead"),
    printcolumn(name = "Overcommit", type_ = "string", json_path = ".spec.cpuOvercommit"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(status = "SizingPolicyStatus")]
#[serde(rename_all = "camelCase")]
pub struct SizingPolicySpec {
    /// VMs that the policy is for, by label. The more specific selector wins; an empty one matches all. All of the namespace when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// Sizes outside these bounds are refused. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Range>,
    /// Sizes are whole multiples of this, for each value that it names. Any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<PartialSize>,
    /// Guest memory for each vCPU. Any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_per_vcpu: Option<MemoryRange>,
    /// What becomes of a size that the VM can only get when it is started anew. `Manual` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<RestartPolicy>,
    /// Whether no commit may change the size of these VMs or stop them. It may when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<bool>,
    /// What one commit may change of these VMs at most; where it asks for more, none of it is applied. Anything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Rules of one's own over each change of a size, in the Common Expression Language. None when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub rules: Vec<PolicyRule>,
    /// Floor and ceiling that a VM boots with where its own spec names none. The defaults of the VM's own fields when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Range>,
    /// Memory that the VMM needs beside the guest, in bytes; docs/launch.md has what was measured. 256Mi when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overhead: Option<Bytes>,
    /// vCPUs for each CPU that the Pod requests, at least 1. 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_overcommit: Option<Overcommit>,
    /// How memory is asked back from a guest. By steps that the gate guards when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shrink: Option<ShrinkPolicy>,
    /// What becomes of a growth that the node has no room for at present. It waits for `10m` when absent, and gets nothing of it meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<DeferredPolicy>,
}

/// How memory is asked back from a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShrinkPolicy {
    /// Whether a step waits until what the guest uses and a margin (5 %, at least 64Mi) fit below it. `Guard` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<ShrinkGate>,
}

/// What a step of a shrink has to pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ShrinkGate {
    /// What the guest uses, and a margin, has to fit below the step; otherwise the shrink waits.
    #[default]
    Guard,
    /// The guest is asked whatever it uses. It may end processes of its own to follow.
    Press,
}

impl ShrinkGate {
    /// Whether it is the one that holds where nothing is stated.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a growth that the node has no room for at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeferredPolicy {
    /// How long the wish stands and counts against the node, before it is taken back and waits for room. From `30s` to `24h`. `10m` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Whether the VM meanwhile gets as much of it as the node has room for. It does not when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_step: Option<bool>,
}

/// What a VM gets while its node has no room for the whole of a growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meanwhile {
    /// What it had.
    #[default]
    Nothing,
    /// As much as there is room for.
    LargestStep,
}

/// Status of a policy; empty so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SizingPolicyStatus {}

/// A lower and an upper size; each value is optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// Lower end. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<PartialSize>,
    /// Upper end. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<PartialSize>,
}

/// A size in which each value is optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartialSize {
    /// Number of vCPUs. Not limited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<Vcpus>,
    /// Guest memory in bytes. Not limited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
}
