//! What can keep a device from being offered.
//!
//! Words only; what follows is decided in `decide::devices`, and the loop alone tries again.

use std::io;
use std::path::PathBuf;

/// Why a step of a device plugin failed. Each of them is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeviceError {
    /// The plugin's socket cannot be made.
    #[error("the socket {path} cannot be made: {source}; the daemon has to be able to write there")]
    Serve {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The kubelet's socket is there and nobody listens, or listens and does not speak.
    #[error("the kubelet at {path} does not answer: {message}")]
    Unreachable {
        /// Where.
        path: PathBuf,
        /// What happened.
        message: String,
    },
    /// The kubelet does not want it.
    #[error("the kubelet refused to register {resource}: {message}")]
    Refused {
        /// What was to be registered.
        resource: String,
        /// In its words.
        message: String,
    },
}
