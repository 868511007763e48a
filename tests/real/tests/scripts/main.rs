//! Argo CD's own word on the folder `argocd`: its program runs the scripts of the settings, offline, on every state that Reef tells and on what nobody
//! should write, and its schemas read the samples. It ends with 0 whatever it finds, so what it prints is looked at.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod actions;
mod argocd;
mod batch;
mod health;
mod hostile;
mod kinds;
mod objects;
mod samples;
mod suspend;

use std::path::{Path, PathBuf};

/// A file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}
