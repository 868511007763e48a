//! A VM that runs, and the pipeline's answer to each state that its Pod, its node and its guest can be in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/case.rs"]
mod case;
mod support;

use case::{BEFORE, Case, LARGER, OVERHEAD, SMALLER, at, carrying, settled_view, target};
use jiff::SignedDuration;
use reef_api::vm::VmmWaiting;
use reef_api::{Bytes, MilliCpu, Overcommit, Phase, PodSize, Reason, Size, Vcpus, condition};
use reef_reconciler::decide::action::Action;
use reef_reconciler::decide::observed::{PendingReason, RefusalKind, ResizeInProgress, ResizePending};
use reef_reconciler::decide::pipeline::next;
use reef_reconciler::decide::target::TargetProblem;

#[test]
fn a_growth_asks_for_the_pod_and_grants_nothing_yet() {
    let mut case = Case::settled_and_now(LARGER);
    assert_eq!(Action::wish(&case.rest(at(1))), Some(carrying(LARGER)));
    assert_eq!((case.phase(), case.ready()), (Phase::PodResizeInProgress, ("False", Reason::RaisingPod)));
    assert_eq!(case.view.status.resize.unwrap().grant, None);
}

#[test]
fn a_shrink_is_granted_at_once_and_the_pod_waits() {
    let mut case = Case::settled_and_now(SMALLER);
    assert_eq!(case.rest(at(1)), Action::Rest);
    assert_eq!(case.phase(), Phase::ResizeInProgress);
    assert_eq!(case.view.status.resize.unwrap().grant.unwrap().size(), SMALLER);
}

#[test]
fn a_grant_waits_until_spec_allocated_and_actual_all_cover_it() {
    let mut case = Case::settled_and_now(LARGER);
    case.patched(LARGER);
    for (allocated, actual) in [(BEFORE, BEFORE), (LARGER, BEFORE), (BEFORE, LARGER)] {
        (case.pod().allocated, case.pod().actual) = (Some(carrying(allocated)), Some(carrying(actual)));
        case.rest(at(1));
        assert_eq!(case.view.status.resize.as_ref().unwrap().grant, None, "{allocated} {actual}");
    }
    (case.pod().allocated, case.pod().actual) = (Some(carrying(LARGER)), Some(carrying(LARGER)));
    case.pod().generation = 3;
    case.rest(at(1));
    assert_eq!(
        case.view.status.resize.as_ref().unwrap().grant,
        None,
        "a status of before the last patch counts for nothing"
    );
    case.pod().observed_generation = 3;
    case.rest(at(1));
    assert_eq!(case.view.status.resize.unwrap().grant.unwrap().size(), LARGER);
}

#[test]
fn a_deferred_wish_is_kept_for_its_lease_and_then_taken_back() {
    let mut case = Case::settled_and_now(LARGER);
    case.rest(at(1));
    case.patched(LARGER);
    let message = "Node didn't have enough resource: cpu".to_owned();
    case.pod().pending = Some(ResizePending { reason: PendingReason::Deferred, message });
    assert_eq!(case.rest(at(2)), Action::Rest);
    assert_eq!((case.phase(), case.ready()), (Phase::PodResizeInProgress, ("False", Reason::Deferred)));
    assert_eq!(Action::wish(&case.rest(at(2) + SignedDuration::from_mins(10))), Some(carrying(BEFORE)));
    case.pod().pending = None;
    case.patched(BEFORE);
    assert_eq!(case.rest(at(1200)), Action::Rest, "the same wish is not made again before it is due");
    assert_eq!((case.phase(), case.ready()), (Phase::Running, ("False", Reason::Deferred)));
}

#[test]
fn what_the_api_server_calls_beyond_the_node_is_infeasible_as_if_the_kubelet_had_said_so() {
    let mut case = Case::settled_and_now(LARGER);
    let message = "node didn't have enough allocatable resources: cpu";
    case.refused(RefusalKind::NodeCapacity, carrying(LARGER), message);
    assert_eq!(case.rest(at(1)), Action::Rest);
    assert_eq!((case.phase(), case.ready()), (Phase::Running, ("False", Reason::Infeasible)));
    case.view.refusal = None;
    assert_eq!(case.rest(at(2)), Action::Rest, "it is remembered in the status");
    case.view.node.as_mut().unwrap().cpu = MilliCpu(32_000);
    assert_eq!(Action::wish(&case.rest(at(3))), Some(carrying(LARGER)), "another capacity is a reason to try again");
}

