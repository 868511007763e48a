//! Holds the folder `argocd` together: what Argo CD is given is made of the scripts that stand beside it, scripts name reasons and annotations that there
//! are, and the samples fit each other and Reef. Argo CD itself runs the scripts in tests/real/tests/scripts.
//!
//! `INSTA_UPDATE=always cargo test --test argocd` writes the files that are made, as it does with snapshots.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod made;
mod samples;
mod scripts;
mod words;

use std::path::{Path, PathBuf};

/// A file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What stands in a file of the repository.
fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}
