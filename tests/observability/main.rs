//! Holds what is said about metrics to what the code registers: the table of documentation, alerts with their tests and runbooks, the dashboard; and
//! plays the alerts with Prometheus' own `promtool`. Starts no role.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod alerts;
mod catalogue;
mod dashboard;
mod documentation;
mod expressions;
mod promtool;

use std::path::{Path, PathBuf};

/// A file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What stands in a file of the repository.
fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}
