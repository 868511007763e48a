//! Sizes of the model: a place among a few for each resource, and what real size stands for it.
//!
//! Neighbours are one vCPU and one block of memory apart, so that a step of a resize, however small it is cut, is one place.

use reef_api::size::DEFAULT_OVERHEAD;
use reef_api::units::MEMORY_BLOCK;
use reef_api::{Bytes, MilliCpu, Overcommit, PodSize, Size, Vcpus};
use std::fmt;

/// Memory of the lowest place.
const LEAST_MEMORY: u64 = 1 << 30;
/// Millis of a CPU.
const CPU: u64 = 1000;

/// A size by its place among those of the model, for each resource by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    /// Place of the vCPUs.
    pub cpu: u8,
    /// Place of the memory.
    pub memory: u8,
}

impl Level {
    /// Builds a level from its parts.
    pub const fn new(cpu: u8, memory: u8) -> Self {
        Self { cpu, memory }
    }

    /// The larger of both, for each resource by itself.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { cpu: self.cpu.max(other.cpu), memory: self.memory.max(other.memory) }
    }

    /// The smaller of both, for each resource by itself.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self { cpu: self.cpu.min(other.cpu), memory: self.memory.min(other.memory) }
    }

    /// Whether this level is at least `other` in each resource.
    pub const fn covers(self, other: Self) -> bool {
        self.cpu >= other.cpu && self.memory >= other.memory
    }

    /// The real size of a guest.
    pub fn size(self) -> Size {
        Size::new(Vcpus(1 + u32::from(self.cpu)), Bytes(LEAST_MEMORY + u64::from(self.memory) * MEMORY_BLOCK.0))
    }

    /// The real size of a Pod that carries the guest.
    pub fn pod(self) -> PodSize {
        PodSize::carrying(self.size(), DEFAULT_OVERHEAD, Overcommit::NONE)
    }

    /// The place of a number of vCPUs; `None` between two places.
    pub fn cpu_of(vcpus: Vcpus) -> Option<u8> {
        u8::try_from(vcpus.0.checked_sub(1)?).ok()
    }

    /// The place of an amount of memory; `None` between two places.
    pub fn memory_of(memory: Bytes) -> Option<u8> {
        let above = memory.0.checked_sub(LEAST_MEMORY)?;
        let blocks = above.is_multiple_of(MEMORY_BLOCK.0).then_some(above / MEMORY_BLOCK.0)?;
        u8::try_from(blocks).ok()
    }

    /// The level of a real size; `None` where it lies between two places.
    pub fn of(size: Size) -> Option<Self> {
        Some(Self { cpu: Self::cpu_of(size.vcpus)?, memory: Self::memory_of(size.memory)? })
    }

    /// The level that a Pod of this size carries; `None` where it lies between two places.
    pub fn of_pod(pod: PodSize) -> Option<Self> {
        let MilliCpu(millis) = pod.cpu_limit;
        let cpus = millis.is_multiple_of(CPU).then_some(millis / CPU)?;
        let guaranteed = pod.cpu_request == pod.cpu_limit;
        let vcpus = guaranteed.then(|| u32::try_from(cpus).ok()).flatten()?;
        let memory = Bytes(pod.memory.0.checked_sub(DEFAULT_OVERHEAD.0)?);
        Self::of(Size::new(Vcpus(vcpus), memory))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.cpu, self.memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_found_again_by_its_size_and_by_its_pod() {
        for level in [Level::new(0, 0), Level::new(2, 1), Level::new(1, 2)] {
            assert_eq!(Level::of(level.size()), Some(level));
            assert_eq!(Level::of_pod(level.pod()), Some(level));
        }
        assert_eq!(Level::memory_of(Bytes(LEAST_MEMORY + 1)), None);
    }
}
