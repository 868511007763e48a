//! What the node shows of the VMM of a Pod: its socket, its process, its vCPU threads, and the limits and use of its container.
//!
//! Shows only; decides nothing. The trait exists because the embedded cluster has no kernel to ask, and stands in for it here.

mod cgroup;
mod descriptors;
mod error;
mod layout;
mod linux;
mod process;
mod read;

pub use descriptors::take_all_descriptors;
pub use error::HostError;
pub(crate) use layout::below;
pub use linux::{LinuxHost, Paths};

use crate::decide::Limits;
use reef_api::vm::Process;
use reef_api::{Bytes, Vcpus, VmmKind};
use std::path::PathBuf;

/// A Pod on this node, by the names that the node knows it by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodRef {
    /// UID of the Pod.
    pub pod_uid: String,
    /// Id of the container `vm-manager`, without the runtime's prefix.
    pub container_id: String,
}

/// What the node shows of a Pod's VMM at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostObserved {
    /// The VMM.
    pub vmm: VmmKind,
    /// Its process.
    pub process: Process,
    /// Distinct names of vCPU threads: the vCPUs that the VMM has, where it names their threads.
    pub vcpus_present: Vcpus,
    /// Limits of the container.
    pub limits: Limits,
    /// Memory that the container uses; `None` when it could not be read.
    pub used: Option<Bytes>,
}

/// A lock that is held until it is dropped.
pub trait HeldLock: Send {}

/// Shows what this node knows of the VMMs on it.
///
/// Calls are short reads of what the kernel keeps in memory, and never wait for a VM.
pub trait Host: Send + Sync {
    /// Where the socket of a VMM of this kind is.
    ///
    /// # Errors
    /// Where the Pod's names cannot be parts of a path.
    fn socket(&self, pod: &PodRef, kind: VmmKind) -> Result<PathBuf, HostError>;

    /// Takes the lock that lets one daemon at a time deal with this VM.
    ///
    /// # Errors
    /// `Locked` while another one has it.
    fn lock(&self, pod: &PodRef) -> Result<Box<dyn HeldLock>, HostError>;

    /// Reads what there is to see.
    ///
    /// # Errors
    /// Where the VMM's process cannot be found or read. A limit or a use that cannot be read is no error, but unknown.
    fn observe(&self, pod: &PodRef) -> Result<HostObserved, HostError>;

    /// Makes sure that a process is still the one in the Pod's container: neither gone, nor another one of the same number.
    ///
    /// # Errors
    /// `ProcessChanged` where another one runs there, and where nothing can be read.
    fn confirm(&self, pod: &PodRef, process: Process) -> Result<(), HostError> {
        let shown = self.observe(pod)?.process;
        if shown == process { Ok(()) } else { Err(HostError::ProcessChanged { pid: process.pid }) }
    }
}
