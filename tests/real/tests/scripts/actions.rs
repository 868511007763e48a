//! The actions: which are offered in which state, and what each does to the object: one annotation, and nothing else.

use std::collections::BTreeMap;

use reef_api::names::{
    REQUESTED_AT_ANNOTATION, RESTART_ANNOTATION, RETRY_ANNOTATION, SETTLE_ANNOTATION, SUSPENDED_ANNOTATION,
};
use serde_json::{Value, json};

use crate::argocd::{now, offered, run};
use crate::batch::{self, action_script};
use crate::objects::{Beside, object, ready, settled, suspended, unready, vm, with, without};

const VM: &str = "cloudhypervisor.quill.today_VirtualMachine";

fn stuck(reason: &str) -> Value {
    vm("Running", &unready(reason, Beside::Stuck))
}

fn going(mut object: Value) -> Value {
    object["metadata"]["deletionTimestamp"] = json!("2026-01-31T18:00:00Z");
    object
}

/// Objects in each state, and the actions that are offered.
fn states() -> Vec<(&'static str, Value, &'static str)> {
    let growing = || vm("ResizeInProgress", &unready("WaitingForGuest", Beside::Moving));
    let policy = |name: &str| with(settled(), "spec.runPolicy", json!(name));
    let expired = with(settled(), "metadata.annotations", json!({ SUSPENDED_ANNOTATION: "{}" }));
    let other_pod = with(stuck("Stalled"), "status.vmm.podUID", json!("old"));
    let refused = |vm: Value| with(vm, "status.resize.refused", json!({ "reason": "Deferred" }));
    vec![
        ("settled", settled(), "restart suspend"),
        ("growing", growing(), "restart settle suspend"),
        ("without status", without(settled(), "status"), "restart suspend"),
        ("RerunOnFailure", policy("RerunOnFailure"), "restart suspend"),
        ("Once", policy("Once"), "suspend"),
        ("Manual", policy("Manual"), "suspend"),
        ("Halted", policy("Halted"), "suspend"),
        ("without a run policy", without(settled(), "spec.runPolicy"), "suspend"),
        ("suspended", suspended(), "resume"),
        ("expired", expired, "restart resume suspend"),
        ("being deleted", going(stuck("Stalled")), ""),
        ("being deleted, suspended", going(suspended()), ""),
        ("stalled", stuck("Stalled"), "restart retry settle suspend"),
        ("stalled in another Pod", other_pod, "restart retry suspend"),
        ("partial", stuck("Partial"), "restart retry suspend"),
        ("infeasible", stuck("Infeasible"), "restart retry suspend"),
        ("deferred", vm("PodResizeInProgress", &unready("Deferred", Beside::Moving)), "restart retry settle suspend"),
        ("deferred for good", stuck("Deferred"), "restart retry suspend"),
        ("refused before, and settled", refused(settled()), "restart suspend"),
        ("refused before, and growing", refused(growing()), "restart retry settle suspend"),
        (
            "in conflict with another writer",
            vm("Running", &unready("PodConflict", Beside::Moving)),
            "restart retry settle suspend",
        ),
        ("restart required", vm("Running", &unready("RestartRequired", Beside::Moving)), "restart suspend"),
        ("invalid", with(settled(), "status.conditions", unready("Invalid", Beside::Nothing)), "suspend"),
        (
            "policies in conflict",
            with(settled(), "status.conditions", unready("PolicyConflict", Beside::Nothing)),
            "suspend",
        ),
        (
            "ended",
            with(settled(), "status", vm("Failed", &unready("Ended", Beside::Stuck))["status"].clone()),
            "restart suspend",
        ),
    ]
}

#[test]
fn an_action_is_offered_where_it_makes_sense() {
    let states = states();
    let objects: Vec<Value> = states.iter().map(|(_, object, _)| object.clone()).collect();
    for ((name, _, expected), given) in states.iter().zip(batch::run(&action_script(VM, None), &objects)) {
        let given = given.unwrap_or_else(|error| panic!("{name}: {error}"));
        let offered: Vec<&str> = given.split(' ').filter_map(|action| action.strip_suffix("=true")).collect();
        assert_eq!(offered.join(" "), *expected, "{name}");
    }
}

