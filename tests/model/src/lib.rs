//! The rule that never loses a VM, exhausted: every order of moves of all parties within bounds, over the functions that decide in production.
//!
//! `pipeline::next` and `decide::next` are the moves of controller and daemon, unchanged. Kubelet, VMM, guest, API server and people are small state
//! machines here, by their measured rules, and so are the shells of controller and daemon, so that each guard can be left out. Nothing here is run
//! in production, and nothing of the shells' own code is run here.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::len_without_is_empty,
    reason = "a test fails loudly"
)]

mod asks;
pub mod bounds;
mod calm;
mod model;
pub mod moves;
mod normal;
mod options;
mod parties;
pub mod plans;
mod reports;
mod rules;
mod search;
pub mod size;
mod state;
mod statuses;
mod store;
mod trace;

pub use calm::{Temper, Unrest};
pub use model::{Breach, Model};
pub use options::Options;
pub use search::{Fault, Numbers, Outcome, search};
pub use trace::Trace;
