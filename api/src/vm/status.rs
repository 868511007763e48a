//! `VirtualMachine.status`: the channel between controller and daemon, and what people see.
//!
//! One writer for each field: `vmm` is the daemon's, everything else the controller's.

use crate::condition;
use crate::phase::Phase;
use crate::policy::{PartialSize, ShrinkGate};
use crate::reason::Reason;
use crate::size::Size;
use crate::units::{Bytes, Vcpus};
use crate::vm::{Limitation, Partial, Refused, Stalled, VirtualMachine};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of a VM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualMachineStatus {
    /// Where the VM is in its life. Controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Node that the VM's Pod runs on. Controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// Name of the VM's Pod. Controller.
    #[serde(rename = "vmPodName", skip_serializing_if = "Option::is_none")]
    pub vm_pod_name: Option<String>,
    /// UID of the VM's Pod. Controller.
    #[serde(rename = "vmPodUID", skip_serializing_if = "Option::is_none")]
    pub vm_pod_uid: Option<String>,
    /// The resize that is going on, or the last one. Controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<ResizeStatus>,
    /// The last ten sizes, the newest last. Controller.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// What the node daemon reports. Daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmm: Option<VmmStatus>,
    /// `Ready`, `Reconciling`, `Stalled`, `Resized`, `Resizable`. Controller.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl VirtualMachine {
    /// Whether the VM says that it is as its present spec asks for: `Ready`, about this generation.
    pub fn is_settled(&self) -> bool {
        let conditions = self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let ready = condition::find(conditions, condition::READY);
        ready.is_some_and(|ready| ready.status == "True" && ready.observed_generation == self.metadata.generation)
    }

    /// What the guest has by the daemon's report; nothing before the first.
    pub fn actual(&self) -> Option<Size> {
        self.status.as_ref()?.vmm.as_ref().map(VmmStatus::actual)
    }
}

/// A resize: target, aim, and what the daemon may ask of the VMM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResizeStatus {
    /// Pod that is being resized. Another Pod means that the VM was started anew and everything here is of before.
    #[serde(rename = "podUID")]
    pub pod_uid: String,
    /// Generation of the spec that the target was taken from.
    pub generation: i64,
    /// Commit that asked for it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What the spec asks for at that generation.
    pub target: Size,
    /// The target, or less for the reason beside it.
    pub aim: Size,
    /// What the daemon may ask of the VMM. Its number only grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// Earlier grants that the daemon may still act on: none is older than the one it acknowledged last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outstanding: Vec<Grant>,
    /// Why the resize is where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When the target was taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When the present reason began for this generation, which leases and stalls are counted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub reason_since: Option<Timestamp>,
    /// The target that the node cannot hold, remembered until the spec or the node changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// What the guest does not follow with, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<Stalled>,
    /// What was given up because the guest did not follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Partial>,
    /// The value of the annotation `reef.dev/retry-requested-at` that was taken up last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_handled: Option<String>,
    /// The value of the annotation `reef.dev/settle-requested-at` that was taken up last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_handled: Option<String>,
}

/// A permission to the daemon: it may ask the VMM for this size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Pod that the grant is for. A daemon never acts on a grant for another Pod: the VM may have been started anew at another size.
    #[serde(rename = "podUID")]
    pub pod_uid: String,
    /// Number of the grant; a larger one replaces a smaller one.
    pub seq: u64,
    /// vCPUs that the VMM may be asked for.
    pub vcpus: Vcpus,
    /// Guest memory that the VMM may be asked for.
    pub memory: Bytes,
    /// What a step of a shrink to it has to pass.
    #[serde(default, skip_serializing_if = "ShrinkGate::is_usual")]
    pub gate: ShrinkGate,
}

impl Grant {
    /// The granted size.
    pub const fn size(&self) -> Size {
        Size::new(self.vcpus, self.memory)
    }
}

