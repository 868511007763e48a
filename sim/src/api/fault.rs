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

/// What happens to one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fault {
    /// How long it takes before it is handled.
    pub delay: Duration,
    /// What goes wrong.
    pub failure: Failure,
    /// How long the reply takes after it was handled.
    pub reply_delay: Duration,
}

/// Decides the fate of each request.
pub type FaultHook = Arc<dyn Fn(&RequestFacts) -> Fault + Send + Sync>;

/// The connection broke: what a caller sees of a lost request or reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection to the API server was lost")]
pub struct ConnectionLost;
