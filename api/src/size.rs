//! Sizes: of a VM (`Size`) and of its Pod (`PodSize`), and the arithmetic between the two.
//!
//! Everything saturates instead of wrapping: a size that is too large is refused by validation, never turned into a small one.

use crate::units::{Bytes, MilliCpu, Overcommit, Vcpus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the VMM itself needs beside the guest, when no policy says otherwise.
pub const DEFAULT_OVERHEAD: Bytes = Bytes(256 * 1024 * 1024);

/// vCPUs and guest memory of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Size {
    /// Number of vCPUs.
    pub vcpus: Vcpus,
    /// Guest memory.
    pub memory: Bytes,
}

impl Size {
    /// Builds a size from its parts.
    pub const fn new(vcpus: Vcpus, memory: Bytes) -> Self {
        Self { vcpus, memory }
    }

    /// The larger of both, for each resource by itself.
    pub fn max(self, other: Self) -> Self {
        Self { vcpus: self.vcpus.max(other.vcpus), memory: self.memory.max(other.memory) }
    }

    /// The smaller of both, for each resource by itself.
    pub fn min(self, other: Self) -> Self {
        Self { vcpus: self.vcpus.min(other.vcpus), memory: self.memory.min(other.memory) }
    }

    /// Whether this size is at least `other` in each resource.
    pub fn covers(self, other: Self) -> bool {
        self.vcpus >= other.vcpus && self.memory >= other.memory
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} vCPU, {}", self.vcpus, self.memory)
    }
}

/// Resources of the container `vm-manager`. Memory requests equal limits; a CPU request may be below the limit (overcommit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodSize {
    /// CPU request.
    pub cpu_request: MilliCpu,
    /// CPU limit: one CPU for each vCPU.
    pub cpu_limit: MilliCpu,
    /// Memory request and limit: guest memory and overhead.
    pub memory: Bytes,
}

impl PodSize {
    /// The Pod size that carries a VM of `size`: `vcpus` CPUs as limit, that divided by `overcommit` as request, memory and `overhead`.
    pub fn carrying(size: Size, overhead: Bytes, overcommit: Overcommit) -> Self {
        let cpu_limit = MilliCpu::from(size.vcpus);
        Self { cpu_request: cpu_limit.divided_by(overcommit), cpu_limit, memory: size.memory.saturating_add(overhead) }
    }

    /// The larger of both, for each value by itself.
    pub fn max(self, other: Self) -> Self {
        Self {
            cpu_request: self.cpu_request.max(other.cpu_request),
            cpu_limit: self.cpu_limit.max(other.cpu_limit),
            memory: self.memory.max(other.memory),
        }
    }

    /// Whether this Pod size is at least `other` in each value.
    pub fn covers(self, other: Self) -> bool {
        self.cpu_request >= other.cpu_request && self.cpu_limit >= other.cpu_limit && self.memory >= other.memory
    }
}

impl fmt::Display for PodSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cpu_request == self.cpu_limit {
            write!(f, "cpu {}, memory {}", self.cpu_limit, self.memory)
        } else {
            write!(f, "cpu {}/{}, memory {}", self.cpu_request, self.cpu_limit, self.memory)
        }
    }
}
