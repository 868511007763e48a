//! Holds docs/security.md to the table of faults: every id of webhook and security stands there, and what a row names as its proof is a test of that id.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::sources::root;
use crate::{Faults, faults};

/// The rows of the page's tables that begin with ids: the ids, and the tests that are named.
fn rows(page: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>();
    let ids = |cell: &str| cell.split(", ").filter(|id| is_id(id)).map(str::to_owned).collect::<Vec<_>>();
    let lines = page.lines().filter(|line| line.starts_with('|')).map(cells);
    let read = lines.map(|cells| (ids(&cells[0]), tests(cells.last().map_or("", String::as_str))));
    read.filter(|(ids, _)| !ids.is_empty()).collect()
}

fn is_id(word: &str) -> bool {
    let (letter, number) = word.split_at(word.len().min(1));
    letter.chars().all(|letter| letter.is_ascii_uppercase()) && number.parse::<u8>().is_ok()
}

fn tests(cell: &str) -> Vec<String> {
    cell.split('`').filter(|word| word.contains("::")).map(str::to_owned).collect()
}

fn problems(page: &str, faults: &Faults) -> Vec<String> {
    let mut found = Vec::new();
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for (ids, named) in rows(page) {
        let proven: BTreeSet<&String> =
            ids.iter().filter_map(|id| faults.rows.get(id)).flat_map(|row| row.tests()).collect();
        found.extend(
            named
                .iter()
                .filter(|test| !proven.contains(test))
                .map(|test| format!("{}: {test} is not its test", ids.join(", "))),
        );
        let bare =
            ids.iter().filter(|id| named.is_empty() && faults.rows.get(*id).is_some_and(|row| !row.tests().is_empty()));
        found.extend(bare.map(|id| format!("{id} has tests and names none")));
        ids.into_iter().for_each(|id| *told.entry(id).or_default() += 1);
    }
    let needed = faults.rows.keys().filter(|id| id.starts_with(['S', 'W']));
    let missing = needed.filter(|id| !told.contains_key(*id) && !page.contains(id.as_str()));
    found.extend(missing.map(|id| format!("{id} is not told of")));
    found
}

#[test]
fn every_threat_names_the_tests_that_show_it() {
    let page = fs::read_to_string(root().join("docs/security.md")).expect("a readable page");
    assert!(rows(&page).len() > 20);
    let found = problems(&page, &faults());
    assert!(found.is_empty(), "docs/security.md\n{}", found.join("\n"));
}

#[test]
fn a_threat_without_its_test_is_found() {
    let faults: Faults =
        toml::from_str("[rows]\nS1 = ['a::b']\nS2 = ['a::c']\nS3 = ['a::d']\nW1 = ['a::e']\nG1 = ['a::f']").unwrap();
    let page =
        "| | threat | shown by |\n|---|---|---|\n| S1 | x | `a::b` |\n| S2, S3 | y | `a::b` `a::d` |\n| W1 | z | |\n";
    assert_eq!(problems(page, &faults), ["S2, S3: a::b is not its test", "W1 has tests and names none"]);
    assert_eq!(problems("S1 and S2 and W1", &faults), ["S3 is not told of"]);
}
