//! Words of the code that a page has to explain: every reason of a condition, every condition, every phase, every label and annotation. A word counts
//! where it stands as code.

use std::collections::BTreeSet;

use reef_api::{Phase, Reason, condition};

use crate::page::Page;
use crate::text;

/// The words that a page has as code.
fn words(page: &str) -> BTreeSet<String> {
    Page::read(page).code.into_iter().map(|code| code.what).collect()
}

fn lacks<'a>(page: &str, needed: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let there = words(page);
    needed.into_iter().filter(|word| !there.contains(*word)).collect()
}

#[test]
fn every_reason_has_its_case_in_troubleshooting() {
    let lacks = lacks("docs/troubleshooting.md", Reason::ALL.iter().map(|reason| reason.as_str()));
    assert!(lacks.is_empty(), "docs/troubleshooting.md does not name {}", lacks.join(", "));
}

#[test]
fn every_phase_and_condition_is_explained() {
    let conditions = [
        condition::READY,
        condition::RECONCILING,
        condition::STALLED,
        condition::RESIZED,
        condition::RESIZABLE,
        condition::SUSPENDED,
    ];
    let lacks = lacks("docs/concepts.md", Phase::ALL.iter().map(|phase| phase.as_str()).chain(conditions));
    assert!(lacks.is_empty(), "docs/concepts.md does not name {}", lacks.join(", "));
}

#[test]
fn every_label_and_annotation_is_explained() {
    let names = text("api/src/names.rs");
    let keys = names.lines().filter(|line| line.contains("_LABEL:") || line.contains("_ANNOTATION:"));
    let quoted: Vec<&str> = keys.filter_map(|line| line.split('"').nth(1)).collect();
    assert!(quoted.len() > 7, "{quoted:?}");
    let lacks = lacks("docs/concepts.md", quoted);
    assert!(lacks.is_empty(), "docs/concepts.md does not name {}", lacks.join(", "));
}
