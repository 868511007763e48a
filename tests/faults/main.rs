//! Holds the table of faults to what exists: every id is there once, and every test that a row names is one. It does not
//! run those tests; cargo does. `make faults` prints the table.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

mod security;
#[path = "../sources/mod.rs"]
mod sources;
mod table;

use std::collections::BTreeSet;
use std::fs;

use sources::{PACKAGES, Source, outline, root, sources};
use table::{Faults, Row, State};

/// Where the table is printed to, where somebody asks for it.
const PRINT_TO: &str = "FAULTS_TABLE";

/// TOML refuses a key that stands twice.
fn faults() -> Faults {
    let text = fs::read_to_string(root().join("tests/faults.toml")).expect("a readable table");
    toml::from_str(&text).expect("a table of rows: tests, or `capability` or `open`")
}

/// The full names of all tests in the sources. Cases of the conformance suite are run by it and have no attribute.
fn tests(sources: &[Source]) -> BTreeSet<String> {
    sources.iter().flat_map(full_names).collect()
}

fn full_names(source: &Source) -> Vec<String> {
    let package = PACKAGES.iter().find(|(folder, _)| *folder == source.package).map_or("", |(_, name)| name);
    let case = package == "reef_conformance" && source.module.first().is_some_and(|first| first == "cases");
    let (_, functions) = outline(source);
    let full = |module: Vec<String>, name| [vec![package.to_owned()], module, vec![name]].concat().join("::");
    let tests = functions.into_iter().filter(|function| function.test || case);
    tests.map(|function| full(function.module, function.name)).collect()
}

fn unknown_tests(faults: &Faults, known: &BTreeSet<String>) -> Vec<String> {
    let pairs = faults.rows.iter().flat_map(|(id, row)| row.tests().iter().map(move |test| (id, test)));
    pairs.filter(|(_, test)| !known.contains(*test)).map(|(id, test)| format!("{id}: no test {test}")).collect()
}

#[test]
fn every_id_is_there_and_every_row_says_what_it_has_or_lacks() {
    assert_eq!(faults().problems(), Vec::<String>::new());
}

#[test]
fn every_named_test_exists() {
    let unknown = unknown_tests(&faults(), &tests(&sources()));
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn a_row_that_names_a_test_twice_is_found() {
    for (id, row) in &faults().rows {
        let named: BTreeSet<&String> = row.tests().iter().collect();
        assert_eq!(named.len(), row.tests().len(), "{id} names a test twice");
    }
}

#[test]
fn the_table_is_printed_where_somebody_asks_for_it() {
    let printed = faults().print();
    assert!(printed.lines().any(|line| line.starts_with("I  Invariants")), "{printed}");
    if let Some(path) = std::env::var_os(PRINT_TO) {
        fs::write(path, printed).expect("a place for the table");
    }
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let source = Source::new("api/src/a/b.rs", "mod tests { proptest! { #[test] fn holds(x in 0..1) {} } }").unwrap();
    let file =
        Source::new("api/tests/c.rs", "#[test]\nfn stands() {}\nfn helps() {}\neach! { made }\nasync fn made() {}\n");
    let attributes = "#[tokio::test(start_paused = true)]\nasync fn waits() {}\n#[cfg(test)]\nfn builds() {}\n";
    let other = Source::new("api/tests/d.rs", attributes).unwrap();
    let known = tests(&[source, file.unwrap(), other]);
    let table = |tests: &str| toml::from_str(&format!("[rows]\nY1 = [{tests}]\nY2 = {{ open = 'none' }}")).unwrap();
    let there = table(
        "'reef_api::a::b::tests::holds', 'reef_api::tests::c::stands', 'reef_api::tests::c::made', 'reef_api::tests::d::waits'",
    );
    assert_eq!(unknown_tests(&there, &known), Vec::<String>::new());
    for gone in ["reef_api::a::b::holds", "reef_api::tests::c::helps", "reef_api::tests::d::builds"] {
        assert_eq!(unknown_tests(&table(&format!("'{gone}'")), &known), [format!("Y1: no test {gone}")]);
    }
}

#[test]
fn what_is_wrong_with_a_table_is_told() {
    let rows = "Y1 = []\nY2 = { tests = ['a'] }\nY3 = { open = 'none' }\nZ1 = ['a']\nY04 = ['a']";
    let table: Faults = toml::from_str(&format!("[rows]\n{rows}")).unwrap();
    let problems = table.problems();
    for expected in [
        "Y1 names no test",
        "Y2 says either `capability` or `open`",
        "Y3 gives no reason in a sentence",
        "Z1 is no id",
        "Y04 is no id",
        "Y4 is missing",
        "I30 is missing",
    ] {
        assert!(problems.iter().any(|problem| problem == expected), "{expected}: {problems:?}");
    }
    assert!(toml::from_str::<Faults>("[rows]\nY1 = ['a']\nY1 = ['b']").is_err(), "an id stands once");
}

#[test]
fn a_row_may_prove_a_part_and_say_what_is_left() {
    let row: Row = toml::from_str::<Faults>("[rows]\nY1 = { tests = ['a'], open = 'One part has no test yet.' }")
        .map(|mut table| table.rows.remove("Y1").unwrap())
        .unwrap();
    assert_eq!((row.tests(), row.state()), (&["a".to_owned()][..], Ok((State::Open, "One part has no test yet."))));
}
