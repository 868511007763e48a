//! What a plan needs to know of a cluster, as one versioned document that can be kept in a file.
//!
//! Words only. `reef snapshot` writes it, and a plan reads it or makes the same of the cluster itself. No secret is in it: names, labels, amounts.

mod limits;
mod node;
mod vm;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::policy::SizingPolicySpec;

pub use limits::{LimitFacts, QuotaFacts, QuotaLimit, QuotaResource};
pub use node::{Claim, NodeFacts, TaintFacts};
pub use vm::{SuspendedSource, SuspensionFacts, VmFacts, VmPodFacts, VmmFacts};

/// `kind` of the document.
pub const SNAPSHOT_KIND: &str = "ClusterSnapshot";

/// What is known of a cluster at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSnapshot {
    /// `reef.dev/v1alpha1`.
    pub api_version: String,
    /// `ClusterSnapshot`.
    pub kind: String,
    /// When it was read.
    #[schemars(with = "String")]
    pub taken_at: Timestamp,
    /// Which cluster it is: UID of its namespace `kube-system`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Version of Kubernetes, as `v1.35.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// The facts themselves.
    #[serde(flatten)]
    pub facts: ClusterFacts,
}

/// The document with all of its fields side by side: serde keeps what it flattens as a tree first, which takes many times the memory.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flat {
    api_version: String,
    kind: String,
    taken_at: Timestamp,
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default)]
    kubernetes: Option<String>,
    #[serde(default)]
    nodes: Vec<NodeFacts>,
    #[serde(default)]
    vms: Vec<VmFacts>,
    #[serde(default)]
    policies: Vec<PolicyFacts>,
    #[serde(default)]
    quotas: Vec<QuotaFacts>,
    #[serde(default)]
    limit_ranges: Vec<LimitFacts>,
    #[serde(default)]
    suspended_sources: Vec<SuspendedSource>,
}

impl<'de> Deserialize<'de> for ClusterSnapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Flat {
            api_version,
            kind,
            taken_at,
            cluster,
            kubernetes,
            nodes,
            vms,
            policies,
            quotas,
            limit_ranges,
            suspended_sources,
        } = Flat::deserialize(deserializer)?;
        let facts = ClusterFacts { nodes, vms, policies, quotas, limit_ranges, suspended_sources };
        Ok(Self { api_version, kind, taken_at, cluster, kubernetes, facts })
    }
}

/// The facts of a cluster; each list is ordered by namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFacts {
    /// Nodes.
    #[serde(default)]
    pub nodes: Vec<NodeFacts>,
    /// VMs.
    #[serde(default)]
    pub vms: Vec<VmFacts>,
    /// Policies.
    #[serde(default)]
    pub policies: Vec<PolicyFacts>,
    /// Quotas that limit CPU, memory or Pods.
    #[serde(default)]
    pub quotas: Vec<QuotaFacts>,
    /// Limits for single Pods and containers.
    #[serde(default)]
    pub limit_ranges: Vec<LimitFacts>,
    /// GitSources that are suspended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspended_sources: Vec<SuspendedSource>,
}

/// A SizingPolicy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyFacts {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// What it says.
    pub spec: SizingPolicySpec,
}
