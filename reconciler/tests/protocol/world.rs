//! The world of the protocol tests: the two objects, the parties, and the moves between them.

use crate::parties::{Daemon, Kubelet, Vmm};
use crate::support::settled_pod;
pub use crate::vm::OVERHEAD;
use crate::vm::vm;
use jiff::Timestamp;
use proptest::prelude::*;
use reef_api::vm::VirtualMachineStatus;
use reef_api::{Bytes, MilliCpu, Overcommit, PodSize, Reason, Size, Vcpus, Vm};
use reef_reconciler::decide::action::{Action, ControllerStatus};
use reef_reconciler::decide::asked::Asked;
use reef_reconciler::decide::observed::{NodeObserved, PodObserved, VmObserved};
use reef_reconciler::decide::pipeline;
use reef_reconciler::decide::target::{Placement, Target};

/// One GiB.
pub const GIB: u64 = 1024 * 1024 * 1024;

/// One move of one party.
#[derive(Clone, Debug)]
pub enum Move {
    /// Somebody pushes a size.
    Want { vcpus: u32, gib: u64 },
    /// The controller's watch brings the VM.
    ControllerSeesVm,
    /// The controller's watch brings the Pod.
    ControllerSeesPod,
    /// The controller decides and does one thing, or loses the reply.
    ControllerActs { reply_lost: bool },
    /// The controller is killed and starts from a consistent list.
    ControllerCrashes,
    /// The kubelet takes up, defers or refuses the wish.
    KubeletAllocates { room: bool },
    /// The kubelet puts what is allocated into effect.
    KubeletActuates,
    /// The daemon's watch brings the VM.
    DaemonSeesVm,
    /// The daemon decides and does one thing.
    DaemonActs,
    /// The daemon is killed.
    DaemonCrashes,
    /// The VMM serves what is in its queue.
    VmmServes,
    /// The guest follows by a block or a vCPU.
    GuestMoves,
}

/// Any move, the steps that make progress more often than the failures.
pub fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        2 => (1..=6u32, 1..=6u64).prop_map(|(vcpus, gib)| Move::Want { vcpus, gib }),
        4 => Just(Move::ControllerSeesVm),
        4 => Just(Move::ControllerSeesPod),
        8 => prop::bool::weighted(0.1).prop_map(|reply_lost| Move::ControllerActs { reply_lost }),
        1 => Just(Move::ControllerCrashes),
        4 => prop::bool::weighted(0.8).prop_map(|room| Move::KubeletAllocates { room }),
        4 => Just(Move::KubeletActuates),
        4 => Just(Move::DaemonSeesVm),
        8 => Just(Move::DaemonActs),
        1 => Just(Move::DaemonCrashes),
        5 => Just(Move::VmmServes),
        6 => Just(Move::GuestMoves),
    ]
}

/// The VirtualMachine as the API server has it.
#[derive(Clone, Debug)]
pub struct VmObject {
    pub version: u64,
    pub generation: i64,
    pub size: Size,
    pub status: VirtualMachineStatus,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    pub vm: VmObject,
    pub kubelet: Kubelet,
    pub vmm: Vmm,
    pub daemon: Daemon,
    pub log: Vec<String>,
    pub node_limit_gib: u64,
    seen_vm: VmObject,
    seen_pod: PodObserved,
    second: i64,
    writes: usize,
}

impl World {
    /// Two vCPUs and 2Gi, settled, in a Pod that carries them.
    pub fn new() -> Self {
        let size = Size::new(Vcpus(2), Bytes(2 * GIB));
        let vm = VmObject { version: 1, generation: 1, size, status: VirtualMachineStatus::default() };
        let pod = settled_pod("pod-uid", PodSize::carrying(size, OVERHEAD, Overcommit::NONE));
        let mut world = Self {
            seen_vm: vm.clone(),
            seen_pod: pod.clone(),
            vm,
            kubelet: Kubelet { pod },
            vmm: Vmm::booted(size),
            daemon: Daemon::default(),
            log: Vec::new(),
            node_limit_gib: 64,
            second: 0,
            writes: 0,
        };
        world.calm_down().unwrap();
        world.log.clear();
        world
    }

    /// Plays one move.
    pub fn apply(&mut self, step: &Move) {
        self.second += 1;
        match step {
            Move::Want { vcpus, gib } => self.want(Size::new(Vcpus(*vcpus), Bytes(gib * GIB))),
            Move::ControllerSeesVm => self.seen_vm = self.vm.clone(),
            Move::ControllerSeesPod => self.seen_pod = self.kubelet.pod.clone(),
            Move::ControllerActs { reply_lost } => self.controller_acts(*reply_lost),
            Move::ControllerCrashes => self.refresh(),
            Move::KubeletAllocates { room } => self.kubelet.allocate(*room, self.node_limit_gib * GIB),
            Move::KubeletActuates => self.kubelet.actuate(self.vmm.holds_memory()),
            Move::DaemonSeesVm => self.daemon.see(&self.vm),
            Move::DaemonActs => self.daemon_acts(),
            Move::DaemonCrashes => self.daemon = Daemon::default(),
            Move::VmmServes => self.vmm.serve(&mut self.log),
            Move::GuestMoves => self.vmm.guest_moves(),
        }
    }

    fn want(&mut self, size: Size) {
        if self.vm.size != size {
            self.vm.size = size;
            self.vm.generation += 1;
            self.vm.version += 1;
        }
    }

