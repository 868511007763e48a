//! What the pipeline looks at: one VM, its Pod, its node and the daemon's report, as plain values.
//!
//! Values only. Turning API objects into these is `observe`'s work; nothing here decides.

use crate::decide::room::{Claim, Neighbourhood};
use reef_api::vm::{VirtualMachineStatus, VmmStatus};
use reef_api::{Bytes, MilliCpu, PodSize};

/// A VM and everything that belongs to it, as last observed.
#[derive(Clone, Debug, PartialEq)]
pub struct VmObserved {
    /// UID of the VirtualMachine.
    pub uid: String,
    /// resourceVersion of the view.
    pub resource_version: String,
    /// Generation of the spec.
    pub generation: i64,
    /// Whether the object is being deleted.
    pub deleting: bool,
    /// Status as the cluster has it.
    pub status: VirtualMachineStatus,
    /// Pods that the VM owns, the oldest first.
    pub pods: Vec<PodObserved>,
    /// Names of Pods that an earlier VM of this name has left and that may still run: they have its disks open.
    pub leftovers: Vec<String>,
    /// The node of the VM's Pod.
    pub node: Option<NodeObserved>,
    /// The last refusal of a request of ours for this VM by the API server, kept in memory until the VM or the Pod changes.
    pub refusal: Option<Refusal>,
    /// The VMs of its node, where this one waits for room there.
    pub neighbourhood: Option<Neighbourhood>,
    /// Another writer that has undone what was wished for the VM's Pod, while the VM holds for it; kept in memory.
    pub contest: Option<Contest>,
}

/// A Pod of a VM.
#[derive(Clone, Debug, PartialEq)]
pub struct PodObserved {
    /// Name of the Pod.
    pub name: String,
    /// UID of the Pod.
    pub uid: String,
    /// resourceVersion of the view.
    pub resource_version: String,
    /// Where the Pod is in its life.
    pub phase: PodPhase,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Node that it is bound to.
    pub node: Option<String>,
    /// Why it has no node, where the scheduler said so.
    pub unschedulable: Option<String>,
    /// Why its container is not running, where the kubelet said so (`OOMKilled`, `ErrImagePull`, ...).
    pub trouble: Option<String>,
    /// Whether it ended before its VM ran: the container or one before it could not start, or the launcher gave up.
    pub unbooted: bool,
    /// Generation of the VM's spec that it was made for, where it says so.
    pub made_for: Option<i64>,
    /// The request for a new start that it was made for, where it was.
    pub restarted: Option<String>,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// Resources that the spec of the container `vm-manager` wishes.
    pub spec: PodSize,
    /// Resources that the kubelet has set aside; the CPU limit is not part of it and repeats the spec's.
    pub allocated: Option<PodSize>,
    /// Resources that the runtime has put into effect.
    pub actual: Option<PodSize>,
    /// Condition `PodResizePending`, where it is there and about the present generation.
    pub pending: Option<ResizePending>,
    /// Condition `PodResizeInProgress`, where it is there.
    pub in_progress: Option<ResizeInProgress>,
    /// How often these numbers were read.
    pub reads: Reads,
}

/// How often the numbers of a Pod were read with nothing else in between. A kubelet may tell new numbers, then once more those of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Once: they may be about to change again.
    Once,
    /// At least twice, and some time apart.
    Twice,
}

/// Where a Pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Not started.
    Pending,
    /// Its container runs.
    Running,
    /// Its container ended well.
    Succeeded,
    /// Its container failed, or the Pod was evicted.
    Failed,
    /// The kubelet has not been heard of.
    Unknown,
}

/// Why the kubelet has not taken up a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingReason {
    /// No room at present.
    Deferred,
    /// Never.
    Infeasible,
}

/// The condition `PodResizePending`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResizePending {
    /// Deferred or infeasible.
    pub reason: PendingReason,
    /// What the kubelet says. Since when it does is of its clock, and not kept: a wait is counted by the times that the controller wrote.
    pub message: String,
}

/// The condition `PodResizeInProgress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResizeInProgress {
    /// What the kubelet says where its reason is `Error`.
    pub error: Option<String>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeObserved {
    /// Name of the node.
    pub name: String,
    /// Whether its condition `Ready` is True.
    pub ready: bool,
    /// Allocatable CPU.
    pub cpu: MilliCpu,
    /// Allocatable memory.
    pub memory: Bytes,
}

impl NodeObserved {
    /// The capacity in the form of `status.resize.refused.capacity`.
    pub fn capacity(&self) -> String {
        format!("cpu={},memory={}", self.cpu, self.memory)
    }
}

/// A request of ours that the API server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Generation of the VM whose target was asked for.
    pub generation: i64,
    /// UID of the Pod that was asked; empty for one that was to be created.
    pub pod_uid: String,
    /// The wishes for that Pod that were refused; none for one that was to be created.
    pub wishes: Vec<PodSize>,
    /// Why.
    pub kind: RefusalKind,
    /// What the API server said.
    pub message: String,
}

/// Another writer that resizes the Pod of a VM again and again, and that a VM holds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contest {
    /// Generation of the VM whose wishes were undone.
    pub generation: i64,
    /// UID of the Pod.
    pub pod_uid: String,
    /// The field manager that resized the Pod last, where the Pod tells.
    pub writer: Option<String>,
    /// What it wished when the VM began to hold.
    pub theirs: PodSize,
    /// What Reef wished.
    pub ours: PodSize,
}

/// Why the API server refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The node can never hold it (Kubernetes 1.36 and later say so at admission).
    NodeCapacity,
    /// A quota or limit range is exceeded.
    Quota,
    /// Another admission webhook or policy refuses.
    Admission,
    /// The right is missing.
    Forbidden,
    /// The server does not know `pods/resize`.
    Unsupported,
    /// The request is not valid.
    Invalid,
}

impl VmObserved {
    /// The VM's Pod: the one that the status names while it is alive, else the oldest that is alive, else the newest.
    pub fn pod(&self) -> Option<&PodObserved> {
        let named = |pod: &&PodObserved| pod.alive() && self.status.vm_pod_uid.as_deref() == Some(pod.uid.as_str());
        let alive = || self.pods.iter().find(|pod| pod.alive());
        self.pods.iter().find(named).or_else(alive).or_else(|| self.pods.last())
    }

    /// The daemon's report, where it is about the VM's present Pod.
    pub fn report(&self) -> Option<&VmmStatus> {
        self.status.report_about(&self.pod()?.uid)
    }
}

impl PodObserved {
    /// Whether the Pod runs or may yet run.
    pub fn alive(&self) -> bool {
        !self.deleting && matches!(self.phase, PodPhase::Pending | PodPhase::Running | PodPhase::Unknown)
    }

    /// What the Pod takes of its node, as the kubelet counts when it looks for room: what it has set aside, and not what is wished for.
    pub fn claim(&self) -> Claim {
        Claim::from(self.allocated.unwrap_or(self.spec))
    }

    /// Whether the status is about the present spec.
    pub fn caught_up(&self) -> bool {
        self.observed_generation >= self.generation
    }
}
