//! Holds the pages of documentation to the repository and to the program: links, commands, files that are named, YAML of Reef's kinds, and the pages
//! that are made of the types and of the command line. Starts no role.
//!
//! `INSTA_UPDATE=always cargo test --test docs` writes the pages that are made, as it does with snapshots.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod commands;
mod flags;
mod limits;
mod links;
mod page;
mod paths;
mod reference;
mod words;
mod yaml;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What stands in a file of the repository.
fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// Every Markdown file of the repository, by its path from the root, in order. What is built and what begins with a dot is left out.
fn markdown() -> Vec<String> {
    let mut found = Vec::new();
    collect(root(), &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if name.ends_with(".md") {
            found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}
