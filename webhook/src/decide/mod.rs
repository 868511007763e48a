//! What is answered to the API server: values in, a verdict out. No I/O, no clock, no randomness.
//!
//! What a size may be is judged by `api` and `policy`, as in plan and controller; here is what only a door can say: who asks, and what it was before.

mod fill;
mod owned;
mod patch;
mod pod;
mod policy;
mod rotation;
mod vm;

pub use fill::filling;
pub use patch::Patch;
pub use pod::pod_resize;
pub use policy::sizing_policy;
pub use rotation::{Authority, Certificates, Lifetimes, Served, Turn, turn};
pub use vm::{Owner, VmQuestion, vm};

/// What is said of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it is refused; empty where it is allowed.
    pub refused: Vec<String>,
    /// What is allowed and unwise, or takes effect later than somebody may think.
    pub warnings: Vec<String>,
}

impl Verdict {
    /// Nothing to say.
    pub fn allowed() -> Self {
        Self::default()
    }

    /// Refused for one reason.
    pub fn refusing(why: impl Into<String>) -> Self {
        Self { refused: vec![why.into()], warnings: Vec::new() }
    }
}
