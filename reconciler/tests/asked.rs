//! What people ask of a VM by annotations: another try, an end of trying, a new start; each once, and only where it makes sense.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/case.rs"]
mod case;
mod support;

use case::{BEFORE, Case, LARGER, SMALLER, at, carrying};
use jiff::SignedDuration;
use reef_api::vm::{RunPolicy, VmmWaiting};
use reef_api::{Bytes, Reason, Size, Suspended, Vcpus};
use reef_reconciler::decide::action::Action;
use reef_reconciler::decide::asked::Asked;
use reef_reconciler::decide::observed::{PendingReason, PodPhase, ResizePending};
use reef_reconciler::decide::target::{Hold, TargetProblem};

fn asked(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn refuse(case: &mut Case, reason: PendingReason) {
    let message = "Node didn't have enough resource: cpu".to_owned();
    case.pod().pending = Some(ResizePending { reason, message });
}

/// A growth that its node refused, and whose wish was taken back at the minute that is given.
fn refused(reason: PendingReason) -> (Case, i64) {
    let mut case = Case::settled_and_now(LARGER);
    case.rest(at(1));
    case.patched(LARGER);
    refuse(&mut case, reason);
    case.rest(at(2));
    assert_eq!(Action::wish(&case.rest(at(700))), Some(carrying(BEFORE)));
    case.pod().pending = None;
    case.patched(BEFORE);
    assert_eq!(case.rest(at(700)), Action::Rest);
    (case, 700)
}

#[test]
fn what_a_node_refused_is_tried_again_once_for_each_request() {
    for (reason, word) in [(PendingReason::Infeasible, Reason::Infeasible), (PendingReason::Deferred, Reason::Deferred)]
    {
        let (mut case, now) = refused(reason);
        assert_eq!(case.ready(), ("False", word));
        case.target.asked = Asked { retry: asked("one"), ..Asked::default() };
        assert_eq!(Action::wish(&case.rest(at(now + 1))), Some(carrying(LARGER)), "{word}");
        assert_eq!(case.view.status.resize.as_ref().unwrap().retry_handled, asked("one"));
        case.patched(LARGER);
        refuse(&mut case, reason);
        case.rest(at(now + 2));
        assert_eq!(Action::wish(&case.rest(at(now + 700))), Some(carrying(BEFORE)), "{word}");
        case.pod().pending = None;
        case.patched(BEFORE);
        assert_eq!(case.rest(at(now + 700)), Action::Rest, "{word}: one request is one try");
        case.target.asked.retry = asked("two");
        assert_eq!(Action::wish(&case.rest(at(now + 701))), Some(carrying(LARGER)), "{word}");
    }
}

#[test]
fn a_request_of_before_a_resize_is_none_for_it() {
    let mut case = Case::settled_and_now(BEFORE);
    case.target.asked = Asked { retry: asked("old"), settle: asked("old"), restart: None };
    assert_eq!(case.rest(at(1)), Action::Rest);
    assert_eq!(case.ready(), ("True", Reason::Settled));
    let asked = case.target.asked.clone();
    case.target = case::target(LARGER, 3);
    (case.target.asked, case.view.generation) = (asked, 3);
    assert_eq!(Action::wish(&case.rest(at(2))), Some(carrying(LARGER)));
}

/// A growth whose Pod is there, and whose guest has so much of the memory.
fn following(has: Bytes) -> Case {
    let mut case = Case::settled_and_now(LARGER);
    case.rest(at(1));
    case.patched(LARGER);
    (case.pod().allocated, case.pod().actual) = (Some(carrying(LARGER)), Some(carrying(LARGER)));
    case.rest(at(1));
    let report = case.report();
    (report.ack_seq, report.vcpus_requested, report.vcpus_present) = (1, LARGER.vcpus, LARGER.vcpus);
    (report.memory_requested, report.memory_actual) = (LARGER.memory, has);
    case.rest(at(2));
    assert_eq!(case.ready(), ("False", Reason::WaitingForGuest));
    case
}

#[test]
fn what_a_vm_has_is_settled_for_and_stays_so_until_another_try_is_asked_for() {
    let has = Bytes(3 << 30);
    let mut case = following(has);
    case.target.asked = Asked { settle: asked("now"), ..Asked::default() };
    case.rest(at(3));
    assert_eq!(case.ready(), ("False", Reason::Partial));
    let resize = case.view.status.resize.clone().unwrap();
    let reached = Size::new(LARGER.vcpus, has);
    assert_eq!((resize.aim, resize.grant.unwrap().size()), (reached, reached));
    // The guest goes on for a moment before it comes back: that is no reason to try again, and time is none either.
    case.report().memory_actual = Bytes(has.0 + (128 << 20));
    case.rest(at(4));
    assert_eq!(case.view.status.resize.as_ref().unwrap().aim, reached);
    let seq = case.view.status.resize.as_ref().unwrap().grant.as_ref().unwrap().seq;
    let report = case.report();
    (report.ack_seq, report.memory_requested, report.memory_actual) = (seq, has, has);
    assert_eq!(Action::wish(&case.rest(at(5))), Some(carrying(reached)), "the Pod follows");
    case.patched(reached);
    (case.pod().allocated, case.pod().actual) = (Some(carrying(reached)), Some(carrying(reached)));
    assert_eq!(case.rest(at(5) + SignedDuration::from_hours(48)), Action::Rest);
    case.target.asked.retry = asked("again");
    assert_eq!(Action::wish(&case.rest(at(6) + SignedDuration::from_hours(48))), Some(carrying(LARGER)));
}

#[test]
fn a_wish_without_room_is_taken_back_at_once_where_what_there_is_is_settled_for() {
    let mut case = Case::settled_and_now(LARGER);
    case.rest(at(1));
    case.patched(LARGER);
    refuse(&mut case, PendingReason::Deferred);
    assert_eq!(case.rest(at(2)), Action::Rest);
    case.target.asked.settle = asked("now");
    assert_eq!(Action::wish(&case.rest(at(3))), Some(carrying(BEFORE)));
    assert_eq!(case.ready(), ("False", Reason::Deferred));
}

#[test]
fn a_removal_of_vcpus_that_the_vmm_holds_on_to_is_not_settled_for() {
    let mut case = Case::settled_and_now(SMALLER);
    case.rest(at(1));
    let report = case.report();
    (report.ack_seq, report.vcpus_requested, report.memory_requested) = (1, SMALLER.vcpus, SMALLER.memory);
    let message = "1 vCPU is to be ejected".to_owned();
    report.waiting = Some(VmmWaiting { reason: Reason::CpuRemovalPending, message });
    case.rest(at(2));
    case.target.asked.settle = asked("now");
    case.rest(at(3));
    let aim = case.view.status.resize.as_ref().unwrap().aim;
    assert_eq!(aim, Size::new(SMALLER.vcpus, BEFORE.memory));
}

#[test]
fn a_vm_is_started_anew_once_for_each_request() {
    let mut case = Case::settled_and_now(BEFORE);
    case.target.asked.restart = asked("one");
    let Action::DeletePod { uid, .. } = case.rest(at(1)) else { panic!("nothing is deleted") };
    assert_eq!((uid.as_str(), case.ready()), ("pod-uid", ("False", Reason::Stopping)));
    case.view.pods.clear();
    let Action::CreatePod(pod) = case.rest(at(2)) else { panic!("nothing is created") };
    let marks = pod.metadata.annotations.unwrap();
    assert_eq!(marks.get("reef.dev/restart-requested-at"), Some(&"one".to_owned()));
    let mut made = case::settled_view().pods;
    made.iter_mut().for_each(|pod| pod.restarted = asked("one"));
    case.view.pods = made;
    assert_eq!(case.rest(at(3)), Action::Rest);
    case.target.asked.restart = None;
    assert_eq!(case.rest(at(4)), Action::Rest, "a request that was taken away is none");
    case.target.asked.restart = asked("two");
    assert!(matches!(case.rest(at(5)), Action::DeletePod { .. }));
}

#[test]
fn a_vm_is_not_started_anew_where_it_would_not_come_back_as_it_should() {
    let ask = || {
        let mut case = Case::settled_and_now(BEFORE);
        case.target.asked.restart = asked("one");
        case
    };
    let mut cases = [ask(), ask(), ask(), ask()];
    let [once, manual, invalid, held] = &mut cases;
    once.target.vm.run_policy = RunPolicy::Once;
    manual.target.vm.run_policy = RunPolicy::Manual;
    let message = "spec.instance.memory.size is missing".to_owned();
    invalid.target.problem = Some(TargetProblem { reason: Reason::Invalid, message });
    held.target.hold = Some(Hold { suspended: Suspended::default(), generation: 2 });
    for case in &mut cases {
        assert_eq!(case.rest(at(1)), Action::Rest, "{:?}", case.target);
    }
}

#[test]
fn a_vm_that_has_ended_is_started_again_where_that_is_asked_for() {
    let mut case = Case::settled_and_now(BEFORE);
    case.target.vm.run_policy = RunPolicy::RerunOnFailure;
    case.pod().phase = PodPhase::Succeeded;
    assert_eq!((case.rest(at(1)), case.ready().1), (Action::Rest, Reason::Ended));
    case.target.asked.restart = asked("one");
    assert!(matches!(case.rest(at(2)), Action::DeletePod { .. }));
}

#[test]
fn a_size_beyond_the_boot_is_taken_up_by_a_new_start() {
    let beyond = Size::new(Vcpus(2), Bytes(12 << 30));
    let mut case = Case::settled_and_now(beyond);
    assert_eq!((case.rest(at(1)), case.ready()), (Action::Rest, ("False", Reason::RestartRequired)));
    case.target.asked.restart = asked("one");
    assert!(matches!(case.rest(at(2)), Action::DeletePod { .. }));
    case.view.pods.clear();
    let Action::CreatePod(pod) = case.rest(at(3)) else { panic!("nothing is created") };
    let text = serde_json::to_string(&pod).unwrap();
    assert!(text.contains("12544Mi"), "{text}");
}
