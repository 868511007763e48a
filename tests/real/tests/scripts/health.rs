//! The health of a VirtualMachine: every reason in every standing, every phase, and single objects through the whole way of the settings.

use reef_api::condition::{READY, STALLED};
use reef_api::{Phase, Reason};
use serde_json::{Value, json};

use crate::argocd::health;
use crate::batch::healths;
use crate::objects::{BESIDE, Beside, GENERATION, condition, ready, settled, suspended, unready, vm, with, without};

const KIND: &str = "cloudhypervisor.quill.today_VirtualMachine";

/// Reasons that wait for somebody who has decided so.
const SUSPENDED: [Reason; 3] = [Reason::Suspended, Reason::RestartRequired, Reason::Paused];
/// Reasons that are a failure though Reef goes on trying.
const FAILING: [Reason; 4] = [Reason::BootFailed, Reason::VmmUnreachable, Reason::NodeLost, Reason::PodConflict];

fn expected(reason: Reason, beside: Beside) -> &'static str {
    match beside {
        _ if SUSPENDED.contains(&reason) => "Suspended",
        Beside::Moving if FAILING.contains(&reason) => "Degraded",
        Beside::Moving => "Progressing",
        Beside::Nothing | Beside::Stuck => "Degraded",
    }
}

#[test]
fn every_reason_has_its_word_in_every_standing_and_every_phase_that_it_can_have() {
    let cases: Vec<(Reason, Beside, Phase)> = Reason::ALL
        .iter()
        .flat_map(|reason| BESIDE.map(|beside| (*reason, beside)))
        .flat_map(|(reason, beside)| Phase::ALL.map(|phase| (reason, beside, phase)))
        .filter(|(reason, beside, phase)| !ends_suspended(*reason, *beside, *phase))
        .collect();
    let objects: Vec<Value> =
        cases.iter().map(|(reason, beside, phase)| vm(phase.as_str(), &unready(reason.as_str(), *beside))).collect();
    for ((reason, beside, phase), (status, message)) in cases.iter().zip(healths(KIND, &objects)) {
        assert_eq!(status, expected(*reason, *beside), "{reason} {beside:?} {phase}: {message}");
        assert!(message.starts_with(&format!("{reason}: it waits for {reason}")), "{message}");
        let hint = reef::view::hint::hint(*reason).filter(|_| status != "Progressing");
        assert_eq!(message.contains(". Next: "), hint.is_some(), "{message}");
        assert!(hint.is_none_or(|hint| message.contains(hint)), "{message}");
    }
}

/// A VM that is at its end is degraded, whoever has suspended it.
fn ends_suspended(reason: Reason, beside: Beside, phase: Phase) -> bool {
    SUSPENDED.contains(&reason) && beside == Beside::Stuck && matches!(phase, Phase::Failed | Phase::Succeeded)
}

#[test]
fn a_suspended_vm_is_suspended_unless_something_has_ended_it_or_keeps_it_from_starting() {
    let hold = condition("Suspended", "True", "Suspended", "suspended by ops until it is resumed: a move");
    let beside = |reason: &str, beside: Beside| {
        let mut conditions = unready(reason, beside);
        conditions.as_array_mut().unwrap().push(hold.clone());
        conditions
    };
    let told = [
        ("Running", beside("Suspended", Beside::Nothing), "Suspended"),
        ("ResizeInProgress", beside("Suspended", Beside::Moving), "Suspended"),
        ("Running", beside("Suspended", Beside::Stuck), "Suspended"),
        ("Failed", beside("Suspended", Beside::Stuck), "Degraded"),
        ("Failed", beside("Suspended", Beside::Moving), "Suspended"),
        ("Pending", beside("QuotaExceeded", Beside::Stuck), "Degraded"),
        ("Scheduling", beside("Scheduling", Beside::Moving), "Progressing"),
        ("Running", beside("Unheard", Beside::Nothing), "Suspended"),
    ];
    let objects: Vec<Value> = told.iter().map(|(phase, conditions, _)| vm(phase, conditions)).collect();
    for ((phase, conditions, expected), (status, message)) in told.iter().zip(healths(KIND, &objects)) {
        assert_eq!(status, *expected, "{phase} {conditions}: {message}");
    }
}

