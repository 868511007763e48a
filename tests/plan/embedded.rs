//! The embedded cluster as a process of its own, for what reads a cluster.

use std::path::PathBuf;

#[path = "../cluster/mod.rs"]
pub mod cluster;

fn reef() -> PathBuf {
    env!("CARGO_BIN_EXE_reef").into()
}
