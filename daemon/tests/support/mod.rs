//! The other parties of the daemon, small enough to read: a socket that answers from a script; and in memory, under
//! virtual time, an API server, a node and its VMMs.
#![allow(dead_code, reason = "each test file uses its part of the support")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

pub mod api;
pub mod node;
pub mod other_process;
pub mod qemu;
pub mod socket;
pub mod tree;
pub mod vmm;
pub mod world;
