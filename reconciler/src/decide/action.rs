//! What the pipeline may ask for: one action, the events that go with it, and what is waited for.
//!
//! Effects are values here. Only `act` carries them out, once each, and it has no choice left to make.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use reef_api::vm::{HistoryEntry, ResizeStatus};
use reef_api::{EventName, Phase, PodSize, Reason};
use std::time::Duration;

/// The outcome of one decision about one VM.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The one thing to do.
    pub action: Action,
    /// What the VM waits for afterwards; `None` when it is settled or ended.
    pub waiting_on: Option<Reason>,
    /// When to look again even if nothing is observed; leases and stalls end by it.
    pub look_again: Option<Duration>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nothing.
    Rest,
    /// Read the VM's Pod once more, a moment after it was seen first: a raise is granted on two reads that agree.
    ReadPod {
        /// Name of the Pod.
        name: String,
    },
    /// Create the VM's Pod. Its name is a function of the VM and its last Pod, so that a repeated creation meets itself.
    CreatePod(Box<Pod>),
    /// Delete a Pod of the VM, this uid only.
    DeletePod {
        /// Name of the Pod.
        name: String,
        /// UID that has to match.
        uid: String,
        /// resourceVersion that has to match, where nothing may have happened to the Pod meanwhile.
        resource_version: Option<String>,
    },
    /// Patch `pods/resize`, this uid and resourceVersion only.
    ResizePod {
        /// Name of the Pod.
        name: String,
        /// UID that has to match.
        uid: String,
        /// resourceVersion that the wish was computed from.
        resource_version: String,
        /// The wish.
        wish: PodSize,
    },
    /// Post the events, then write the controller's part of the VM's status, with the uid and resourceVersion of the view.
    WriteStatus {
        /// The whole of what the controller owns of the status.
        status: Box<ControllerStatus>,
        /// Events to post first; posting one that is there already is no error.
        events: Vec<PlannedEvent>,
    },
}

impl Action {
    /// What a Pod is asked to be; none where it is asked for nothing.
    pub fn wish(&self) -> Option<PodSize> {
        match self {
            Self::ResizePod { wish, .. } => Some(*wish),
            Self::Rest
            | Self::ReadPod { .. }
            | Self::CreatePod(_)
            | Self::DeletePod { .. }
            | Self::WriteStatus { .. } => None,
        }
    }
}

/// Everything of a VM's status that the controller owns. The daemon's `status.vmm` is not part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControllerStatus {
    /// `status.phase`.
    pub phase: Phase,
    /// `status.nodeName`.
    pub node_name: Option<String>,
    /// `status.vmPodName`.
    pub pod_name: Option<String>,
    /// `status.vmPodUID`.
    pub pod_uid: Option<String>,
    /// `status.resize`.
    pub resize: Option<ResizeStatus>,
    /// `status.history`.
    pub history: Vec<HistoryEntry>,
    /// `status.conditions`.
    pub conditions: Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>,
}

/// An event on a VM. Its object name is a function of VM uid, generation and event name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedEvent {
    /// Which one.
    pub name: EventName,
    /// Generation that it belongs to, or the second in which began what belongs to none.
    pub generation: i64,
    /// The sentence for people.
    pub message: String,
    /// When it happened.
    pub at: Timestamp,
}
