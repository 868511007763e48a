//! The VM that tests of decisions begin with. What a test cares about it says itself.

use reef_api::vm::{RunPolicy, VmmKind};
use reef_api::{Bytes, Devices, GIB, Lease, MIB, Meanwhile, Overcommit, ShrinkGate, Size, Vcpus, Vm, VmKey};

/// What its VMM needs.
pub const OVERHEAD: Bytes = Bytes(256 * MIB.0);

/// A VM of the namespace `web` that always runs and boots to be resized between 1 vCPU, 1Gi and 8 vCPU, 16Gi.
pub fn vm(name: &str, size: Size) -> Vm {
    Vm {
        key: VmKey::new("web", name),
        size,
        floor: Size::new(Vcpus(1), GIB),
        ceiling: Size::new(Vcpus(8), Bytes(16 * GIB.0)),
        vmm: VmmKind::CloudHypervisor,
        run_policy: RunPolicy::Always,
        overhead: OVERHEAD,
        overcommit: Overcommit::NONE,
        shrink_gate: ShrinkGate::Guard,
        lease: Lease::USUAL,
        meanwhile: Meanwhile::Nothing,
        stated: None,
        devices: Devices::default(),
    }
}
