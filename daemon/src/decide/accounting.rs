//! Whether every request that was sent to a VMM is accounted for.
//!
//! ```text
//!             a reply was lost, or this process has just begun
//!   Clear ──────────────────────────────────────────────► Doubtful { 0 }
//!     ▲                                                       │ vm.info answered on a new connection
//!     │ a second one answered on the same connection          ▼
//!     └──────────────────────────────────────────────── Doubtful { 1 }   (another connection: back to 1)
//! ```
//! The VMM serves requests one after the other. After two answers in a row on a connection that was opened later, none
//! of the requests of before can be left in it.

/// A connection to a VMM, by the order in which this process opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Whether a request may still take effect that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounting {
    /// Every request was answered.
    Clear,
    /// One may be on its way.
    Doubtful {
        /// The connection on which the last `vm.info` was answered since the doubt began.
        answered_on: Option<ConnectionId>,
    },
}

impl Accounting {
    /// The doubt that a process begins with, and falls back to when a reply is lost.
    pub const DOUBT: Self = Self::Doubtful { answered_on: None };

    /// Whether nothing is in doubt.
    pub const fn is_clear(self) -> bool {
        match self {
            Self::Clear => true,
            Self::Doubtful { .. } => false,
        }
    }

    /// What holds after `vm.info` was answered. The caller opens a new connection whenever a doubt begins.
    #[must_use]
    pub fn answered(self, on: ConnectionId) -> Self {
        match self {
            Self::Clear => Self::Clear,
            Self::Doubtful { answered_on: Some(before) } if before == on => Self::Clear,
            Self::Doubtful { answered_on: Some(_) | None } => Self::Doubtful { answered_on: Some(on) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: ConnectionId = ConnectionId(1);
    const SECOND: ConnectionId = ConnectionId(2);

    #[test]
    fn a_doubt_ends_after_two_answers_in_a_row_on_one_connection() {
        let once = Accounting::DOUBT.answered(FIRST);
        assert!(!once.is_clear());
        assert!(once.answered(FIRST).is_clear());
    }

    #[test]
    fn an_answer_on_another_connection_begins_the_count_anew() {
        let broken = Accounting::DOUBT.answered(FIRST).answered(SECOND);
        assert_eq!(broken, Accounting::Doubtful { answered_on: Some(SECOND) });
        assert_eq!(broken.answered(SECOND), Accounting::Clear);
    }

    #[test]
    fn what_is_clear_stays_clear() {
        assert_eq!(Accounting::Clear.answered(SECOND), Accounting::Clear);
    }
}
