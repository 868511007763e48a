//! Who has to listen at a VMM's socket.
//!
//! A number alone is not enough: it may be used again by another process. So a process is asked for anew once the
//! connection stands: if it is the container's VMM before and after, it is so in between.

use crate::host::{Host, HostError, PodRef};
use reef_api::vm::Process;
use std::sync::Arc;

/// The process that has to listen.
#[derive(Clone)]
pub struct Peer {
    pid: u32,
    shown: Option<Shown>,
}

/// A process that a node shows as the VMM of a Pod.
#[derive(Clone)]
struct Shown {
    host: Arc<dyn Host>,
    pod: PodRef,
    process: Process,
}

impl Peer {
    /// A process by its number alone: for whoever has started it, and waits for its end.
    pub const fn process(pid: u32) -> Self {
        Self { pid, shown: None }
    }

    /// The process that `host` shows as the VMM in `pod`.
    pub fn shown(host: Arc<dyn Host>, pod: PodRef, process: Process) -> Self {
        Self { pid: process.pid, shown: Some(Shown { host, pod, process }) }
    }

    /// Its number.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Makes sure that the number still stands for the same process, and this one for the Pod's VMM.
    pub(super) fn confirm(&self) -> Result<(), HostError> {
        self.shown.as_ref().map_or(Ok(()), |Shown { host, pod, process }| host.confirm(pod, *process))
    }
}
