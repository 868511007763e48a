//! The limits that docs/limits.md tells are those of the code: each names a file and a constant with its value, as they stand there.

use crate::page::Page;
use crate::text;

/// Rows that name a value: the file, and `NAME = VALUE` of a constant or `name: VALUE` of a field, all as code in one line.
fn values(page: &Page) -> Vec<(usize, String, String)> {
    let stated = page.code.iter().filter(|code| code.what.contains(" = ") || code.what.contains(": "));
    let file = |line: usize| page.code.iter().find(|code| code.line == line && code.what.ends_with(".rs"));
    stated.filter_map(|code| Some((code.line, file(code.line)?.what.clone(), code.what.clone()))).collect()
}

/// Whether a source says `const NAME: TYPE = VALUE;`, or `name: VALUE,`.
fn says(source: &str, stated: &str) -> bool {
    let Some((name, value)) = stated.split_once(" = ") else {
        return source.lines().any(|line| line.trim() == format!("{stated},"));
    };
    let mut declared = source.lines().filter(|line| line.contains(&format!("const {name}:")));
    declared.any(|line| line.split_once(" = ").is_some_and(|(_, there)| there.trim_end_matches(';') == value))
}

#[test]
fn every_limit_is_that_of_the_code() {
    let values = values(&Page::read("docs/limits.md"));
    assert!(values.len() > 40, "{}", values.len());
    let wrong = values.iter().filter(|(_, file, stated)| !says(&text(file), stated));
    let told: Vec<String> =
        wrong.map(|(line, file, stated)| format!("docs/limits.md:{line}: {file} does not say {stated}")).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn another_value_is_found() {
    let source = "/// Most.\npub const MOST: u64 = 8 << 20;\n    depth: 32,\n";
    assert!(says(source, "MOST = 8 << 20") && says(source, "depth: 32"));
    assert!(!says(source, "MOST = 9 << 20") && !says(source, "LEAST = 8 << 20") && !says(source, "depth: 3"));
}
