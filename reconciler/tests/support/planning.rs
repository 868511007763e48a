//! Subjects and facts for tests of plans.

use reef_api::facts::{Claim, ClusterFacts, NodeFacts, VmFacts, VmPodFacts, VmmFacts};
use reef_api::vm::{BootStatus, RunPolicy, VmmKind};
use reef_api::{Bytes, MilliCpu, Overcommit, PodSize, Size, Vcpus, Vm, VmKey};
use reef_reconciler::decide::plan::{Subject, Wanted};
use reef_reconciler::decide::target::Placement;
use vm::OVERHEAD;

#[path = "vm.rs"]
mod vm;

pub const GIB: u64 = 1024 * 1024 * 1024;

pub fn size(vcpus: u32, gib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(gib * GIB))
}

fn vm(name: &str, size: Size, run_policy: RunPolicy) -> Vm {
    Vm { ceiling: self::size(64, 256), run_policy, ..vm::vm(name, size) }
}

/// A VM of the namespace `web` that is to have another size.
pub fn subject(name: &str, from: Size, to: Size) -> Subject {
    Subject {
        labels: std::collections::BTreeMap::new(),
        policy: reef_api::EffectivePolicy::default(),
        key: VmKey::new("web", name),
        before: Some(vm(name, from, RunPolicy::Always)),
        wanted: Wanted::Stated(Box::new(vm(name, to, RunPolicy::Always))),
        fields: Vec::new(),
        source: None,
        place: None,
        moved_from: None,
        placement: Placement::default(),
    }
}

/// The same with other run policies.
pub fn running(mut subject: Subject, before: RunPolicy, after: RunPolicy) -> Subject {
    if let Some(vm) = subject.before.as_mut() {
        vm.run_policy = before;
    }
    if let Wanted::Stated(vm) = &mut subject.wanted {
        vm.run_policy = after;
    }
    subject
}

/// Facts, put together step by step.
#[derive(Default)]
pub struct Cluster {
    pub facts: ClusterFacts,
}

impl Cluster {
    /// Adds a node of so many CPUs and GiB, of which so much is taken.
    pub fn node(mut self, name: &str, cpus: u64, gib: u64, cpus_taken: u64, gib_taken: u64) -> Self {
        let taken = Claim { cpu: MilliCpu(cpus_taken * 1000), memory: Bytes(gib_taken * GIB) };
        self.facts.nodes.push(NodeFacts {
            name: name.to_owned(),
            cpu: MilliCpu(cpus * 1000),
            memory: Bytes(gib * GIB),
            requested: taken,
            allocated: taken,
            schedulable: true,
            ..NodeFacts::default()
        });
        self
    }

    /// Adds a VM that runs, booted with 1 to 32 vCPU and 1Gi to 128Gi. What it takes is part of what its node has taken.
    pub fn vm(self, name: &str, node: &str, has: Size) -> Self {
        self.waiting(name, node, has, has)
    }

    /// The same, whose Pod wishes for another size than is set aside for it.
    pub fn waiting(mut self, name: &str, node: &str, has: Size, wish: Size) -> Self {
        let boot = BootStatus {
            min_vcpus: Vcpus(1),
            max_vcpus: Vcpus(32),
            min_memory: Bytes(GIB),
            max_memory: Bytes(128 * GIB),
        };
        let pod = |size| PodSize::carrying(size, OVERHEAD, Overcommit::NONE);
        self.facts.vms.push(VmFacts {
            namespace: "web".to_owned(),
            name: name.to_owned(),
            source: None,
            suspended: None,
            size: has,
            promised: None,
            run_policy: None,
            labels: std::collections::BTreeMap::new(),
            stated: None,
            pod: Some(VmPodFacts { node: Some(node.to_owned()), wish: pod(wish), allocated: pod(has) }),
            vmm: Some(VmmFacts {
                kind: VmmKind::CloudHypervisor,
                version: None,
                boot,
                limitations: Vec::new(),
                actual: has,
            }),
        });
        self
    }
}
