//! Words of the scripts that stand in the code as well: reasons, phases, run policies and annotations. A word that is nowhere else is a slip.

use std::collections::BTreeSet;

use reef_api::vm::RunPolicy;
use reef_api::{Phase, Reason, names};

use crate::scripts::{FOLDER, files};
use crate::text;

/// Every word that a script takes for a reason, a phase or a run policy: what is set to `true` in a table, or compared with a reason.
fn words(script: &str) -> BTreeSet<String> {
    let listed = regex::Regex::new(r"\b([A-Z][A-Za-z]+) = true").unwrap();
    let compared = regex::Regex::new(r#"reason [=~]= "([A-Za-z]+)""#).unwrap();
    let of = |found: regex::Captures<'_>| found[1].to_owned();
    listed.captures_iter(script).chain(compared.captures_iter(script)).map(of).collect()
}

fn known() -> BTreeSet<String> {
    let policies =
        [RunPolicy::Always, RunPolicy::RerunOnFailure, RunPolicy::Once, RunPolicy::Manual, RunPolicy::Halted];
    let policies = policies.iter().map(|policy| format!("{policy:?}"));
    let reasons = Reason::ALL.iter().map(ToString::to_string);
    reasons.chain(Phase::ALL.iter().map(ToString::to_string)).chain(policies).collect()
}

#[test]
fn every_reason_phase_and_run_policy_of_a_script_is_one() {
    let (mut count, known) = (0, known());
    for name in files() {
        let found = words(&text(&format!("{FOLDER}/{name}")));
        count += found.len();
        let unknown: Vec<&String> = found.difference(&known).collect();
        assert!(unknown.is_empty(), "{name}: nothing of Reef is called {unknown:?}");
    }
    assert!(count > 15, "{count}");
}

#[test]
fn every_annotation_that_a_script_sets_is_one_that_reef_reads() {
    let known = BTreeSet::from([
        names::SUSPENDED_ANNOTATION,
        names::RESTART_ANNOTATION,
        names::RETRY_ANNOTATION,
        names::SETTLE_ANNOTATION,
        names::REQUESTED_AT_ANNOTATION,
    ]);
    let key = regex::Regex::new(r#""([a-z.]*reef\.dev/[A-Za-z-]+)""#).unwrap();
    let scripts: Vec<String> = files().iter().map(|name| text(&format!("{FOLDER}/{name}"))).collect();
    let found: BTreeSet<&str> = scripts
        .iter()
        .flat_map(|script| key.captures_iter(script))
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    assert_eq!(found, known);
}
