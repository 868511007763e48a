//! A VM whose Pod another writer resizes again and again: what it says, what it holds still, and what it may not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/case.rs"]
mod case;
mod support;

use case::{BEFORE, Case, LARGER, SMALLER, at, carrying};
use reef_api::{Phase, Reason, Size, Vcpus, condition};
use reef_reconciler::decide::action::Action;
use reef_reconciler::decide::observed::{Contest, RefusalKind};

/// Somebody has set the Pod to carry `theirs`, and the VM holds for them.
fn contested(wanted: Size, theirs: Size) -> Case {
    let mut case = Case::settled_and_now(wanted);
    case.rest(at(1));
    case.patched(theirs);
    (case.pod().allocated, case.pod().actual) = (Some(carrying(theirs)), Some(carrying(theirs)));
    case.view.contest = Some(Contest {
        generation: 2,
        pod_uid: "pod-uid".to_owned(),
        writer: Some("vpa-updater".to_owned()),
        theirs: carrying(theirs),
        ours: carrying(wanted),
    });
    case
}

fn granted(case: &Case) -> Option<Size> {
    case.view.status.resize.as_ref().unwrap().grant.as_ref().map(reef_api::vm::Grant::size)
}

#[test]
fn a_vm_that_holds_names_the_other_writer_both_sizes_and_what_to_do() {
    let mut case = contested(BEFORE, LARGER);
    assert_eq!(case.rest(at(2)), Action::Rest);
    assert_eq!((case.phase(), case.ready()), (Phase::Running, ("False", Reason::PodConflict)));
    assert!(condition::is_true(&case.view.status.conditions, condition::STALLED));
    let ready = condition::find(&case.view.status.conditions, condition::READY).unwrap();
    assert_eq!(
        ready.message,
        "field manager \"vpa-updater\" sets Pod web-1-pod-uid to cpu 4, memory 4352Mi again and again, where the VM needs cpu 2, memory 2304Mi; \
         stop that writer (a VerticalPodAutoscaler, for example): Reef holds, tries again ever more rarely, and goes on by itself"
    );
    case.view.contest = None;
    assert_eq!(Action::wish(&case.rest(at(60))), Some(carrying(BEFORE)), "it is tried again");
}

#[test]
fn nothing_grows_in_a_pod_that_is_anothers_though_it_would_fit() {
    let mut case = contested(LARGER, Size::new(Vcpus(8), LARGER.memory));
    assert_eq!(case.rest(at(2)), Action::Rest);
    assert_eq!((granted(&case), case.ready().1), (None, Reason::PodConflict));
    case.view.contest = None;
    case.rest(at(60));
    assert_eq!(granted(&case), Some(LARGER), "the Pod covers it");
}

#[test]
fn what_is_to_shrink_shrinks_and_its_pod_is_left_as_it_is() {
    let mut case = contested(SMALLER, LARGER);
    assert_eq!(case.rest(at(2)), Action::Rest);
    assert_eq!(granted(&case), Some(SMALLER));
    let report = case.report();
    (report.ack_seq, report.vcpus_requested, report.vcpus_present) = (1, SMALLER.vcpus, SMALLER.vcpus);
    (report.memory_requested, report.memory_actual) = (SMALLER.memory, SMALLER.memory);
    assert_eq!((case.rest(at(3)), case.ready().1), (Action::Rest, Reason::PodConflict));
}

#[test]
fn a_pod_that_is_too_small_for_its_vm_is_raised_again_and_no_further() {
    let mut case = contested(LARGER, SMALLER);
    assert_eq!(Action::wish(&case.rest(at(2))), Some(carrying(BEFORE)), "what the VM has, and not what it wants");
    assert_eq!((granted(&case), case.ready().1), (None, Reason::PodConflict));
    let mixed = Size::new(Vcpus(1), LARGER.memory);
    let mut case = contested(LARGER, mixed);
    assert_eq!(Action::wish(&case.rest(at(2))), Some(carrying(Size::new(BEFORE.vcpus, LARGER.memory))));
    case.refused(RefusalKind::Quota, carrying(Size::new(BEFORE.vcpus, LARGER.memory)), "exceeded");
    assert_eq!(case.rest(at(3)), Action::Rest, "a refusal is not asked for again at once");
}

#[test]
fn a_contest_about_another_generation_or_pod_counts_for_nothing() {
    for (generation, pod) in [(1, "pod-uid"), (2, "pod-of-before")] {
        let mut case = contested(BEFORE, LARGER);
        let contest = case.view.contest.as_mut().unwrap();
        (contest.generation, contest.pod_uid) = (generation, pod.to_owned());
        assert_eq!(Action::wish(&case.rest(at(2))), Some(carrying(BEFORE)));
    }
}

#[test]
fn a_size_that_needs_a_restart_stays_told_beside_it() {
    let mut case = contested(Size::new(Vcpus(9), BEFORE.memory), LARGER);
    assert_eq!(case.rest(at(2)), Action::Rest);
    assert_eq!(case.ready().1, Reason::RestartRequired);
    let ready = condition::find(&case.view.status.conditions, condition::READY).unwrap();
    assert!(ready.message.contains("booted with") && ready.message.contains("vpa-updater"), "{}", ready.message);
}