#[test]
fn other_refusals_are_told_and_not_repeated() {
    for (kind, reason) in [
        (RefusalKind::Quota, Reason::QuotaExceeded),
        (RefusalKind::Admission, Reason::AdmissionDenied),
        (RefusalKind::Forbidden, Reason::Forbidden),
        (RefusalKind::Unsupported, Reason::Unsupported),
    ] {
        let mut case = Case::settled_and_now(LARGER);
        case.refused(kind, carrying(LARGER), "no");
        assert_eq!((case.rest(at(1)), case.ready()), (Action::Rest, ("False", reason)));
        assert!(condition::is_true(&case.view.status.conditions, condition::STALLED), "{reason}");
    }
}

#[test]
fn a_guest_under_pressure_runs_on_and_is_not_called_resized() {
    let mut case = Case::settled_and_now(SMALLER);
    case.rest(at(1));
    let message = "the guest uses 1900Mi".to_owned();
    let report = case.report();
    report.ack_seq = 1;
    report.waiting = Some(VmmWaiting { reason: Reason::GuestPressure, message });
    assert_eq!(case.rest(at(2)), Action::Rest);
    assert_eq!((case.phase(), case.ready()), (Phase::Running, ("False", Reason::GuestPressure)));
    assert!(!condition::is_true(&case.view.status.conditions, condition::RESIZED));
}

#[test]
fn a_clock_that_was_ahead_does_not_put_off_the_end_of_a_wait() {
    let mut case = Case { target: target(BEFORE, 1), view: settled_view() };
    case.report().memory_actual = SMALLER.memory;
    case.rest(at(7_200));
    assert_eq!(case.ready().1, Reason::Starting);
    case.rest(at(2));
    case.rest(at(2) + SignedDuration::from_mins(3));
    assert_eq!(case.ready().1, Reason::Stalled);
}

#[test]
fn a_pod_that_the_kubelet_does_not_lower_is_told_and_not_patched_up_and_down() {
    for reason in [PendingReason::Infeasible, PendingReason::Deferred] {
        let mut case = Case::settled_and_now(SMALLER);
        case.rest(at(1));
        let report = case.report();
        (report.ack_seq, report.vcpus_requested, report.vcpus_present) = (1, SMALLER.vcpus, SMALLER.vcpus);
        (report.memory_requested, report.memory_actual) = (SMALLER.memory, SMALLER.memory);
        assert!(matches!(case.rest(at(2)), Action::ResizePod { wish, .. } if wish == carrying(SMALLER)));
        case.patched(SMALLER);
        let message = "static CPU manager".to_owned();
        case.pod().pending = Some(ResizePending { reason, message });
        for minutes in [0, 1, 11, 60] {
            assert_eq!(case.rest(at(3) + SignedDuration::from_mins(minutes)), Action::Rest, "{reason:?}");
            let resize = case.view.status.resize.as_ref().unwrap();
            assert_eq!((resize.aim, resize.refused.as_ref()), (SMALLER, None), "{reason:?}");
        }
        assert!(condition::is_true(&case.view.status.conditions, condition::STALLED), "{reason:?}");
    }
}

#[test]
fn a_guest_that_never_takes_up_what_it_booted_with_is_called_stalled_after_a_while() {
    let mut case = Case { target: target(BEFORE, 1), view: settled_view() };
    case.report().memory_actual = SMALLER.memory;
    case.rest(at(0));
    assert_eq!(case.ready().1, Reason::Starting);
    let step = next(&case.target, &case.view, at(1));
    assert!(step.look_again.is_some_and(|after| after.as_secs() >= 179), "{step:?}");
    case.rest(at(0) + SignedDuration::from_mins(3));
    assert_eq!((case.phase(), case.ready().1), (Phase::Running, Reason::Stalled));
    case.report().memory_actual = BEFORE.memory;
    case.rest(at(0) + SignedDuration::from_mins(4));
    assert_eq!(case.ready(), ("True", Reason::Settled));
}

