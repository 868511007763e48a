//! A VM that settled, and what is wanted of it: what tests of the pipeline play with. Nothing is checked here but that a status comes to rest.

#![allow(dead_code, reason = "each test file uses a part of it")]

use crate::support::settled_pod;
use jiff::Timestamp;
use reef_api::vm::{BootStatus, Process, VirtualMachineStatus, VmmStatus};
use reef_api::{Bytes, MilliCpu, Overcommit, Phase, PodSize, Reason, Size, Vcpus, Vm, condition};
use reef_reconciler::decide::action::Action;
use reef_reconciler::decide::asked::Asked;
use reef_reconciler::decide::observed::{NodeObserved, PodObserved, Refusal, RefusalKind, VmObserved};
use reef_reconciler::decide::pipeline::next;
use reef_reconciler::decide::target::{Placement, Target};
use vm::vm;

#[path = "vm.rs"]
mod vm;

pub use vm::OVERHEAD;

pub const BEFORE: Size = Size::new(Vcpus(2), Bytes(2 << 30));
pub const LARGER: Size = Size::new(Vcpus(4), Bytes(4 << 30));
pub const SMALLER: Size = Size::new(Vcpus(1), Bytes(1 << 30));

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

pub fn carrying(size: Size) -> PodSize {
    PodSize::carrying(size, OVERHEAD, Overcommit::NONE)
}

/// A VM that settled at `BEFORE`, and what is wanted of it.
pub struct Case {
    pub target: Target,
    pub view: VmObserved,
}

impl Case {
    pub fn settled_and_now(wanted: Size) -> Self {
        let mut case = Self { target: target(BEFORE, 1), view: settled_view() };
        case.rest(at(0));
        assert_eq!(case.ready(), ("True", Reason::Settled));
        case.target = target(wanted, 2);
        case.view.generation = 2;
        case
    }

    /// Writes statuses until something else is asked for, and tells what.
    pub fn rest(&mut self, now: Timestamp) -> Action {
        for _ in 0..5 {
            let step = next(&self.target, &self.view, now);
            let Action::WriteStatus { status, .. } = step.action else { return step.action };
            let written = &mut self.view.status;
            written.phase = Some(status.phase);
            (written.resize, written.history, written.conditions) = (status.resize, status.history, status.conditions);
            (written.vm_pod_name, written.vm_pod_uid) = (status.pod_name, status.pod_uid);
            written.node_name = status.node_name;
        }
        panic!("the status never comes to rest: {:?}", self.view.status)
    }

    pub fn pod(&mut self) -> &mut PodObserved {
        self.view.pods.first_mut().unwrap()
    }

    pub fn report(&mut self) -> &mut VmmStatus {
        self.view.status.vmm.as_mut().unwrap()
    }

    /// The wish is patched and the kubelet has seen it.
    pub fn patched(&mut self, size: Size) {
        let pod = self.pod();
        pod.spec = carrying(size);
        (pod.generation, pod.observed_generation) = (2, 2);
    }

    /// The API server has refused a wish for the Pod, of the present generation.
    pub fn refused(&mut self, kind: RefusalKind, wish: PodSize, message: &str) {
        let (generation, message) = (self.target.generation, message.to_owned());
        let refusal = Refusal { generation, pod_uid: "pod-uid".to_owned(), wishes: vec![wish], kind, message };
        self.view.refusal = Some(refusal);
    }

    pub fn ready(&self) -> (&str, Reason) {
        let ready = condition::find(&self.view.status.conditions, condition::READY).unwrap();
        (&ready.status, *Reason::ALL.iter().find(|reason| reason.as_str() == ready.reason).unwrap())
    }

    pub fn phase(&self) -> Phase {
        self.view.status.phase.unwrap()
    }
}

pub fn target(size: Size, generation: i64) -> Target {
    let vm = Vm { floor: SMALLER, ceiling: Size::new(Vcpus(8), Bytes(8 << 30)), ..vm("web-1", size) };
    Target {
        generation,
        revision: None,
        vm,
        problem: None,
        asked: Asked::default(),
        hold: None,
        placement: Placement::default(),
    }
}

pub fn settled_view() -> VmObserved {
    let pod = settled_pod("pod-uid", carrying(BEFORE));
    let node = NodeObserved { name: "node-a".to_owned(), ready: true, cpu: MilliCpu(16_000), memory: Bytes(64 << 30) };
    let status = VirtualMachineStatus { vmm: Some(report()), ..VirtualMachineStatus::default() };
    VmObserved {
        uid: "vm-uid".to_owned(),
        resource_version: "9".to_owned(),
        generation: 1,
        deleting: false,
        status,
        pods: vec![pod],
        leftovers: Vec::new(),
        node: Some(node),
        refusal: None,
        neighbourhood: None,
        contest: None,
    }
}

pub fn report() -> VmmStatus {
    VmmStatus {
        pod_uid: "pod-uid".to_owned(),
        process: Process { pid: 1, start_time: 1 },
        ack_seq: 0,
        vcpus_requested: BEFORE.vcpus,
        vcpus_present: BEFORE.vcpus,
        memory_requested: BEFORE.memory,
        memory_actual: BEFORE.memory,
        used: None,
        waiting: None,
        stuck: None,
        boot: BootStatus {
            min_vcpus: Vcpus(1),
            max_vcpus: Vcpus(8),
            min_memory: Bytes(1 << 30),
            max_memory: Bytes(8 << 30),
        },
        limitations: Vec::new(),
        version: "53.0.0".to_owned(),
        paused: false,
    }
}
