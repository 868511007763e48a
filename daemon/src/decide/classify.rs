//! What kinds of refusal a VMM gives, and what each means for asking again.
//!
//! The kinds and their consequences only. Which answer of which VMM is of which kind is told beside that VMM's client.

/// Why a VMM refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalKind {
    /// The guest has not ejected the vCPUs of an earlier removal.
    RemovalPending,
    /// The size is the one that is already requested: our view was behind.
    AlreadyRequested,
    /// The size lies outside what the VM booted with, or is not a whole number of blocks.
    OutOfRange,
    /// The VM was not started in a way that lets it be resized.
    NotResizable,
    /// The VM is moving to another host, and what is told of it is a frozen copy.
    Migrating,
    /// There is no machine that runs.
    NotRunning,
    /// All connections of the VMM are taken.
    Busy,
    /// The request was malformed: a fault of this program or another API of the VMM.
    Malformed,
    /// Anything else.
    Other,
}

/// When a refused request may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// At once, if what is observed then still asks for it.
    Reread,
    /// After a while, longer each time.
    Backoff,
    /// Not for this size: another grant or another process has to come first.
    Never,
}

impl RefusalKind {
    /// When the request may be made again.
    pub const fn retry(self) -> Retry {
        match self {
            Self::AlreadyRequested => Retry::Reread,
            Self::RemovalPending | Self::Migrating | Self::NotRunning | Self::Busy | Self::Other => Retry::Backoff,
            Self::OutOfRange | Self::NotResizable | Self::Malformed => Retry::Never,
        }
    }

    /// A short word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RemovalPending => "removal-pending",
            Self::AlreadyRequested => "already-requested",
            Self::OutOfRange => "out-of-range",
            Self::NotResizable => "not-resizable",
            Self::Migrating => "migrating",
            Self::NotRunning => "not-running",
            Self::Busy => "busy",
            Self::Malformed => "malformed",
            Self::Other => "other",
        }
    }
}