#[test]
fn nothing_is_moved_while_the_node_is_lost_or_policies_contradict() {
    let mut lost = Case::settled_and_now(LARGER);
    lost.view.node.as_mut().unwrap().ready = false;
    assert_eq!((lost.rest(at(1)), lost.ready().1), (Action::Rest, Reason::NodeLost));
    let mut torn = Case::settled_and_now(SMALLER);
    torn.target.problem = Some(TargetProblem { reason: Reason::PolicyConflict, message: "two policies".to_owned() });
    assert_eq!((torn.rest(at(1)), torn.ready().1), (Action::Rest, Reason::PolicyConflict));
    assert_eq!(torn.view.status.resize.unwrap().grant, None);
}

#[test]
fn what_somebody_takes_of_a_pod_is_put_back_though_it_may_not_grow() {
    for ready in [true, false] {
        let mut case = Case::settled_and_now(LARGER);
        case.view.node.as_mut().unwrap().ready = ready;
        case.refused(RefusalKind::Quota, carrying(LARGER), "exceeded quota");
        assert_eq!(case.rest(at(1)), Action::Rest);
        case.pod().spec = carrying(SMALLER);
        assert_eq!(Action::wish(&case.rest(at(2))), Some(carrying(BEFORE)), "no more than what it has");
        case.view.refusal.as_mut().unwrap().wishes.push(carrying(BEFORE));
        assert_eq!(case.rest(at(3)), Action::Rest, "a refusal is not asked for again at once");
    }
}

#[test]
fn what_somebody_takes_of_the_pod_of_a_lost_node_is_put_back_before_its_kubelet_returns() {
    let mut case = Case::settled_and_now(LARGER);
    case.view.node.as_mut().unwrap().ready = false;
    assert_eq!(case.rest(at(1)), Action::Rest);
    case.pod().spec = carrying(SMALLER);
    assert_eq!(Action::wish(&case.rest(at(2))), Some(carrying(BEFORE)), "no more than what it has");
    case.target.problem = Some(TargetProblem { reason: Reason::PolicyConflict, message: "two policies".to_owned() });
    assert_eq!(case.rest(at(3)), Action::Rest, "nobody knows what its Pod needs");
}

#[test]
fn a_size_outside_the_boot_layout_needs_a_restart_and_moves_nothing() {
    let mut case = Case::settled_and_now(Size::new(Vcpus(16), BEFORE.memory));
    assert_eq!(case.rest(at(1)), Action::Rest);
    assert_eq!((case.phase(), case.ready()), (Phase::Running, ("False", Reason::RestartRequired)));
    assert!(!condition::is_true(&case.view.status.conditions, condition::RESIZABLE));
}

#[test]
fn a_pod_keeps_its_qos_class_whatever_the_policy_says_now() {
    let mut guaranteed = Case::settled_and_now(LARGER);
    guaranteed.target.vm.overcommit = "2".parse().unwrap();
    assert_eq!(Action::wish(&guaranteed.rest(at(1))), Some(carrying(LARGER)));
    let mut burstable = Case::settled_and_now(LARGER);
    let half = PodSize { cpu_request: MilliCpu(1_000), ..carrying(BEFORE) };
    let pod = burstable.pod();
    (pod.spec, pod.allocated, pod.actual) = (half, Some(half), Some(half));
    let wished = Action::wish(&burstable.rest(at(1))).unwrap();
    assert_eq!((wished.cpu_request, wished.cpu_limit), (MilliCpu(3_999), MilliCpu(4_000)));
}

#[test]
fn an_error_of_the_kubelet_while_it_lowers_the_pod_is_told_in_its_words() {
    let mut case = Case::settled_and_now(SMALLER);
    case.rest(at(1));
    let report = case.report();
    (report.ack_seq, report.vcpus_requested, report.vcpus_present) = (1, SMALLER.vcpus, SMALLER.vcpus);
    (report.memory_requested, report.memory_actual) = (SMALLER.memory, SMALLER.memory);
    assert_eq!(Action::wish(&case.rest(at(2))), Some(carrying(SMALLER)));
    case.patched(SMALLER);
    case.pod().allocated = Some(carrying(SMALLER));
    case.pod().in_progress = Some(ResizeInProgress { error: Some("below current usage (318820352)".to_owned()) });
    case.rest(at(3));
    assert_eq!(case.ready(), ("False", Reason::PodResizeError));
}

