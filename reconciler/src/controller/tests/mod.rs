//! The loop against a small API server and repositories in memory.

mod api;
mod git;
mod removed;
mod vms;
mod world;
