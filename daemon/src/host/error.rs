//! What can go wrong when the node is read.

use std::io;
use std::path::PathBuf;

/// Why the node does not show what was looked for.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A name from the API cannot be part of a path.
    #[error("{what} {name:?} cannot be part of a path")]
    BadName {
        /// What it names.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// There is no cgroup for the container.
    #[error(
        "no cgroup of container {container_id} was found below {}; looked for the layouts of cgroupfs and systemd",
        root.display()
    )]
    NoCgroup {
        /// The container.
        container_id: String,
        /// Where was looked.
        root: PathBuf,
    },
    /// The container runs no VMM.
    #[error("container {container_id} runs neither cloud-hypervisor nor qemu-system-x86_64")]
    NoVmm {
        /// The container.
        container_id: String,
    },
    /// The container runs more than one VMM, and nobody can say which is the VM's.
    #[error("container {container_id} runs several VMMs, processes {pids:?}, and nobody can say which is the VM's")]
    SeveralVmms {
        /// The container.
        container_id: String,
        /// Their ids.
        pids: Vec<u32>,
    },
    /// The process ended, or its id was used again, while it was read.
    #[error("process {pid} changed while it was read")]
    ProcessChanged {
        /// Its id.
        pid: u32,
    },
    /// Another daemon deals with this VM.
    #[error("another daemon holds the lock of {}", folder.display())]
    Locked {
        /// The locked folder.
        folder: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file says what it cannot.
    #[error("{} says {found:?} where {expected} was expected", path.display())]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// What should stand there.
        expected: &'static str,
        /// What does, shortened.
        found: String,
    },
}

impl HostError {
    /// A short word for metrics and logs.
    pub const fn category(&self) -> &'static str {
        match self {
            Self::BadName { .. } => "bad-name",
            Self::NoCgroup { .. } => "no-cgroup",
            Self::NoVmm { .. } | Self::ProcessChanged { .. } => "no-vmm",
            Self::SeveralVmms { .. } => "several-vmms",
            Self::Locked { .. } => "locked",
            Self::Read { .. } => "read",
            Self::Unexpected { .. } => "unexpected",
        }
    }
}