fn node_says(reason: PendingReason) -> Option<ResizePending> {
    Some(ResizePending { reason, message: "Node didn't have enough memory".to_owned() })
}

#[test]
fn an_overhead_that_the_node_cannot_hold_is_taken_back_and_settles_when_it_is_lowered_again() {
    for reason in [PendingReason::Infeasible, PendingReason::Deferred] {
        let mut case = Case::settled_and_now(BEFORE);
        case.target.vm.overhead = Bytes(1 << 30);
        let raised = PodSize::carrying(BEFORE, Bytes(1 << 30), Overcommit::NONE);
        assert_eq!(Action::wish(&case.rest(at(1))), Some(raised));
        (case.pod().spec, case.pod().generation, case.pod().observed_generation) = (raised, 2, 2);
        case.pod().pending = node_says(reason);
        case.rest(at(2));
        let told = at(2) + SignedDuration::from_mins(11);
        assert_eq!(Action::wish(&case.rest(told)), Some(carrying(BEFORE)), "{reason:?}");
        case.patched(BEFORE);
        case.pod().pending = None;
        assert_eq!(case.rest(told), Action::Rest, "{reason:?}");
        assert_eq!(case.ready().0, "False");
        case.target.vm.overhead = OVERHEAD;
        assert_eq!((case.rest(told), case.ready()), (Action::Rest, ("True", Reason::Settled)));
    }
}

#[test]
fn an_overhead_that_the_api_server_calls_beyond_the_node_is_not_asked_for_again() {
    let mut case = Case::settled_and_now(BEFORE);
    case.target.vm.overhead = Bytes(1 << 40);
    let wish = PodSize { memory: BEFORE.memory.saturating_add(case.target.vm.overhead), ..carrying(BEFORE) };
    case.refused(RefusalKind::NodeCapacity, wish, "not enough");
    assert_eq!(case.rest(at(1)), Action::Rest);
    case.view.refusal = None;
    assert_eq!((case.rest(at(2)), case.ready().1), (Action::Rest, Reason::Infeasible));
}

#[test]
fn a_condition_of_somebody_else_is_no_reason_to_write() {
    let mut case = Case::settled_and_now(LARGER);
    let mut foreign = case.view.status.conditions[0].clone();
    foreign.type_ = "LiveMigratable".to_owned();
    let written = next(&case.target, &case.view, at(1));
    let Action::WriteStatus { status, .. } = written.action else { panic!("{:?}", written.action) };
    let written = &mut case.view.status;
    (written.phase, written.resize, written.history) = (Some(status.phase), status.resize, status.history);
    written.conditions = status.conditions.into_iter().chain([foreign]).collect();
    assert_eq!(Action::wish(&next(&case.target, &case.view, at(1)).action), Some(carrying(LARGER)));
}

#[test]
fn a_use_that_moves_in_the_words_of_the_kubelet_is_no_reason_to_write() {
    let mut case = Case::settled_and_now(SMALLER);
    case.rest(at(1));
    let report = case.report();
    (report.ack_seq, report.vcpus_requested, report.vcpus_present) = (1, SMALLER.vcpus, SMALLER.vcpus);
    (report.memory_requested, report.memory_actual) = (SMALLER.memory, SMALLER.memory);
    case.patched(SMALLER);
    let mut told = |error: &str| {
        case.pod().in_progress = Some(ResizeInProgress { error: Some(error.to_owned()) });
        matches!(next(&case.target, &case.view, at(3)).action, Action::WriteStatus { .. }) && {
            case.rest(at(3));
            true
        }
    };
    assert!(told("below current usage (318820352)"));
    assert!(!told("below current usage (318820360)"));
    assert!(told("the runtime does not answer"));
}
