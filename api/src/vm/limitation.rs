//! What a VMM cannot do while a VM runs, though the size lies within what the VM booted with: of its version, its devices, or its past.
//!
//! The daemon reports it as a standing fact, so that it is known before anybody asks. Words only; what the daemon then does is its own decision.

use crate::size::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a VMM cannot do while the VM runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Limitation {
    /// Add a vCPU: one was removed from a QEMU without KVM, which ends when another one is added.
    VcpusOnlyShrink,
    /// Take memory back: it is added by ACPI, which never really gives it back.
    MemoryByAcpi,
    /// Take memory back: the VMM tells what was asked for as what is plugged, so that the end of a shrink could not be seen.
    MemoryEndUnseen,
    /// Add memory or take it back: the VM booted without a device for it.
    MemoryFixed,
}

impl Limitation {
    /// Whether a VM that has `has` can come to `wanted` as far as this is concerned.
    pub fn allows(self, has: Size, wanted: Size) -> bool {
        match self {
            Self::VcpusOnlyShrink => wanted.vcpus <= has.vcpus,
            Self::MemoryByAcpi | Self::MemoryEndUnseen => wanted.memory >= has.memory,
            Self::MemoryFixed => wanted.memory == has.memory,
        }
    }

    /// Whether all of them allow it.
    pub fn all_allow(limitations: &[Self], has: Size, wanted: Size) -> bool {
        limitations.iter().all(|limitation| limitation.allows(has, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Bytes, Vcpus};

    #[test]
    fn a_limitation_is_of_one_resource_and_one_direction() {
        let size = |vcpus, gib: u64| Size::new(Vcpus(vcpus), Bytes(gib << 30));
        let wanted = [size(1, 4), size(4, 4), size(2, 3), size(2, 5), size(2, 4)];
        let allows = |limitation: Limitation| wanted.map(|wanted| limitation.allows(size(2, 4), wanted));
        assert_eq!(allows(Limitation::VcpusOnlyShrink), [true, false, true, true, true]);
        assert_eq!(allows(Limitation::MemoryByAcpi), [true, true, false, true, true]);
        assert_eq!(allows(Limitation::MemoryEndUnseen), [true, true, false, true, true]);
        assert_eq!(allows(Limitation::MemoryFixed), [true, true, false, false, true]);
    }
}
