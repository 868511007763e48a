//! What a plan needs to know of a cluster, as one versioned document that can be kept in a file.
//!
//! Words only. `reef snapshot` writes it, and a plan reads it or makes the same of the cluster itself. No secret is in it: names, labels, amounts.

use crate::names::VmKey;
use crate::policy::SizingPolicySpec;
use crate::size::{PodSize, Size};
use crate::units::{Bytes, MilliCpu};
use crate::vm::{BootStatus, Limitation, RunPolicy, VmmKind};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

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

/// A VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmFacts {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `NAMESPACE/NAME` of the GitSource that applied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What its spec asks for.
    pub size: Size,
    /// The size that it was promised last; policies hold a change against it. What its spec asks for where it has never run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<Size>,
    /// When its spec says that it runs; not told in snapshots of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_policy: Option<RunPolicy>,
    /// Labels, by which policies select it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Pod size that a person states; the Pod is never below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated: Option<PodSize>,
    /// The Pod that it runs in, or is about to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<VmPodFacts>,
    /// The VMM that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vmm: Option<VmmFacts>,
    /// That it is suspended, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<SuspensionFacts>,
}

/// A suspension, as the controller tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuspensionFacts {
    /// Who suspended it, until when, and why, in words.
    pub told: String,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
}

/// A GitSource that is suspended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuspendedSource {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The suspension.
    pub suspended: SuspensionFacts,
}

/// A VM's Pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmPodFacts {
    /// Node that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What its spec wishes.
    pub wish: PodSize,
    /// What the kubelet has set aside; the wish where it has told nothing.
    pub allocated: PodSize,
}

/// A VM's VMM, by its daemon's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmmFacts {
    /// The kind that its spec names.
    pub kind: VmmKind,
    /// Version that it tells of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it booted with.
    pub boot: BootStatus,
    /// What it cannot do while the VM runs, within what it booted with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limitations: Vec<Limitation>,
    /// What the guest has.
    pub actual: Size,
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

/// A ResourceQuota, as far as VMs can break it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaFacts {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its limits.
    pub limits: Vec<QuotaLimit>,
}

/// One limit of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaLimit {
    /// What is limited.
    pub resource: QuotaResource,
    /// At most so much: thousandths of CPU, bytes, or Pods.
    pub hard: u64,
    /// So much is used.
    pub used: u64,
}

/// What a quota can limit of VMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum QuotaResource {
    /// `requests.cpu`, or `cpu`.
    #[serde(rename = "requests.cpu")]
    RequestsCpu,
    /// `limits.cpu`.
    #[serde(rename = "limits.cpu")]
    LimitsCpu,
    /// `requests.memory`, or `memory`.
    #[serde(rename = "requests.memory")]
    RequestsMemory,
    /// `limits.memory`.
    #[serde(rename = "limits.memory")]
    LimitsMemory,
    /// `pods`, or `count/pods`.
    #[serde(rename = "pods")]
    Pods,
}

impl QuotaResource {
    /// The name as Kubernetes writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestsCpu => "requests.cpu",
            Self::LimitsCpu => "limits.cpu",
            Self::RequestsMemory => "requests.memory",
            Self::LimitsMemory => "limits.memory",
            Self::Pods => "pods",
        }
    }

    /// How much of it a Pod takes.
    pub fn of(self, pod: PodSize) -> u64 {
        match self {
            Self::RequestsCpu => pod.cpu_request.0,
            Self::LimitsCpu => pod.cpu_limit.0,
            Self::RequestsMemory | Self::LimitsMemory => pod.memory.0,
            Self::Pods => 1,
        }
    }

    /// An amount of it as people write it.
    pub fn shown(self, amount: u64) -> String {
        match self {
            Self::RequestsCpu | Self::LimitsCpu => MilliCpu(amount).to_string(),
            Self::RequestsMemory | Self::LimitsMemory => Bytes(amount).to_string(),
            Self::Pods => amount.to_string(),
        }
    }
}

/// A LimitRange, as far as VMs can break it: the bounds of one Pod, which are those of its one large container too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitFacts {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Least CPU request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_cpu: Option<MilliCpu>,
    /// Most CPU limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu: Option<MilliCpu>,
    /// Least memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_memory: Option<Bytes>,
    /// Most memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<Bytes>,
}

impl VmFacts {
    /// Namespace and name.
    pub fn key(&self) -> VmKey {
        VmKey::new(&self.namespace, &self.name)
    }

    /// The size that policies hold a change against.
    pub fn accepted(&self) -> Size {
        self.promised.unwrap_or(self.size)
    }
}

impl VmmFacts {
    /// Whether a size can be reached without a restart: it lies within what the VM booted with, and the VMM can do it.
    pub fn allows(&self, size: Size) -> bool {
        self.boot.allows(size) && !self.hinders(size)
    }

    /// Whether the VMM itself keeps a size from the VM while it runs.
    pub fn hinders(&self, size: Size) -> bool {
        self.limitations.iter().any(|limitation| !limitation.allows(self.actual, size))
    }
}
