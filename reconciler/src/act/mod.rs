//! Carries out what `decide` asks for: one action, once, with a deadline, and says in one word what came of it.
//!
//! No choices are made here and nothing is tried twice; both belong to the loop.

mod account;
mod apply;
mod call;
mod classify;
mod events;
mod execute;
mod facts;
mod fields;
mod outcome;
mod pod;
mod request;
mod status;

pub use account::Account;
pub use apply::{Applied, Manifest, apply, owner_source};
pub use call::{Caller, DEADLINE};
pub use events::{event, source_event};
pub use execute::{Effect, VmRef, execute, made_otherwise, object};
pub use facts::{Facts, Unlisted, UnlistedKind, facts};
pub use fields::{FieldConflict, OwnedBy, applied_by_argocd, applied_by_us};
pub use outcome::{Outcome, Refused};
pub use request::{Request, Verb};
pub use status::{apply_check_status, apply_source_status, get};

#[cfg(test)]
pub(crate) mod tests;
