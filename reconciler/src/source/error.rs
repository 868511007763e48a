//! Why a fetch failed, in words and classes. No text here ever holds a credential.

use super::location::Redacted;

/// When trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same may succeed later.
    Backoff,
    /// Somebody has to change the source, its secret or the repository first; polling slowly finds out.
    AfterChange,
}

/// Why no snapshot could be had; the last good one stays valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No connection, or the other side broke it.
    #[error("{url} could not be reached: {detail}")]
    Unreachable {
        /// Where from.
        url: Redacted,
        /// What the transport said.
        detail: String,
    },
    /// The other side does not know us.
    #[error("{url} refused the credentials: {detail}; check the secret of the source")]
    Auth {
        /// Where from.
        url: Redacted,
        /// What the transport said.
        detail: String,
    },
    /// The other side is not who it should be.
    #[error("{url} is not trusted: {detail}")]
    HostKey {
        /// Where from.
        url: Redacted,
        /// What was expected and what was found.
        detail: String,
    },
    /// There are branches or tags, but not this one.
    #[error("{url} has no branch or tag `{reference}`")]
    BranchMissing {
        /// Where from.
        url: Redacted,
        /// The reference that was looked for.
        reference: String,
    },
    /// There is no branch at all.
    #[error("{url} is empty: push a first commit")]
    Empty {
        /// Where from.
        url: Redacted,
    },
    /// The reference names something that is no commit.
    #[error("`{reference}` of {url} is no commit")]
    NotACommit {
        /// Where from.
        url: Redacted,
        /// The reference.
        reference: String,
    },
    /// There is no such commit, or not any more.
    #[error(
        "{url} has no commit {commit} in the past of `{reference}`, and does not hand it out by its name; it may have been force-pushed away"
    )]
    CommitMissing {
        /// Where from.
        url: Redacted,
        /// The commit.
        commit: String,
        /// The reference in whose past it was looked for.
        reference: String,
    },
    /// There is no such folder.
    #[error("{of} of {url} has no folder `{path}`")]
    PathMissing {
        /// Where from.
        url: Redacted,
        /// `commit` and its id, or what else was read.
        of: String,
        /// The folder.
        path: String,
    },
    /// It took too long.
    #[error("{url} did not answer in time: {detail}")]
    TimedOut {
        /// Where from.
        url: Redacted,
        /// Which limit was reached.
        detail: String,
    },
    /// It is bigger than a source may be.
    #[error("{url} is too large: {detail}")]
    TooLarge {
        /// Where from.
        url: Redacted,
        /// Which limit, and what was found.
        detail: String,
    },
    /// What the other side sent does not hold together.
    #[error("{url} sent data that cannot be read: {detail}")]
    Corrupt {
        /// Where from.
        url: Redacted,
        /// What libgit2 said.
        detail: String,
    },
    /// The clone on this machine is damaged, and a new one was too.
    #[error("the local clone of {url} is damaged and could not be rebuilt: {detail}")]
    CacheCorrupt {
        /// Where from.
        url: Redacted,
        /// What libgit2 said.
        detail: String,
    },
    /// The clone on this machine cannot be written.
    #[error("the local clone of {url} could not be written: {detail}")]
    Cache {
        /// Where from.
        url: Redacted,
        /// What the system said.
        detail: String,
    },
    /// The other side wants us to ask elsewhere.
    #[error("{url} redirects to another address, which is not followed: state the final address in the source")]
    Redirected {
        /// Where from.
        url: Redacted,
    },
    /// Too many fetches are under way.
    #[error("{url} waits: {running} fetches are already under way")]
    Busy {
        /// Where from.
        url: Redacted,
        /// How many.
        running: usize,
    },
    /// The fetching thread ended without an answer.
    #[error("fetching {url} ended without an answer; this is a defect of Reef")]
    Internal {
        /// Where from.
        url: Redacted,
    },
}

impl FetchError {
    /// A short name for conditions and metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "Unreachable",
            Self::Auth { .. } => "Auth",
            Self::HostKey { .. } => "HostKey",
            Self::BranchMissing { .. } => "BranchMissing",
            Self::Empty { .. } => "Empty",
            Self::NotACommit { .. } => "NotACommit",
            Self::CommitMissing { .. } => "CommitMissing",
            Self::PathMissing { .. } => "PathMissing",
            Self::TimedOut { .. } => "TimedOut",
            Self::TooLarge { .. } => "TooLarge",
            Self::Corrupt { .. } => "Corrupt",
            Self::CacheCorrupt { .. } => "CacheCorrupt",
            Self::Cache { .. } => "CacheUnwritable",
            Self::Redirected { .. } => "Redirected",
            Self::Busy { .. } => "Busy",
            Self::Internal { .. } => "Internal",
        }
    }

    /// When another attempt makes sense.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Corrupt { .. }
            | Self::CacheCorrupt { .. }
            | Self::Cache { .. }
            | Self::Busy { .. }
            | Self::Internal { .. } => Retry::Backoff,
            Self::Auth { .. }
            | Self::HostKey { .. }
            | Self::BranchMissing { .. }
            | Self::Empty { .. }
            | Self::NotACommit { .. }
            | Self::CommitMissing { .. }
            | Self::PathMissing { .. }
            | Self::TooLarge { .. }
            | Self::Redirected { .. } => Retry::AfterChange,
        }
    }
}