#[test]
fn only_a_vm_that_is_ready_for_this_generation_is_healthy() {
    let good = settled();
    let ready_with = |name: &str, value: Value| {
        let mut vm = settled();
        vm["status"]["conditions"][0][name] = value;
        vm
    };
    let mut cases: Vec<(Value, &str)> = vec![
        (good.clone(), "Healthy"),
        (with(good.clone(), "metadata.generation", json!(GENERATION + 1)), "Progressing"),
        (without(good.clone(), "metadata.generation"), "Progressing"),
        (ready_with("observedGeneration", json!(GENERATION - 1)), "Progressing"),
        (ready_with("observedGeneration", Value::Null), "Progressing"),
        (ready_with("observedGeneration", json!("3")), "Progressing"),
        (ready_with("status", json!("Unknown")), "Progressing"),
        (ready_with("status", json!(true)), "Progressing"),
        (ready_with("type", json!("ready")), "Progressing"),
    ];
    let bare = |phase: &Phase| without(vm(phase.as_str(), &ready("Settled")), "status.conditions");
    cases.extend(Phase::ALL.iter().map(|phase| (bare(phase), "Progressing")));
    cases.extend(Phase::ALL.iter().map(|phase| (vm(phase.as_str(), &ready("Settled")), "Healthy")));
    let objects: Vec<Value> = cases.iter().map(|(object, _)| object.clone()).collect();
    for ((object, expected), (status, message)) in cases.iter().zip(healths(KIND, &objects)) {
        assert_eq!(status, *expected, "{object}: {message}");
    }
}

#[test]
fn each_state_is_told_through_the_settings_as_they_are_shipped() {
    let mut going = settled();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-31T18:00:00Z");
    let stale = with(settled(), "metadata.generation", json!(4));
    let stuck = |reason| vm("Running", &unready(reason, Beside::Stuck));
    let told = [
        (settled(), "Healthy", "Settled: the guest has 2 vCPU, 2Gi, and the Pod agrees"),
        (without(settled(), "status"), "Progressing", "no controller of Reef has told how it is"),
        (
            stale,
            "Progressing",
            "generation 4 has not been looked at yet; about generation 3 it was Settled: the guest has 2 vCPU, 2Gi, and the Pod agrees",
        ),
        (
            vm("ResizeInProgress", &unready("WaitingForGuest", Beside::Moving)),
            "Progressing",
            "WaitingForGuest: it waits for WaitingForGuest",
        ),
        (
            suspended(),
            "Suspended",
            "Suspended: suspended by ops until it is resumed: a move. Next: nothing to do where an end is told: it goes on by itself then; `reef resume` ends it at once",
        ),
        (
            vm("Running", &unready("RestartRequired", Beside::Moving)),
            "Suspended",
            "RestartRequired: it waits for RestartRequired. Next: start the VM anew when it suits, or ask for a size within its limits. Actions: restart",
        ),
        (
            stuck("Infeasible"),
            "Degraded",
            "Infeasible: it waits for Infeasible. Next: ask for a size that the node can hold, or start the VM anew on a larger node. Actions: restart, retry",
        ),
        (
            stuck("Stalled"),
            "Degraded",
            "Stalled: it waits for Stalled. Next: see what the message says of the guest; after ten minutes the rest of the memory is given up. Actions: retry, settle",
        ),
        (
            with(settled(), "status.conditions", unready("OwnerConflict", Beside::Nothing)),
            "Degraded",
            "OwnerConflict: it waits for OwnerConflict",
        ),
        (going, "Progressing", "Pending deletion"),
    ];
    for (object, status, message) in told {
        let found = health(&object);
        assert!(found.0 == status && found.1.starts_with(message), "expected {status}: {message}\nfound {found:?}");
    }
}

#[test]
fn the_sentence_is_that_of_what_keeps_it_from_going_on() {
    let message = "the guest has plugged a part of 4Gi, and no more";
    let conditions =
        json!([condition(READY, "False", "Invalid", "another thing"), condition(STALLED, "True", "Stalled", message)]);
    let (status, told) = health(&vm("Running", &conditions));
    assert_eq!(status, "Degraded");
    assert!(told.starts_with(&format!("Stalled: {message}. Next: ")), "{told}");
}
