//! Checks as a table: what is there, what came of the last attempt, and what is done then.

use jiff::{Timestamp, ToSpan};
use reef_api::condition::find;
use serde_json::{Value, json};

use super::*;

const COMMIT: &str = "1f0c2e9a77d15bb0e6b4b8f5d1a3f1f7a0c9d8e7";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + second.seconds()
}

fn check(spec: Value) -> CapacityCheck {
    let mut whole = json!({"sourceRef": {"name": "fleet"}});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let object = json!({"apiVersion": "reef.dev/v1alpha1", "kind": "CapacityCheck", "spec": whole,
        "metadata": {"name": "gate", "namespace": "team", "generation": 1}});
    serde_json::from_value(object).unwrap()
}

fn question(check: &CapacityCheck) -> Question {
    Question::of(check, Some("argocd/fleet".to_owned()))
}

fn told(next: Next) -> CapacityCheckStatus {
    match next {
        Next::Tell(status) => *status,
        other => panic!("{other:?}"),
    }
}

/// The check with its begin told at second 0.
fn begun(spec: Value) -> CapacityCheck {
    let mut check = check(spec);
    check.status = Some(told(next(&check, &question(&check), None, at(0))));
    check
}

fn decide(check: &CapacityCheck, answer: Option<&Answer>, second: i64) -> Next {
    next(check, &question(check), answer, at(second))
}

fn change(name: &str, mode: &str) -> Value {
    json!({"namespace": "team", "name": name, "action": "resize", "mode": mode, "turn": 0, "pod": {},
        "size": {"from": {"vcpus": 1, "memory": "1Gi"}, "to": {"vcpus": 1, "memory": "2Gi"}},
        "findings": [{"rule": "NodeCapacity", "message": "too much"}], "place": {"file": "a.yaml", "line": 7}})
}

fn planned(changes: &[(&str, usize)]) -> Answer {
    let listed: Vec<Value> = changes
        .iter()
        .flat_map(|(mode, count)| (0..*count).map(move |number| change(&format!("{mode}-{number}"), mode)))
        .collect();
    let count = |wanted: &str| changes.iter().find(|(mode, _)| *mode == wanted).map_or(0, |(_, count)| *count);
    let plan = json!({
        "apiVersion": "reef.dev/v1alpha1", "kind": "CapacityPlan", "base": {"name": "the cluster"}, "head": {"name": COMMIT},
        "facts": {"from": "cluster"}, "changes": listed,
        "summary": {"outcome": "changes", "vms": listed.len(), "live": count("live"), "restart": count("restart"),
            "deferred": count("deferred"), "blocked": count("blocked"), "infeasible": count("infeasible"),
            "takes": {"milliCpu": 0, "memoryBytes": 0}},
    });
    let plan = serde_json::from_value(plan).unwrap();
    Answer::Planned(Box::new(Planned { revision: COMMIT.to_owned(), plan }))
}

/// Which of `Ready`, `Reconciling`, `Stalled` is True, its reason and its message.
fn standing(status: &CapacityCheckStatus) -> (String, String, String) {
    let holds = status.conditions.iter().find(|condition| condition.status == "True").unwrap();
    assert_eq!(find(&status.conditions, READY).unwrap().observed_generation, status.observed_generation);
    (holds.type_.clone(), holds.reason.clone(), holds.message.clone())
}

fn of(status: &CapacityCheckStatus) -> (String, String) {
    let (kind, reason, _) = standing(status);
    (kind, reason)
}

fn pair(kind: &str, reason: &str) -> (String, String) {
    (kind.to_owned(), reason.to_owned())
}

#[test]
fn the_begin_is_told_first_and_then_the_answer_is_looked_for() {
    let check = begun(json!({}));
    let status = check.status.clone().unwrap();
    assert_eq!(of(&status), pair("Reconciling", "Planning"));
    assert_eq!((status.started_at, status.observed_generation), (Some(at(0)), Some(1)));
    assert_eq!(status.application.as_deref(), Some("argocd/fleet"));
    assert_eq!(decide(&check, None, 30), Next::Plan(Duration::from_secs(90)));
}

#[test]
fn what_is_waited_for_is_told_once_and_looked_for_again_until_the_limit() {
    let mut check = begun(json!({"timeout": "1m"}));
    let waits = Answer::Waits { reason: Reason::WaitingForOperation, message: "no sync is under way".to_owned() };
    let status = told(decide(&check, Some(&waits), 1));
    assert_eq!(of(&status), pair("Reconciling", "WaitingForOperation"));
    check.status = Some(status);
    assert_eq!(decide(&check, Some(&waits), 20), Next::Plan(Duration::from_secs(40)));
    let (kind, reason, message) = standing(&told(decide(&check, Some(&waits), 60)));
    assert_eq!((kind.as_str(), reason.as_str()), ("Stalled", "PlanTimedOut"));
    assert!(message.contains("within 60 s of spec.timeout: no sync is under way;"), "{message}");
    assert_eq!(of(&told(decide(&check, None, 3600))), pair("Stalled", "PlanTimedOut"));
}

