//! Why a source could not be read, in the words of its conditions. Pure.

use reef_api::Reason;

use crate::source::{FetchError, LocationError, Retry};

/// Why the tip of a source is not known. The last good state stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::controller) enum Trouble {
    /// The repository could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The source does not say where.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The Secret cannot be used.
    #[error("Secret {name} {problem}")]
    Secret {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
        /// Whether the same may work later.
        retry: Retry,
    },
    /// Something else that the spec says cannot be used.
    #[error("{0}")]
    Spec(String),
    /// What the account of the source may do could not be asked.
    #[error("what {account} may do could not be asked: {problem}")]
    Rights {
        /// The account, as the API server calls it.
        account: String,
        /// What came in between.
        problem: String,
        /// Whether the same may work later.
        retry: Retry,
    },
    /// Fetching ended in a panic.
    #[error("reading the source failed: {0}; this is a defect of Reef")]
    Panic(String),
}

impl Trouble {
    /// The word for programs.
    pub(in crate::controller) fn reason(&self) -> Reason {
        match self {
            Self::Fetch(error) => fetch_reason(error),
            Self::Location(_) => Reason::UrlNotAllowed,
            Self::Secret { .. } => Reason::AuthFailed,
            Self::Spec(_) => Reason::Invalid,
            Self::Rights { .. } => Reason::Forbidden,
            Self::Panic(_) => Reason::Unreachable,
        }
    }

    /// The word for metrics.
    pub(in crate::controller) fn category(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.category(),
            Self::Location(_) => "UrlNotAllowed",
            Self::Secret { .. } => "Secret",
            Self::Spec(_) => "Spec",
            Self::Rights { .. } => "Rights",
            Self::Panic(_) => "Panic",
        }
    }

    /// When another attempt makes sense.
    pub(in crate::controller) fn retry(&self) -> Retry {
        match self {
            Self::Fetch(error) => error.retry(),
            Self::Location(_) | Self::Spec(_) => Retry::AfterChange,
            Self::Secret { retry, .. } | Self::Rights { retry, .. } => *retry,
            Self::Panic(_) => Retry::Backoff,
        }
    }
}

fn fetch_reason(error: &FetchError) -> Reason {
    match error {
        FetchError::Unreachable { .. } | FetchError::Corrupt { .. } | FetchError::Internal { .. } => {
            Reason::Unreachable
        }
        FetchError::Auth { .. } => Reason::AuthFailed,
        FetchError::HostKey { .. } => Reason::HostKeyRefused,
        FetchError::BranchMissing { .. } | FetchError::NotACommit { .. } => Reason::BranchMissing,
        FetchError::CommitMissing { .. } => Reason::RevisionUnreadable,
        FetchError::Empty { .. } => Reason::EmptyRepository,
        FetchError::PathMissing { .. } => Reason::PathMissing,
        FetchError::TimedOut { .. } => Reason::FetchTimedOut,
        FetchError::TooLarge { .. } => Reason::TooLarge,
        FetchError::CacheCorrupt { .. } | FetchError::Cache { .. } => Reason::CacheCorrupt,
        FetchError::Redirected { .. } => Reason::UrlNotAllowed,
        FetchError::Busy { .. } => Reason::Fetching,
    }
}
