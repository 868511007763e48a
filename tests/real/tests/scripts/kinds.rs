//! The health of the other kinds: sources, policies, checks.

use reef_api::Reason;
use serde_json::{Value, json};

use crate::argocd::health;
use crate::batch::healths;
use crate::objects::{BESIDE, Beside, condition, object, ready, unready, with};

/// Reasons of a source that are a failure though Reef goes on trying.
const FAILING: [Reason; 4] = [Reason::Unreachable, Reason::FetchTimedOut, Reason::CacheCorrupt, Reason::AuthFailed];

#[test]
fn every_reason_of_a_source_has_its_word_in_every_standing() {
    let cases: Vec<(Reason, Beside)> =
        Reason::ALL.iter().flat_map(|reason| BESIDE.map(|beside| (*reason, beside))).collect();
    let objects: Vec<Value> =
        cases.iter().map(|(reason, beside)| object("GitSource", &unready(reason.as_str(), *beside))).collect();
    for ((reason, beside), (status, message)) in cases.iter().zip(healths("reef.dev_GitSource", &objects)) {
        let expected = match beside {
            _ if *reason == Reason::Suspended => "Suspended",
            Beside::Moving if FAILING.contains(reason) => "Degraded",
            Beside::Moving => "Progressing",
            Beside::Nothing | Beside::Stuck => "Degraded",
        };
        assert_eq!(status, expected, "{reason} {beside:?}: {message}");
    }
}

#[test]
fn a_check_is_healthy_degraded_or_on_its_way_by_its_conditions_alone() {
    let cases: Vec<(Reason, Beside)> =
        Reason::ALL.iter().flat_map(|reason| BESIDE.map(|beside| (*reason, beside))).collect();
    let objects: Vec<Value> =
        cases.iter().map(|(reason, beside)| object("CapacityCheck", &unready(reason.as_str(), *beside))).collect();
    for ((reason, beside), (status, message)) in cases.iter().zip(healths("reef.dev_CapacityCheck", &objects)) {
        let expected = if *beside == Beside::Moving { "Progressing" } else { "Degraded" };
        assert_eq!(status, expected, "{reason} {beside:?}: {message}");
    }
}

#[test]
fn a_check_that_refuses_says_every_line_that_its_condition_has_no_room_for() {
    let lines: Vec<String> =
        (0..25).map(|line| format!("teams/web/web-{line}.yaml:12 vms/web-{line} infeasible")).collect();
    let refused =
        with(object("CapacityCheck", &unready("CapacityRefused", Beside::Stuck)), "status.lines", json!(lines));
    let (status, message) = health(&refused);
    assert_eq!(status, "Degraded");
    let told: Vec<&str> = message.lines().skip(1).collect();
    assert_eq!(told, lines.iter().take(20).map(String::as_str).collect::<Vec<_>>());
    let few = with(refused, "status.lines", json!(lines[..3]));
    assert_eq!(health(&few).1.lines().count(), 1);
    let (status, message) = health(&with(object("CapacityCheck", &ready("CapacityOk")), "status.lines", json!(lines)));
    assert_eq!((status.as_str(), message.lines().count()), ("Healthy", 1));
}

#[test]
fn each_kind_is_told_through_the_settings_as_they_are_shipped() {
    let source = |conditions: &Value| object("GitSource", conditions);
    let applied = json!([condition("Ready", "True", "Applied", "commit 1f0c2e9 is applied: 8 VMs, 2 policies")]);
    let told = [
        (source(&applied), "Healthy", "Applied: commit 1f0c2e9 is applied"),
        (source(&unready("Fetching", Beside::Moving)), "Progressing", "Fetching: it waits for Fetching"),
        (
            source(&unready("Problems", Beside::Stuck)),
            "Degraded",
            "Problems: it waits for Problems. Next: correct the files",
        ),
        (source(&unready("Suspended", Beside::Nothing)), "Suspended", "Suspended: "),
        (source(&json!([])), "Progressing", "no controller of Reef has told how it is"),
        (object("SizingPolicy", &json!([])), "Healthy", "it counts since it was stored"),
        (object("CapacityCheck", &json!([])), "Progressing", "no controller of Reef has told how it is"),
    ];
    for (object, status, message) in told {
        let found = health(&object);
        assert!(found.0 == status && found.1.starts_with(message), "expected {status}: {message}\nfound {found:?}");
    }
}

/// A hook that is being deleted is still asked, so that the sync which waits for it comes to an end.
#[test]
fn a_check_that_is_being_deleted_keeps_its_answer() {
    let mut check = object("CapacityCheck", &ready("CapacityOk"));
    check["metadata"]["deletionTimestamp"] = json!("2026-01-31T18:00:00Z");
    check["metadata"]["finalizers"] = json!(["argocd.argoproj.io/hook-finalizer"]);
    assert_eq!(health(&check).0, "Healthy");
}
