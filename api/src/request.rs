//! What people ask of a VM beside its spec, each by an annotation of its own: the value is the request, another value is another one.

use crate::names::{RESTART_ANNOTATION, RETRY_ANNOTATION, SETTLE_ANNOTATION};
use serde::{Deserialize, Serialize};

/// What is asked of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// A new start.
    Restart,
    /// Another try of what was refused, deferred or given up.
    Retry,
    /// An end of trying: the VM keeps what it has.
    Settle,
}

impl Request {
    /// The annotation that asks for it.
    pub const fn annotation(self) -> &'static str {
        match self {
            Self::Restart => RESTART_ANNOTATION,
            Self::Retry => RETRY_ANNOTATION,
            Self::Settle => SETTLE_ANNOTATION,
        }
    }
}