/// How a resize ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// Still going on.
    InProgress,
    /// The guest has it and the Pod agrees.
    Settled,
    /// The node can never hold it.
    Infeasible,
    /// Given up because the node had no room for too long.
    Deferred,
    /// The guest followed in part.
    Partial,
    /// It needs a restart.
    RestartRequired,
    /// A newer target came before it ended.
    Superseded,
    /// The VM ended before it did.
    Ended,
}

/// One size that was asked for, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Pod that had or was to have the size.
    #[serde(rename = "podUID")]
    pub pod_uid: String,
    /// Generation of the spec.
    pub generation: i64,
    /// Commit that asked for it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The size.
    pub target: Size,
    /// What became of it.
    pub outcome: Outcome,
    /// When it was taken up.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// When the VMM could be asked for the whole of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub granted_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
}

/// The daemon's report: an acknowledgement, and what it saw at that moment or later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmmStatus {
    /// Pod that the report is about; a report about another Pod counts as none.
    #[serde(rename = "podUID")]
    pub pod_uid: String,
    /// VMM process that the report is about.
    pub process: Process,
    /// Number of the grant that the daemon has taken over last; 0 before the first.
    pub ack_seq: u64,
    /// vCPUs that the VMM was last asked for.
    pub vcpus_requested: Vcpus,
    /// vCPU threads that the VMM has.
    pub vcpus_present: Vcpus,
    /// Memory that the VMM was last asked for.
    pub memory_requested: Bytes,
    /// Memory that is plugged into the guest.
    pub memory_actual: Bytes,
    /// What the guest uses; only while a gate waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
    /// What the daemon waits for, when it cannot ask for what was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<VmmWaiting>,
    /// What the guest has of each resource that has not moved for so long that the rest may be given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<PartialSize>,
    /// What the VM booted with.
    pub boot: BootStatus,
    /// What the VMM cannot do while the VM runs, within what it booted with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limitations: Vec<Limitation>,
    /// Version that the VMM tells of itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Whether the VMM is paused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

impl VmmStatus {
    /// What the VMM was last asked for.
    pub const fn requested(&self) -> Size {
        Size::new(self.vcpus_requested, self.memory_requested)
    }

    /// What the guest has.
    pub const fn actual(&self) -> Size {
        Size::new(self.vcpus_present, self.memory_actual)
    }

    /// Whether a size can be reached without a restart: it lies within what the VM booted with, and the VMM can do it.
    pub fn allows(&self, size: Size) -> bool {
        self.boot.allows(size) && Limitation::all_allow(&self.limitations, self.actual(), size)
    }
}

/// A process, so that a number that was used again is not mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Process id on the node.
    pub pid: u32,
    /// Start time in clock ticks since the node booted (field 22 of `/proc/PID/stat`).
    pub start_time: u64,
}

/// What the guest uses, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// The use.
    pub bytes: Bytes,
    /// Where the number comes from.
    pub source: UsedSource,
}

/// Where the guest's use is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UsedSource {
    /// The container's cgroup, under free page reporting; page cache counts as use.
    Cgroup,
    /// The guest's own statistics by the balloon.
    GuestStatistics,
}

/// What the daemon waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmmWaiting {
    /// The word for programs.
    pub reason: Reason,
    /// The sentence for people.
    pub message: String,
}

/// Floor and ceiling that a VM booted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BootStatus {
    /// Fewest vCPUs.
    pub min_vcpus: Vcpus,
    /// Most vCPUs.
    pub max_vcpus: Vcpus,
    /// Least memory.
    pub min_memory: Bytes,
    /// Most memory.
    pub max_memory: Bytes,
}

impl BootStatus {
    /// Whether a size can be reached without a restart.
    pub fn allows(&self, size: Size) -> bool {
        (self.min_vcpus..=self.max_vcpus).contains(&size.vcpus)
            && (self.min_memory..=self.max_memory).contains(&size.memory)
    }
}
