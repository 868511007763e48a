//! Why a VM could not be booted: the sentence for people, and the exit code for the controller.
//!
//! Words only.

use crate::decide::launch::{LayoutOdd, STOPPED};
use reef_api::Bytes;
use reef_api::launch::LaunchFailure;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a VM could not be booted.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The layout is not one that can be booted.
    #[error("the VM cannot be booted")]
    Layout(#[source] LayoutOdd),
    /// The VMM's program is not there.
    #[error("the VMM's program {program} is not in {looked}")]
    VmmMissing {
        /// Its name or path.
        program: String,
        /// Where it was looked for.
        looked: String,
    },
    /// The VMM's program cannot be started.
    #[error("the VMM's program {program} cannot be started")]
    VmmBroken {
        /// Its path.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The VMM's program is not one that Reef can use.
    #[error("the VMM's program {program} cannot be used: {why}")]
    VmmUnsuitable {
        /// Its path.
        program: PathBuf,
        /// Why, and what to use.
        why: String,
    },
    /// A part of the kernel is not there or cannot be read.
    #[error("the {what} {path} cannot be read")]
    Kernel {
        /// `kernel` or `initial RAM file system`.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A disk is not there or cannot be opened.
    #[error("disk {name} ({path}) cannot be opened")]
    Disk {
        /// Name of its volume.
        name: String,
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A disk is not what the VM's spec says.
    #[error("disk {name} ({path}) cannot be used: {odd}")]
    DiskOdd {
        /// Name of its volume.
        name: String,
        /// Its path.
        path: PathBuf,
        /// What is wrong, and what to do.
        odd: &'static str,
    },
    /// The socket's folder or the socket itself cannot be prepared.
    #[error("{path} cannot be prepared for the VMM's socket")]
    Socket {
        /// The folder or the socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody listens where the VMM's socket should be.
    #[error("another process listens at {path}")]
    SocketTaken {
        /// The socket.
        path: PathBuf,
    },
    /// The container's memory limit does not carry the VM.
    #[error("the container's memory limit is {limit}, but the VM has {memory} and its VMM needs at least {least}")]
    Memory {
        /// The limit.
        limit: Bytes,
        /// Memory of the guest at boot.
        memory: Bytes,
        /// Least memory of the VMM.
        least: Bytes,
    },
    /// `/dev/kvm` cannot be used, and nothing else would do.
    #[error("/dev/kvm cannot be opened")]
    Accelerator {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The VMM ended before the VM ran.
    #[error("the VMM ended before the VM ran, with {how}{said}")]
    EndedEarly {
        /// Its code or signal.
        how: String,
        /// Its last words, as the end of a sentence.
        said: String,
    },
    /// The VMM did not answer.
    #[error("the VMM did not answer within {} s: {last}{said}", within.as_secs())]
    Silent {
        /// The deadline.
        within: Duration,
        /// The last thing that was tried.
        last: String,
        /// Its last words, as the end of a sentence.
        said: String,
    },
    /// It was told to stop before the VM ran.
    #[error("it was told to stop before the VM ran")]
    StoppedEarly,
}

impl LaunchError {
    /// The word that stands for it in an exit code; `None` where nothing failed.
    pub const fn failure(&self) -> Option<LaunchFailure> {
        Some(match self {
            Self::Layout(_) => LaunchFailure::Layout,
            Self::VmmMissing { .. } => LaunchFailure::VmmMissing,
            Self::VmmBroken { .. } | Self::VmmUnsuitable { .. } => LaunchFailure::VmmUnsuitable,
            Self::Kernel { .. } => LaunchFailure::Kernel,
            Self::Disk { .. } | Self::DiskOdd { .. } => LaunchFailure::Disk,
            Self::Socket { .. } | Self::SocketTaken { .. } => LaunchFailure::Socket,
            Self::Memory { .. } => LaunchFailure::Memory,
            Self::Accelerator { .. } => LaunchFailure::Accelerator,
            Self::EndedEarly { .. } | Self::Silent { .. } => LaunchFailure::Start,
            Self::StoppedEarly => return None,
        })
    }

    /// Exit code. A VM that was told to stop is no VM that cannot boot.
    pub fn code(&self) -> u8 {
        self.failure().map_or(STOPPED, LaunchFailure::code)
    }

    /// One sentence: what, why, and what to do.
    pub fn sentence(&self) -> String {
        let mut sentence = self.to_string();
        let mut cause = self.source();
        while let Some(found) = cause {
            sentence.push_str(": ");
            sentence.push_str(&found.to_string());
            cause = found.source();
        }
        if let Some(remedy) = self.remedy() {
            sentence.push_str("; ");
            sentence.push_str(remedy);
        }
        sentence
    }

    /// What to do, where the error itself does not say it.
    const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::VmmMissing { .. } => Some("use an image that holds it, or name it by --vmm-binary"),
            Self::VmmBroken { .. } => Some("use an image that holds it with its libraries"),
            Self::Kernel { .. } => Some("look at what the entrypoint of its image copies"),
            Self::Disk { .. } => Some("look at what its volume holds"),
            Self::Socket { .. } => Some("give the container a folder of its own there, with room"),
            Self::SocketTaken { .. } => Some("end that process, or give the container a folder of its own"),
            Self::Memory { .. } => Some("raise spec.resources or the policy's overhead"),
            Self::Accelerator { .. } => {
                Some("give the Pod the device on a node with hardware virtualisation, or use spec.vmm QEMU")
            }
            Self::Silent { .. } => Some("look at the Pod's log"),
            Self::Layout(_)
            | Self::VmmUnsuitable { .. }
            | Self::DiskOdd { .. }
            | Self::EndedEarly { .. }
            | Self::StoppedEarly => None,
        }
    }
}
