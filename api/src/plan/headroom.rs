//! What nodes have free before and after a plan, and amounts that may be negative.

use crate::size::PodSize;
use crate::units::{Bytes, MilliCpu};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// CPU and memory, both of which may be negative: what is taken, less what is given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// CPU in thousandths.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory_bytes: i64,
}

impl Amounts {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            milli_cpu: self.milli_cpu.saturating_add(other.milli_cpu),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }

    /// What is left without the other one.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self {
            milli_cpu: self.milli_cpu.saturating_sub(other.milli_cpu),
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
        }
    }
}

impl From<PodSize> for Amounts {
    /// What a Pod requests.
    fn from(size: PodSize) -> Self {
        let signed = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        Self { milli_cpu: signed(size.cpu_request.0), memory_bytes: signed(size.memory.0) }
    }
}

impl fmt::Display for Amounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |amount: i64| if amount < 0 { "-" } else { "+" };
        let (cpu, memory) = (MilliCpu(self.milli_cpu.unsigned_abs()), Bytes(self.memory_bytes.unsigned_abs()));
        write!(f, "{}{cpu} CPU, {}{memory}", sign(self.milli_cpu), sign(self.memory_bytes))
    }
}

/// What a node has, and what of it is free before and after the plan. CPU and memory as Kubernetes counts requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeHeadroom {
    /// The node.
    pub name: String,
    /// CPU that it can give.
    pub cpu: MilliCpu,
    /// Memory that it can give.
    pub memory: Bytes,
    /// Free CPU before.
    pub cpu_free_before: MilliCpu,
    /// Free CPU after.
    pub cpu_free_after: MilliCpu,
    /// Free memory before.
    pub memory_free_before: Bytes,
    /// Free memory after.
    pub memory_free_after: Bytes,
}