    fn refresh(&mut self) {
        self.seen_vm = self.vm.clone();
        self.seen_pod = self.kubelet.pod.clone();
    }

    fn observed(&self) -> VmObserved {
        VmObserved {
            uid: "vm-uid".to_owned(),
            resource_version: self.seen_vm.version.to_string(),
            generation: self.seen_vm.generation,
            deleting: false,
            status: self.seen_vm.status.clone(),
            pods: vec![self.seen_pod.clone()],
            leftovers: Vec::new(),
            node: Some(NodeObserved {
                name: "node-a".to_owned(),
                ready: true,
                cpu: MilliCpu(16_000),
                memory: Bytes(self.node_limit_gib * GIB),
            }),
            refusal: None,
            neighbourhood: None,
            contest: None,
        }
    }

    fn target(&self) -> Target {
        let vm = Vm { ceiling: Size::new(Vcpus(6), Bytes(6 * GIB)), ..vm("web-1", self.seen_vm.size) };
        Target {
            generation: self.seen_vm.generation,
            revision: None,
            vm,
            problem: None,
            asked: Asked::default(),
            hold: None,
            placement: Placement::default(),
        }
    }

    fn controller_acts(&mut self, reply_lost: bool) {
        let now = Timestamp::from_second(1_000_000 + self.second).unwrap();
        let step = pipeline::next(&self.target(), &self.observed(), now);
        match step.action {
            Action::Rest => return,
            Action::WriteStatus { status, .. } => self.write_status(*status),
            Action::ResizePod { uid, resource_version, wish, .. } => self.resize_pod(&uid, &resource_version, wish),
            Action::ReadPod { .. } | Action::CreatePod(_) | Action::DeletePod { .. } => {
                panic!("the Pod runs: {:?}", step.waiting_on)
            }
        }
        self.writes += 1;
        // A reply brings the new object; a conflict and a lost reply make the controller read both again before it decides anew.
        if reply_lost {
            self.refresh();
        }
    }

    fn write_status(&mut self, status: ControllerStatus) {
        if self.seen_vm.version != self.vm.version {
            return self.refresh();
        }
        let before = &mut self.vm.status;
        before.phase = Some(status.phase);
        (before.node_name, before.vm_pod_name, before.vm_pod_uid) = (status.node_name, status.pod_name, status.pod_uid);
        (before.resize, before.history, before.conditions) = (status.resize, status.history, status.conditions);
        self.vm.version += 1;
        self.seen_vm = self.vm.clone();
    }

    fn resize_pod(&mut self, uid: &str, resource_version: &str, wish: PodSize) {
        let pod = &mut self.kubelet.pod;
        if pod.uid != uid || pod.resource_version != resource_version {
            return self.refresh();
        }
        pod.spec = wish;
        pod.generation += 1;
        self.kubelet.touch();
        self.log.push(format!("pod {}c/{}", wish.cpu_limit, wish.memory));
        self.seen_pod = self.kubelet.pod.clone();
    }

    fn daemon_acts(&mut self) {
        if let Some(report) = self.daemon.act(&mut self.vmm) {
            if self.daemon.seen_version() == Some(self.vm.version) {
                self.vm.status.vmm = Some(report.clone());
                self.vm.version += 1;
                self.writes += 1;
                self.daemon.acknowledged(&self.vm, report.ack_seq);
            } else {
                self.daemon.see(&self.vm);
            }
        }
    }

    /// What breaks the invariant, if anything does.
    pub fn broken(&self) -> Option<String> {
        let pod = &self.kubelet.pod;
        let most = self.vmm.requested.max(self.vmm.actual);
        let needed = PodSize::carrying(most, OVERHEAD, Overcommit::NONE);
        let all = [Some(pod.spec), pod.allocated, pod.actual];
        let broken = all.iter().flatten().any(|has| !has.covers(needed));
        broken.then(|| format!("the VM holds or was asked for {most}, its Pod is {all:?}"))
    }

    /// Lets everybody act in turn, without failures, until nothing is written any more; the number of rounds, or none within the bound.
    pub fn calm_down(&mut self) -> Option<usize> {
        let round = [
            Move::ControllerSeesVm,
            Move::ControllerSeesPod,
            Move::ControllerActs { reply_lost: false },
            Move::KubeletAllocates { room: true },
            Move::KubeletActuates,
            Move::DaemonSeesVm,
            Move::DaemonActs,
            Move::VmmServes,
            Move::GuestMoves,
        ];
        let mut quiet = 0;
        for number in 0..400 {
            let before = (self.writes, self.vmm.clone(), self.kubelet.pod.clone());
            for step in &round {
                self.apply(step);
                assert_eq!(self.broken(), None, "while calming down, {step:?}: {self:#?}");
            }
            let still = before == (self.writes, self.vmm.clone(), self.kubelet.pod.clone());
            quiet = if still { quiet + 1 } else { 0 };
            if quiet == 4 {
                return Some(number);
            }
        }
        None
    }

    /// Writes in ten further rounds.
    pub fn writes_while_resting(&mut self) -> usize {
        let before = self.writes;
        self.calm_down();
        self.writes - before
    }

    /// The reason that `Ready` gives.
    pub fn verdict(&self) -> Reason {
        let ready = reef_api::condition::find(&self.vm.status.conditions, reef_api::condition::READY).unwrap();
        *Reason::ALL.iter().find(|reason| reason.as_str() == ready.reason).unwrap()
    }
}
