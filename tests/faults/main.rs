//! Holds the table of faults to what exists: every id is well formed, and every test that it names is there. It does not
//! run those tests; cargo does.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::Deserialize;

use sources::{PACKAGES, Source, outline, root, sources};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    rows: BTreeMap<String, Row>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Row {
    Tests(Vec<String>),
    NotRun(NotRun),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NotRun {
    reason: String,
}

fn faults() -> Faults {
    let text = fs::read_to_string(root().join("tests/faults.toml")).expect("a readable table");
    toml::from_str(&text).expect("a table of rows: tests, or a reason")
}

/// The full names of all functions in the sources.
fn functions(sources: &[Source]) -> BTreeSet<String> {
    sources.iter().flat_map(full_names).collect()
}

fn full_names(source: &Source) -> Vec<String> {
    let package = PACKAGES.iter().find(|(folder, _)| *folder == source.package).map_or("", |(_, name)| name);
    let (_, functions) = outline(source);
    let full = |module: Vec<String>, name| [vec![package.to_owned()], module, vec![name]].concat().join("::");
    functions.into_iter().map(|function| full(function.module, function.name)).collect()
}

/// A letter for the part, and a number without leading zeros.
fn well_formed(id: &str) -> bool {
    let Some(number) = id.strip_prefix(|c: char| "GYAPHCMDWS".contains(c)) else { return false };
    !number.starts_with('0') && number.parse::<u8>().is_ok_and(|number| number > 0)
}

fn unknown_tests(faults: &Faults, known: &BTreeSet<String>) -> Vec<String> {
    let named = faults.rows.iter().filter_map(|(id, row)| match row {
        Row::Tests(tests) => Some((id, tests)),
        Row::NotRun(_) => None,
    });
    let pairs = named.flat_map(|(id, tests)| tests.iter().map(move |test| (id, test)));
    pairs.filter(|(_, test)| !known.contains(*test)).map(|(id, test)| format!("{id}: no test {test}")).collect()
}

#[test]
fn every_id_is_well_formed_and_every_row_says_something() {
    for (id, row) in &faults().rows {
        assert!(well_formed(id), "{id} is no id of a fault");
        match row {
            Row::Tests(tests) => assert!(!tests.is_empty(), "{id} names no test"),
            Row::NotRun(NotRun { reason }) => assert!(reason.len() > 10, "{id} gives no reason"),
        }
    }
}

#[test]
fn every_named_test_exists() {
    let unknown = unknown_tests(&faults(), &functions(&sources()));
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let source = Source::new("api/src/a/b.rs", "mod tests { proptest! { #[test] fn holds(x in 0..1) {} } }").unwrap();
    let file = Source::new("api/tests/c.rs", "#[test]\nfn stands() {}\n").unwrap();
    let table = |tests: &str| toml::from_str(&format!("[rows]\nY1 = [{tests}]\nY2 = {{ reason = 'none' }}")).unwrap();
    let known = functions(&[source, file]);
    let there = table("'reef_api::a::b::tests::holds', 'reef_api::tests::c::stands'");
    assert_eq!(unknown_tests(&there, &known), Vec::<String>::new());
    let gone = table("'reef_api::a::b::holds'");
    assert_eq!(unknown_tests(&gone, &known), ["Y1: no test reef_api::a::b::holds"]);
}

#[test]
fn ids_are_a_letter_and_a_number() {
    assert!(["G1", "Y22", "W18", "S16"].iter().all(|id| well_formed(id)));
    assert!(["", "G", "G0", "G01", "Z1", "g1", "G-1", "G1a", "GG1", "G999"].iter().all(|id| !well_formed(id)));
}
