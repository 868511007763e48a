//! The node as Linux and the kubelet show it, below a root folder.
//!
//! The daemon needs the host's process ids (`hostPID`), its cgroups, and the kubelet's Pod folders. Nothing is written;
//! the lock is on the folder of the socket, so that it leaves no file and works on a read-only file system.

use super::cgroup::Cgroup;
use super::{HeldLock, Host, HostError, HostObserved, PodRef, layout, process, read};
use reef_api::VmmKind;
use std::fs::{File, TryLockError};
use std::path::PathBuf;

/// Where a node keeps what is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Root of the node's file system as this process sees it.
    pub root: PathBuf,
    /// The kubelet's folder (its `--root-dir`) as the node sees it.
    pub kubelet: PathBuf,
    /// The kubelet's `cgroupRoot`; `None` where it has none, or a usual one.
    pub cgroup_root: Option<PathBuf>,
}

impl Paths {
    /// The usual places of the node whose file system is below `root`; `/` for the one that this process runs on.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), kubelet: PathBuf::from("/var/lib/kubelet"), cgroup_root: None }
    }
}

/// A Linux node.
#[derive(Clone, Debug)]
pub struct LinuxHost {
    paths: Paths,
}

impl LinuxHost {
    /// Looks at a node.
    pub fn new(paths: Paths) -> Self {
        Self { paths }
    }
}

/// A locked folder; closing it ends the lock, also when the process is killed.
struct LockedFolder {
    _folder: File,
}

impl HeldLock for LockedFolder {}

impl Host for LinuxHost {
    fn socket(&self, pod: &PodRef, kind: VmmKind) -> Result<PathBuf, HostError> {
        layout::socket(&self.paths, pod, kind)
    }

    /// Locks the folder and not a file in it: the container can write there, and could put a link in the place of a file.
    fn lock(&self, pod: &PodRef) -> Result<Box<dyn HeldLock>, HostError> {
        let path = layout::volume(&self.paths, pod)?;
        let failed = |source| HostError::Read { path: path.clone(), source };
        let folder = read::folder(&path).map_err(failed)?;
        match folder.try_lock() {
            Ok(()) => Ok(Box::new(LockedFolder { _folder: folder })),
            Err(TryLockError::WouldBlock) => Err(HostError::Locked { folder: path }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    fn observe(&self, pod: &PodRef) -> Result<HostObserved, HostError> {
        let cgroup = Cgroup::find(&self.paths, pod)?;
        let root = &self.paths.root;
        let (pid, vmm) = process::find(root, &pod.container_id, &cgroup.processes()?)?;
        let (process, vcpus_present) = process::observe(root, pid, vmm)?;
        let used =
            cgroup.used().inspect_err(|error| tracing::debug!(%error, "use of a container is not readable")).ok();
        Ok(HostObserved { vmm, process, vcpus_present, limits: cgroup.limits(), used })
    }
}
