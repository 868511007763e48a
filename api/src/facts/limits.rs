//! Quotas and limit ranges of namespaces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::size::PodSize;
use crate::units::{Bytes, MilliCpu};

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