/// What is not offered is refused by the action as well: Argo CD's own server runs every action that it is asked for.
#[test]
fn what_is_not_offered_is_refused_by_a_sentence_and_what_is_offered_is_not() {
    for action in ["restart", "retry", "settle", "suspend", "resume"] {
        let states = states();
        let objects: Vec<Value> = states.iter().map(|(_, object, _)| object.clone()).collect();
        for ((name, _, offered), given) in states.iter().zip(batch::run(&action_script(VM, Some(action)), &objects)) {
            let expected = offered.split(' ').any(|word| word == action);
            assert_eq!(given.is_ok(), expected, "{action} of a VM that is {name}: {given:?}");
            assert!(given.is_ok() || given.unwrap_err().starts_with("VirtualMachine web-1: "), "{action} {name}");
        }
    }
}

#[test]
fn an_action_sets_one_annotation_to_the_present_time_and_nothing_else() {
    let source = object("GitSource", &ready("Applied"));
    for (action, object, annotation) in [
        ("restart", settled(), RESTART_ANNOTATION),
        ("retry", stuck("Infeasible"), RETRY_ANNOTATION),
        ("settle", stuck("Stalled"), SETTLE_ANNOTATION),
        ("reconcile", source, REQUESTED_AT_ANNOTATION),
    ] {
        let (added, removed) = run(&object, action, &[]).unwrap();
        assert_eq!((added.len(), removed.len()), (1, 0), "{action}: {added:?} {removed:?}");
        let value = added[annotation].as_str().unwrap_or_else(|| panic!("{action}: {added:?}"));
        let age = now().duration_since(value.parse().unwrap()).as_secs();
        assert!(value.len() == 20 && (0..60).contains(&age), "{action}: {value}");
    }
}

#[test]
fn resume_takes_the_annotation_away_and_leaves_the_others() {
    let (added, removed) = run(&suspended(), "resume", &[]).unwrap();
    assert!(added.is_empty(), "{added:?}");
    assert_eq!(removed.keys().collect::<Vec<_>>(), [SUSPENDED_ANNOTATION]);
    let alone = with(suspended(), "metadata.annotations", json!({ SUSPENDED_ANNOTATION: "{}" }));
    let (added, removed) = run(&alone, "resume", &[]).unwrap();
    assert_eq!(json!(removed), json!({ "annotations": { SUSPENDED_ANNOTATION: "{}" } }));
    assert!(added.values().all(|left| left == &json!({})), "{added:?}");
}

#[test]
fn an_object_without_annotations_gets_its_first() {
    let (added, removed) = run(&without(settled(), "metadata.annotations"), "restart", &[]).unwrap();
    assert_eq!((added.keys().map(String::as_str).collect::<Vec<_>>(), removed.len()), (vec!["annotations"], 0));
    assert!(added["annotations"][RESTART_ANNOTATION].is_string(), "{added:?}");
}

#[test]
fn the_sentence_of_a_refusal_reaches_whoever_asks() {
    let why = run(&with(settled(), "spec.runPolicy", json!("Halted")), "restart", &[]).unwrap_err();
    assert_eq!(
        why,
        "VirtualMachine web-1: spec.runPolicy Halted does not start it by itself; it is started anew for Always and RerunOnFailure"
    );
    let why = run(&suspended(), "suspend", &[]).unwrap_err();
    assert_eq!(why, "VirtualMachine web-1: it is suspended already: suspended by ops until it is resumed: a move");
}

#[test]
fn the_actions_are_listed_through_the_settings_as_they_are_shipped() {
    let names = |words: [(&str, bool); 5]| words.map(|(name, offered)| (name.to_owned(), offered)).into();
    let all: BTreeMap<String, bool> =
        names([("restart", true), ("retry", true), ("settle", true), ("suspend", true), ("resume", false)]);
    assert_eq!(offered(&stuck("Stalled")), all);
    let source = offered(&object("GitSource", &ready("Applied")));
    let expected = [("reconcile", true), ("suspend", true), ("resume", false)];
    assert_eq!(source, expected.map(|(name, offered)| (name.to_owned(), offered)).into());
}
