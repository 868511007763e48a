//! Holds the shape of the workspace: which crate may import which, what a pure room may name, and how a file begins and
//! ends. It reads manifests and sources; it neither builds nor runs them.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

mod manifests;
mod rooms;
#[path = "../sources/mod.rs"]
mod sources;

use std::fmt;

use sources::{Source, sources};

/// No file is longer, its tests included.
const LINE_LIMIT: usize = 500;

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    file: String,
    line: usize,
    found: String,
    rule: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, found, rule } = self;
        write!(out, "{file}:{line}: {found}: {rule}")
    }
}

fn assert_none(breaches: &[Breach]) {
    let told: Vec<String> = breaches.iter().map(Breach::to_string).collect();
    assert!(told.is_empty(), "{} breaches\n{}", told.len(), told.join("\n"));
}

#[test]
fn all_sources_are_seen() {
    let sources = sources();
    for expected in ["src/main.rs", "api/src/lib.rs", "sim/src/lib.rs", "tests/arrows/main.rs", "tests/real/src/lib.rs"]
    {
        assert!(sources.iter().any(|source| source.path == expected), "{expected}");
    }
}

#[test]
fn crates_depend_along_the_arrows() {
    assert_none(&manifests::arrows());
}

#[test]
fn versions_stand_in_the_root_manifest_alone() {
    assert_none(&manifests::versions());
}

#[test]
fn sources_import_along_the_arrows() {
    let breaches: Vec<Breach> = sources().iter().flat_map(rooms::arrows).collect();
    assert_none(&breaches);
}

#[test]
fn pure_rooms_name_only_pure_things() {
    let breaches: Vec<Breach> = sources().iter().flat_map(rooms::purity).collect();
    assert_none(&breaches);
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let breaches: Vec<Breach> = sources().iter().flat_map(form).collect();
    assert_none(&breaches);
}

fn form(source: &Source) -> Vec<Breach> {
    let breach =
        |line, found: String, rule: &str| Breach { file: source.path.clone(), line, found, rule: rule.to_owned() };
    let mut breaches = Vec::new();
    if !source.text.starts_with("//!") {
        let rule = "a file begins with //!, which says what it is for and what it must not do";
        breaches.push(breach(1, "no //!".to_owned(), rule));
    }
    let lines = source.text.lines().count();
    if lines > LINE_LIMIT {
        breaches.push(breach(
            lines,
            format!("{lines} lines"),
            "a file has at most 500 lines: split it by noun or step",
        ));
    }
    breaches
}

#[test]
fn a_long_or_silent_file_is_found() {
    let source = |text: &str| Source::new("api/src/lib.rs", text).unwrap();
    assert_eq!(form(&source("//! It is for this.\n")), []);
    assert_eq!(form(&source("use std::fmt;\n")).len(), 1);
    assert_eq!(form(&source(&format!("//! Long.\n{}", "\n".repeat(500)))).len(), 1);
}