#[test]
fn what_fits_is_ready_and_what_is_to_be_refused_is_stalled_with_its_lines() {
    let check = begun(json!({}));
    let status = told(decide(&check, Some(&planned(&[("live", 1), ("deferred", 1)])), 2));
    let (kind, reason, message) = standing(&status);
    assert_eq!((kind.as_str(), reason.as_str()), ("Ready", "CapacityOk"));
    assert_eq!(message, "commit 1f0c2e9a77 compared with the cluster: 2 VMs change: 1 live, 1 deferred");
    assert_eq!((status.revision.as_deref(), status.base.as_deref()), (Some(COMMIT), Some("the cluster")));
    let status = told(decide(&check, Some(&planned(&[("live", 1), ("infeasible", 1)])), 2));
    let (kind, reason, message) = standing(&status);
    assert_eq!((kind.as_str(), reason.as_str()), ("Stalled", "CapacityRefused"));
    assert!(message.contains("refused for Infeasible (spec.failOn)"), "{message}");
    assert!(
        message.contains("a.yaml:7: team/infeasible-0 resize infeasible: 1 vCPU, 1Gi -> 1 vCPU, 2Gi (too much)"),
        "{message}"
    );
    assert_eq!(status.summary.map(|summary| (summary.vms, summary.live, summary.infeasible)), Some((2, 1, 1)));
    assert!(status.lines[0].starts_with("a.yaml:7: team/infeasible-0"), "{:?}", status.lines);
}

#[test]
fn fail_on_decides_what_is_refused() {
    for (listed, mode, kind) in [
        (json!(["Deferred"]), "deferred", "Stalled"),
        (json!(["Restart"]), "restart", "Stalled"),
        (json!([]), "blocked", "Ready"),
        (json!(["Infeasible"]), "blocked", "Ready"),
        (json!(["Blocked"]), "blocked", "Stalled"),
    ] {
        let check = begun(json!({"failOn": listed}));
        let status = told(decide(&check, Some(&planned(&[(mode, 1)])), 2));
        assert_eq!(of(&status).0, kind, "{listed} {mode}");
    }
}

#[test]
fn a_verdict_is_final_until_the_question_is_another_one() {
    let mut check = begun(json!({}));
    check.status = Some(told(decide(&check, Some(&planned(&[("blocked", 1)])), 2)));
    assert_eq!(decide(&check, None, 9_000), Next::Rest);
    assert_eq!(decide(&check, Some(&planned(&[("live", 1)])), 9_000), Next::Rest);
    let other = Question { application: Some("argocd/other".to_owned()), ..question(&check) };
    assert_eq!(of(&told(next(&check, &other, None, at(9_000)))), pair("Reconciling", "Planning"));
    let mut asked = check.clone();
    asked.metadata.annotations = Some([(REQUESTED_AT_ANNOTATION.to_owned(), "now".to_owned())].into());
    let status = told(decide(&asked, None, 9_000));
    assert_eq!((status.started_at, status.last_handled_reconcile_at.as_deref()), (Some(at(9_000)), Some("now")));
    assert!(status.lines.is_empty() && status.revision.is_none());
    check.metadata.generation = Some(2);
    assert_eq!(told(decide(&check, None, 9_000)).observed_generation, Some(2));
}

#[test]
fn a_spec_that_cannot_be_used_is_told_and_nothing_is_looked_for() {
    for spec in [json!({"timeout": "soon"}), json!({"revision": "main"}), json!({"sourceRef": {"name": "../x"}})] {
        let (kind, reason, message) = standing(&told(decide(&check(spec.clone()), None, 0)));
        assert_eq!((kind.as_str(), reason.as_str()), ("Stalled", "Invalid"), "{spec}");
        assert!(message.starts_with("spec."), "{message}");
    }
}

#[test]
fn what_cannot_be_judged_is_told_in_its_own_words() {
    let unjudged =
        Answer::Unjudged { reason: Reason::NotJudged, message: "GitSource team/fleet is not there".to_owned() };
    let (kind, reason, message) = standing(&told(decide(&begun(json!({})), Some(&unjudged), 1)));
    assert_eq!((kind.as_str(), reason.as_str()), ("Stalled", "NotJudged"));
    assert_eq!(message, "GitSource team/fleet is not there");
}

#[test]
fn a_begin_that_is_still_to_come_prolongs_nothing() {
    let mut check = begun(json!({}));
    check.status.as_mut().unwrap().started_at = Some(at(100_000));
    assert_eq!(decide(&check, None, 0), Next::Plan(Duration::from_secs(120)));
    let waits = Answer::Waits { reason: Reason::WaitingForOperation, message: "x".to_owned() };
    assert_eq!(told(decide(&check, Some(&waits), 0)).started_at, Some(at(0)));
}

#[test]
fn many_and_long_lines_leave_the_status_small_and_tell_what_is_left_out() {
    let status = told(decide(&begun(json!({})), Some(&planned(&[("blocked", 500)])), 1));
    assert_eq!((status.lines.len(), status.summary.map(|summary| summary.blocked)), (20, Some(500)));
    assert_eq!(status.lines[19], "and 481 lines more: `reef plan --live` shows all of them");
    assert!(serde_json::to_string(&status).unwrap().len() < 16 * 1024);
    let long = cut(&"ä\n".repeat(4_000));
    assert!(long.len() <= LINE && long.ends_with(" ...") && !long.contains('\n'), "{long}");
}

#[test]
fn a_check_that_is_going_is_left_alone() {
    let mut check = check(json!({}));
    check.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)));
    assert_eq!(decide(&check, None, 1), Next::Rest);
}
