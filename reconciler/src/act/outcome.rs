//! What came of one request, in the words that the loop acts by.

use std::time::Duration;

use crate::decide::observed::RefusalKind;

/// The outcome of one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<T> {
    /// Done, with what the server answered.
    Done(T),
    /// The object has changed since it was read: read it again and decide anew.
    Conflict(String),
    /// Refused for a reason that stays until somebody changes something.
    Refused(Refused),
    /// The object, or the one with this uid, is not there any more.
    Gone(String),
    /// It may have been done or not: only a read can tell.
    Unknown(String),
    /// Not done; the server asks for a pause, or does not know who asks at present.
    Throttled {
        /// For how long, where it said so.
        retry_after: Option<Duration>,
        /// What it said.
        message: String,
    },
}

/// A refusal, in the server's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub kind: RefusalKind,
    /// What the server said, cut to a length that fits into a condition.
    pub message: String,
}

impl<T> Outcome<T> {
    /// Changes what was answered and keeps every other outcome.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Done(answer) => Outcome::Done(change(answer)),
            Self::Conflict(message) => Outcome::Conflict(message),
            Self::Refused(refused) => Outcome::Refused(refused),
            Self::Gone(message) => Outcome::Gone(message),
            Self::Unknown(message) => Outcome::Unknown(message),
            Self::Throttled { retry_after, message } => Outcome::Throttled { retry_after, message },
        }
    }

    /// A short name for logs and metrics.
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Conflict(_) => "conflict",
            Self::Refused(_) => "refused",
            Self::Gone(_) => "gone",
            Self::Unknown(_) => "unknown",
            Self::Throttled { .. } => "throttled",
        }
    }
}
