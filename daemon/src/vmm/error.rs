//! What can go wrong between the daemon and a VMM, and what is known of the request then.

use crate::decide::classify::RefusalKind;
use crate::host::HostError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a VMM could not be observed or did not accept a request.
#[derive(Debug, thiserror::Error)]
pub enum VmmError {
    /// Nobody could be reached at the socket.
    #[error("the socket {} cannot be reached", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The socket did not take the connection in time.
    #[error("the socket {} took no connection within {}", socket.display(), millis(*within))]
    ConnectTimedOut {
        /// The socket.
        socket: PathBuf,
        /// The deadline.
        within: Duration,
    },
    /// Another process than the VM's VMM listens at the socket.
    #[error("process {found} listens at {}, not the VMM with pid {expected}: nothing is sent to it", socket.display())]
    WrongPeer {
        /// The socket.
        socket: PathBuf,
        /// The VMM.
        expected: u32,
        /// Who listens.
        found: u32,
    },
    /// The process that listens is no longer the Pod's VMM.
    #[error("process {pid}, which listens at {}, is not the VMM of the Pod any more: nothing is sent to it", socket.display())]
    PeerGone {
        /// The socket.
        socket: PathBuf,
        /// The process.
        pid: u32,
        /// What the node shows.
        #[source]
        source: HostError,
    },
    /// The socket took the connection and then said nothing: QEMU serves one client at a time and lets the others wait.
    #[error(
        "QEMU took the connection and said nothing within {}: it hangs, or it serves another client, of which a socket \
         has one at a time; end that client", millis(*within)
    )]
    Occupied {
        /// The deadline.
        within: Duration,
    },
    /// The connection broke or spoke another language, and what became of the request is not known.
    #[error("the connection was lost during {call}")]
    Lost {
        /// What was called.
        call: &'static str,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// The reply did not come in time, and what became of the request is not known.
    #[error("no reply to {call} within {}", millis(*within))]
    TimedOut {
        /// What was called.
        call: &'static str,
        /// The deadline.
        within: Duration,
    },
    /// The reply was larger than it can be.
    #[error("the reply to {call} is larger than {limit} bytes")]
    TooLarge {
        /// What was called.
        call: &'static str,
        /// The cap.
        limit: usize,
    },
    /// The reply could not be read.
    #[error("the reply to {call} could not be read")]
    Unreadable {
        /// What was called.
        call: &'static str,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The reply makes no sense.
    #[error("the reply to {call} cannot be: {why}")]
    Absurd {
        /// What was called.
        call: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The VMM refused.
    #[error("{call} was refused with {code}: {message}")]
    Refused {
        /// What was called.
        call: &'static str,
        /// The HTTP status, or QEMU's class of the error.
        code: String,
        /// The kind of refusal.
        kind: RefusalKind,
        /// What the VMM said, shortened.
        message: String,
    },
}

/// What is known of a request that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It never left.
    NotSent,
    /// It was answered, so nothing of it is left on the way.
    Answered,
    /// Nobody knows: it may have taken effect, or may still.
    Unknown,
}

impl VmmError {
    /// What is known of the request.
    pub const fn delivery(&self) -> Delivery {
        match self {
            Self::Unreachable { .. }
            | Self::ConnectTimedOut { .. }
            | Self::WrongPeer { .. }
            | Self::PeerGone { .. }
            | Self::Occupied { .. } => Delivery::NotSent,
            Self::Refused { .. } => Delivery::Answered,
            Self::Lost { .. }
            | Self::TimedOut { .. }
            | Self::TooLarge { .. }
            | Self::Unreadable { .. }
            | Self::Absurd { .. } => Delivery::Unknown,
        }
    }

    /// Why nothing was sent to a socket that could be reached: it is not what the VMM's own is, or another process listens.
    pub fn refused_socket(&self) -> Option<&'static str> {
        match self {
            Self::WrongPeer { .. } => Some("wrong-peer"),
            Self::PeerGone { .. } => Some("peer-gone"),
            // Our own refusals have no number of the system.
            Self::Unreachable { source, .. } if source.kind() == io::ErrorKind::Other => Some("unsafe"),
            Self::Unreachable { .. }
            | Self::ConnectTimedOut { .. }
            | Self::Occupied { .. }
            | Self::Lost { .. }
            | Self::TimedOut { .. }
            | Self::TooLarge { .. }
            | Self::Unreadable { .. }
            | Self::Absurd { .. }
            | Self::Refused { .. } => None,
        }
    }

    /// A short word for metrics and logs.
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::ConnectTimedOut { .. } | Self::Occupied { .. } => "unreachable",
            Self::WrongPeer { .. } | Self::PeerGone { .. } => "wrong-peer",
            Self::Lost { .. } => "lost",
            Self::TimedOut { .. } => "timed-out",
            Self::TooLarge { .. } | Self::Unreadable { .. } | Self::Absurd { .. } => "unreadable",
            Self::Refused { kind, .. } => kind.as_str(),
        }
    }
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
