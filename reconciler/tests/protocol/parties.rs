//! The other parties of the protocol tests, by their measured rules: kubelet, VMM with its guest, and a daemon that keeps rule 3.

use crate::world::{GIB, OVERHEAD, VmObject};
use reef_api::vm::{BootStatus, Grant, Process, VmmStatus};
use reef_api::{Bytes, Size, Vcpus};
use reef_reconciler::decide::observed::{PendingReason, PodObserved, ResizeInProgress, ResizePending};
use std::collections::VecDeque;

/// Takes up wishes and puts them into effect.
#[derive(Debug)]
pub struct Kubelet {
    pub pod: PodObserved,
}

impl Kubelet {
    /// Makes a change visible.
    pub fn touch(&mut self) {
        let version: u64 = self.pod.resource_version.parse().unwrap();
        self.pod.resource_version = (version + 1).to_string();
    }

    /// Takes up the wish, defers it without room, refuses what the node can never hold.
    pub fn allocate(&mut self, room: bool, limit: u64) {
        let pod = &mut self.pod;
        let growth = pod.allocated.is_some_and(|allocated| !allocated.covers(pod.spec));
        if pod.caught_up() && pod.allocated == Some(pod.spec) {
            return;
        }
        pod.observed_generation = pod.generation;
        let told = |reason, message: &str| Some(ResizePending { reason, message: message.to_owned() });
        if pod.spec.memory.0 > limit {
            pod.pending = told(PendingReason::Infeasible, "Node didn't have enough capacity: memory");
        } else if growth && !room {
            pod.pending = told(PendingReason::Deferred, "Node didn't have enough resource: memory");
        } else {
            pod.pending = None;
            pod.allocated = Some(pod.spec);
            pod.in_progress = Some(ResizeInProgress { error: None });
        }
        self.touch();
    }

    /// Puts what is allocated into effect, but no memory limit below use.
    pub fn actuate(&mut self, used: u64) {
        let pod = &mut self.pod;
        if pod.actual == pod.allocated && pod.in_progress.is_none() {
            return;
        }
        let fits = pod.allocated.is_some_and(|allocated| allocated.memory.0 >= used);
        if fits {
            pod.actual = pod.allocated;
            pod.in_progress = None;
        } else {
            pod.in_progress = Some(ResizeInProgress { error: Some("below current usage".to_owned()) });
        }
        self.touch();
    }
}

/// A VMM with its guest. Requests are served one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Vmm {
    pub requested: Size,
    pub actual: Size,
    queue: VecDeque<Request>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Request {
    Vcpus(Vcpus),
    Memory(Bytes),
}

impl Vmm {
    /// Settled at a size.
    pub fn booted(size: Size) -> Self {
        Self { requested: size, actual: size, queue: VecDeque::new() }
    }

    /// Serves everything that was sent; another CPU target while a removal is pending is refused.
    pub fn serve(&mut self, log: &mut Vec<String>) {
        while let Some(request) = self.queue.pop_front() {
            match request {
                Request::Vcpus(vcpus) if self.requested.vcpus >= self.actual.vcpus => {
                    self.requested.vcpus = vcpus;
                    log.push(format!("ask {vcpus} vCPU"));
                }
                Request::Memory(memory) => {
                    self.requested.memory = memory;
                    log.push(format!("ask {memory}"));
                }
                Request::Vcpus(_) => {}
            }
        }
    }

    /// One vCPU and one GiB nearer.
    pub fn guest_moves(&mut self) {
        let (wanted, has) = (self.requested.vcpus.0, self.actual.vcpus.0);
        self.actual.vcpus = Vcpus(if has < wanted { has + 1 } else { wanted.max(has.saturating_sub(1)) });
        let (wanted, has) = (self.requested.memory.0, self.actual.memory.0);
        self.actual.memory = Bytes(if has < wanted { has + GIB } else { wanted.max(has.saturating_sub(GIB)) });
    }

    /// Memory that the process may use at most.
    pub fn holds_memory(&self) -> u64 {
        self.actual.memory.0 + OVERHEAD.0
    }
}

/// A daemon that keeps rule 3 and its guards.
#[derive(Debug, Default)]
pub struct Daemon {
    view: Option<VmObject>,
    taken: Option<Grant>,
}

impl Daemon {
    /// The watch brings a VM.
    pub fn see(&mut self, vm: &VmObject) {
        self.view = Some(vm.clone());
    }

    /// Version of the view that a write is computed from.
    pub fn seen_version(&self) -> Option<u64> {
        self.view.as_ref().map(|vm| vm.version)
    }

    /// The write went through: only now may be asked for what it took over.
    pub fn acknowledged(&mut self, vm: &VmObject, seq: u64) {
        let grant = vm.status.resize.as_ref().and_then(|resize| resize.grant.clone());
        self.taken = grant.filter(|grant| grant.seq == seq).or_else(|| self.taken.take());
        self.see(vm);
    }

    /// One thing: ask, or report. While a request is in the VMM's queue nothing is taken over: two `vm.info` in a row tell that it is empty.
    pub fn act(&mut self, vmm: &mut Vmm) -> Option<VmmStatus> {
        let view = self.view.clone()?;
        if !vmm.queue.is_empty() {
            return None;
        }
        let grant = view.status.resize.as_ref().and_then(|resize| resize.grant.clone());
        let taken = self.taken.as_ref().filter(|taken| Some(*taken) == grant.as_ref());
        if taken.is_some_and(|taken| Self::ask(vmm, taken)) {
            return None;
        }
        let before = view.status.vmm.as_ref().map_or(0, |report| report.ack_seq);
        let fresh = grant.as_ref().filter(|grant| self.taken.as_ref() != Some(grant)).map(|grant| grant.seq);
        let report = report(vmm, fresh.unwrap_or(before));
        (view.status.vmm.as_ref() != Some(&report) || fresh.is_some()).then_some(report)
    }

    /// Asks for both resources. It does not look at the cgroup's limit as the real daemon does, so that the controller's own order is what is tested.
    fn ask(vmm: &mut Vmm, grant: &Grant) -> bool {
        let removal_pending = vmm.requested.vcpus < vmm.actual.vcpus;
        let before = vmm.queue.len();
        if vmm.requested.vcpus != grant.vcpus && !removal_pending {
            vmm.queue.push_back(Request::Vcpus(grant.vcpus));
        }
        if vmm.requested.memory != grant.memory {
            vmm.queue.push_back(Request::Memory(grant.memory));
        }
        vmm.queue.len() > before
    }
}

fn report(vmm: &Vmm, ack_seq: u64) -> VmmStatus {
    VmmStatus {
        pod_uid: "pod-uid".to_owned(),
        process: Process { pid: 42, start_time: 7 },
        ack_seq,
        vcpus_requested: vmm.requested.vcpus,
        vcpus_present: vmm.actual.vcpus,
        memory_requested: vmm.requested.memory,
        memory_actual: vmm.actual.memory,
        used: None,
        waiting: None,
        stuck: None,
        boot: BootStatus {
            min_vcpus: Vcpus(1),
            max_vcpus: Vcpus(6),
            min_memory: Bytes(GIB),
            max_memory: Bytes(6 * GIB),
        },
        limitations: Vec::new(),
        version: "v53.0".to_owned(),
        paused: false,
    }
}
