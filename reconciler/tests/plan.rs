//! Plans: each mode, and the sentence that goes with it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use reef_api::vm::{BootStatus, RunPolicy, VmmKind};
use reef_api::{Bytes, MilliCpu, Overcommit, PodSize, Size, Vcpus, Vm, VmKey};
use reef_reconciler::decide::plan::{Capacity, Room, Running, Subject, plan};

const GIB: u64 = 1024 * 1024 * 1024;
const OVERHEAD: Bytes = Bytes(256 * 1024 * 1024);

fn size(vcpus: u32, gib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(gib * GIB))
}

fn subject(name: &str, from: Size, to: Size) -> Subject {
    let vm = Vm {
        key: VmKey::new("web", name),
        size: to,
        floor: size(1, 1),
        ceiling: size(64, 256),
        vmm: VmmKind::CloudHypervisor,
        run_policy: RunPolicy::Always,
        overhead: OVERHEAD,
        overcommit: Overcommit::NONE,
        shrink_gate: reef_api::ShrinkGate::Guard,
        lease: reef_api::Lease::USUAL,
        meanwhile: reef_api::Meanwhile::Nothing,
        stated: None,
        devices: reef_api::Devices::default(),
    };
    let boot =
        BootStatus { min_vcpus: Vcpus(1), max_vcpus: Vcpus(32), min_memory: Bytes(GIB), max_memory: Bytes(128 * GIB) };
    let pod = PodSize::carrying(from, OVERHEAD, Overcommit::NONE);
    let running = Running { node: "node-a".to_owned(), boot: Some(boot), pod };
    Subject { key: vm.key.clone(), wanted: Ok(vm), running: Some(running), current: Some(from) }
}

fn node(used_cpus: u64, used_gib: u64) -> Capacity {
    let room = Room {
        cpu: MilliCpu(16_000),
        memory: Bytes(64 * GIB),
        cpu_used: MilliCpu(used_cpus * 1000),
        memory_used: Bytes(used_gib * GIB),
    };
    [("node-a".to_owned(), room)].into()
}

#[test]
fn each_mode_says_why() {
    let subjects = [
        subject("web-1", size(2, 2), size(4, 4)),
        subject("web-2", size(2, 2), size(40, 2)),
        subject("web-3", size(2, 2), size(20, 2)),
        subject("web-4", size(2, 2), size(2, 60)),
        Subject { running: None, ..subject("web-5", size(2, 2), size(4, 4)) },
        Subject { running: None, current: None, ..subject("web-6", size(2, 2), size(1, 1)) },
    ];
    assert_eq!(
        plan(&subjects, &node(10, 20)).to_string(),
        "web/web-1  live        2 vCPU, 2Gi -> 4 vCPU, 4Gi (its Pod becomes cpu 4, memory 4352Mi on node-a)\n\
         web/web-2  restart     2 vCPU, 2Gi -> 40 vCPU, 2Gi (it booted with 1 to 32 vCPU and 1Gi to 128Gi)\n\
         web/web-3  infeasible  2 vCPU, 2Gi -> 20 vCPU, 2Gi (its Pod needs cpu 20, memory 2304Mi, and node-a has cpu 16, memory 64Gi in all)\n\
         web/web-4  deferred    2 vCPU, 2Gi -> 2 vCPU, 60Gi (its Pod needs cpu 0, memory 58Gi more, and node-a has cpu 4, memory 42Gi free)\n\
         web/web-5  live        2 vCPU, 2Gi -> 4 vCPU, 4Gi (it does not run; it starts with this size)\n\
         web/web-6  create      1 vCPU, 1Gi (a new VM)"
    );
}

#[test]
fn a_shrink_of_the_same_commit_makes_room_for_a_growth() {
    let growth = subject("web-1", size(2, 2), size(2, 30));
    let full = node(8, 50);
    assert_eq!(plan(std::slice::from_ref(&growth), &full).changes[0].mode.as_str(), "deferred");
    let both = [growth, subject("web-2", size(2, 40), size(2, 10))];
    let modes: Vec<_> = plan(&both, &full).changes.iter().map(|change| change.mode.as_str()).collect();
    assert_eq!(modes, ["live", "live"]);
}
