//! Where faults are let in: one hook that is asked about each request. By default nothing ever goes wrong.

use std::sync::Arc;
use std::time::Duration;

use super::request::RequestFacts;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Failure {
    /// Nothing.
    #[default]
    None,
    /// The request is lost: nothing happens, and the caller sees a broken connection.
    DropBefore,
    /// The reply is lost: it happens, and the caller sees a broken connection.
    DropAfter,
    /// The server refuses with this status code, and nothing happens.
    Status(u16),
}

/// What goes wrong with a watch after it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WatchFailure {
    /// Nothing.
    #[default]
    None,
    /// Its events come late by this much.
    Late(Duration),
    /// It ends after this long, without a word.
    Ends(Duration),
    /// It falls silent after this long and never ends: a connection that is half open.
    Freezes(Duration),
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fault {
    /// How long it takes before it is handled.
    pub delay: Duration,
    /// What goes wrong.
    pub failure: Failure,
    /// How long the reply takes after it was handled.
    pub reply_delay: Duration,
    /// What goes wrong later, where the request opens a watch.
    pub watch: WatchFailure,
}

/// Decides the fate of each request.
pub type FaultHook = Arc<dyn Fn(&RequestFacts) -> Fault + Send + Sync>;

/// The connection broke: what a caller sees of a lost request or reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection to the API server was lost")]
pub struct ConnectionLost;
