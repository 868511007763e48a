//! The node as Linux and the kubelet show it, below a root folder.
//!
//! The daemon needs the host's process ids (`hostPID`), its cgroups, and the kubelet's Pod folders. Nothing is written;
//! the lock is on the folder of the socket, so that it leaves no file and works on a read-only file system.

use super::cgroup::Cgroup;
use super::{HeldLock, Host, HostError, HostObserved, PodRef, layout, process};
use std::fs::{File, TryLockError};
use std::path::PathBuf;

/// A Linux node.
#[derive(Clone, Debug)]
pub struct LinuxHost {
    root: PathBuf,
}

impl LinuxHost {
    /// Looks at the node whose file system is below `root`; `/` for the one that this process runs on.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

/// A locked folder; closing it ends the lock, also when the process is killed.
struct LockedFolder {
    _folder: File,
}

impl HeldLock for LockedFolder {}

impl Host for LinuxHost {
    fn socket(&self, pod: &PodRef) -> Result<PathBuf, HostError> {
        layout::socket(&self.root, pod)
    }

    /// Locks the folder and not a file in it: the container can write there, and could put a link in the place of a file.
    fn lock(&self, pod: &PodRef) -> Result<Box<dyn HeldLock>, HostError> {
        let path = layout::volume(&self.root, pod)?;
        let failed = |source| HostError::Read { path: path.clone(), source };
        let folder = File::open(&path).map_err(failed)?;
        match folder.try_lock() {
            Ok(()) => Ok(Box::new(LockedFolder { _folder: folder })),
            Err(TryLockError::WouldBlock) => Err(HostError::Locked { folder: path }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    fn observe(&self, pod: &PodRef) -> Result<HostObserved, HostError> {
        let cgroup = Cgroup::find(&self.root, pod)?;
        let pid = process::find(&self.root, &pod.container_id, &cgroup.processes()?)?;
        let (process, vcpus_present) = process::observe(&self.root, pid)?;
        let used =
            cgroup.used().inspect_err(|error| tracing::debug!(%error, "use of a container is not readable")).ok();
        Ok(HostObserved { process, vcpus_present, limits: cgroup.limits(), used })
    }
}
