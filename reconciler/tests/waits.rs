//! A VM that waits for its node or its guest, and how each wait ends: a lease, a turn, a rest that is given up, a second read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/case.rs"]
mod case;
mod support;

use case::{BEFORE, Case, LARGER, SMALLER, at, carrying};
use jiff::{SignedDuration, Timestamp};
use reef_api::policy::PartialSize;
use reef_api::vm::{NodeRoom, Outcome, VmmWaiting};
use reef_api::{Bytes, Meanwhile, MilliCpu, Phase, PodSize, Reason, ShrinkGate, Size, Vcpus, VmKey, condition};
use reef_reconciler::decide::action::Action;
use reef_reconciler::decide::observed::{PendingReason, Reads, ResizePending};
use reef_reconciler::decide::pipeline::next;
use reef_reconciler::decide::room::{Claim, Neighbourhood, Waiter};

const GIB: u64 = 1 << 30;

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

fn looks_again(case: &Case, now: Timestamp) -> Option<i64> {
    next(&case.target, &case.view, now).look_again.map(|after| i64::try_from(after.as_secs()).unwrap())
}

/// The VM's node has 16 CPUs, of which other Pods have so many thousandths, and the kubelet says so.
fn defer(case: &mut Case, used: u64) {
    let requested = case.pod().spec.cpu_request.0;
    let message =
        format!("Node didn't have enough resource: cpu, requested: {requested}, used: {used}, capacity: 16000");
    case.pod().pending = Some(ResizePending { reason: PendingReason::Deferred, message });
}

/// So much is taken of the node by all its VMs, this one's Pod of two CPUs included.
fn taken(case: &mut Case, cpu: u64) {
    let waiters = case.view.neighbourhood.take().map(|before| before.waiters).unwrap_or_default();
    let all = Claim { cpu: MilliCpu(cpu), memory: Bytes(8 * GIB) };
    case.view.neighbourhood = Some(Neighbourhood { all, waiters });
}

/// A growth to four CPUs that was deferred for its lease, and whose wish was taken back: 13 of 16 CPUs are others', 3 of them other VMs'.
fn given_back() -> (Case, Timestamp) {
    let mut case = Case::settled_and_now(LARGER);
    case.rest(at(1));
    case.patched(LARGER);
    defer(&mut case, 13_000);
    taken(&mut case, 5_000);
    assert_eq!(case.rest(at(2)), Action::Rest);
    let end = at(2) + minutes(10);
    assert_eq!(Action::wish(&case.rest(end)), Some(carrying(BEFORE)));
    case.pod().pending = None;
    case.patched(BEFORE);
    assert_eq!(case.rest(end), Action::Rest);
    (case, end)
}

#[test]
fn a_lease_is_as_long_as_the_policy_says() {
    let mut case = Case::settled_and_now(LARGER);
    case.target.vm.lease = "1m".parse().unwrap();
    case.rest(at(1));
    case.patched(LARGER);
    defer(&mut case, 13_000);
    assert_eq!((case.rest(at(2)), looks_again(&case, at(2))), (Action::Rest, Some(60)));
    assert_eq!((case.rest(at(61)), looks_again(&case, at(61))), (Action::Rest, Some(1)));
    assert_eq!(Action::wish(&case.rest(at(62))), Some(carrying(BEFORE)));
    let said = "the node had no room for 4 vCPU, 4Gi for 1m";
    let ready = condition::find(&case.view.status.conditions, condition::READY).unwrap();
    assert!(ready.message.starts_with(said), "{}", ready.message);
}

#[test]
fn another_wish_begins_a_lease_of_its_own() {
    let mut case = Case::settled_and_now(LARGER);
    case.rest(at(1));
    case.patched(LARGER);
    defer(&mut case, 13_000);
    case.rest(at(2));
    let three = Size::new(Vcpus(3), LARGER.memory);
    (case.target, case.view.generation) = (case::target(three, 3), 3);
    assert_eq!(Action::wish(&case.rest(at(500))), Some(carrying(three)));
    case.patched(three);
    assert_eq!(case.rest(at(500)), Action::Rest);
    assert_eq!(case.rest(at(2) + minutes(10)), Action::Rest, "the lease of the first one ends");
    assert_eq!(Action::wish(&case.rest(at(500) + minutes(10))), Some(carrying(BEFORE)));
}

#[test]
fn a_clock_that_steps_back_makes_no_wait_longer_than_twice_as_long() {
    let back = |now: Timestamp| now - minutes(60);
    let mut case = Case::settled_and_now(LARGER);
    case.rest(at(1));
    case.patched(LARGER);
    defer(&mut case, 13_000);
    case.rest(at(2));
    assert_eq!((case.rest(back(at(2))), looks_again(&case, back(at(2)))), (Action::Rest, Some(600)), "a lease");
    assert_eq!(Action::wish(&case.rest(back(at(2)) + minutes(10))), Some(carrying(BEFORE)));

    let (mut case, end) = given_back();
    assert_eq!((case.rest(back(end)), looks_again(&case, back(end))), (Action::Rest, Some(600)), "a pause");
    let again = back(end) + minutes(10);
    assert_eq!(Action::wish(&case.rest(again)), Some(carrying(LARGER)));
    case.patched(LARGER);
    defer(&mut case, 13_000);
    case.rest(again);
    assert_eq!(Action::wish(&case.rest(back(again))), None, "the lease of another attempt");
    assert_eq!(Action::wish(&case.rest(back(again) + minutes(10))), Some(carrying(BEFORE)));

    let mut case = stuck(SMALLER, at(1));
    case.rest(back(at(1)));
    assert_eq!((case.ready().1, looks_again(&case, back(at(1)))), (Reason::Stalled, Some(600)), "a rest");
    case.rest(back(at(1)) + minutes(10));
    assert_eq!(case.ready().1, Reason::Partial);

    let (mut case, end) = (given_up(at(1)), at(1) + minutes(10));
    case.rest(back(end));
    assert_eq!((case.ready().1, looks_again(&case, back(end))), (Reason::Partial, Some(1800)));
    case.rest(back(end) + minutes(30));
    assert_eq!(case.view.status.resize.as_ref().unwrap().aim, SMALLER, "it is tried again");
}

#[test]
fn a_turn_of_another_vm_that_is_still_to_come_holds_nobody_up() {
    let (mut case, end) = given_back();
    taken(&mut case, 4_000);
    assert_eq!(Action::wish(&case.rest(end)), Some(carrying(LARGER)));
    let tried = reef_reconciler::decide::refused::waiter(&case.target, &case.view, end - minutes(60)).unwrap();
    assert_eq!(tried.trying, Some(end - minutes(60)));
}

#[test]
fn a_wish_that_was_taken_back_is_made_again_when_another_vm_leaves_room() {
    let (mut case, end) = given_back();
    let refused = case.view.status.resize.as_ref().unwrap().refused.clone().unwrap();
    let room = NodeRoom { cpu: Some(MilliCpu(6_000)), memory: None };
    assert_eq!((refused.room, refused.first_at), (Some(room), Some(end)), "3 CPUs were free for it, and others had 3");
    taken(&mut case, 5_000);
    assert_eq!(case.rest(end + minutes(1)), Action::Rest);
    taken(&mut case, 4_000);
    assert_eq!(Action::wish(&case.rest(end + minutes(2))), Some(carrying(LARGER)));
    assert_eq!((case.phase(), case.ready()), (Phase::PodResizeInProgress, ("False", Reason::RaisingPod)));
    case.patched(LARGER);
    (case.pod().allocated, case.pod().actual) = (Some(carrying(LARGER)), Some(carrying(LARGER)));
    case.rest(end + minutes(2));
    let resize = case.view.status.resize.as_ref().unwrap();
    assert_eq!((resize.refused.as_ref(), resize.grant.as_ref().map(|grant| grant.size())), (None, Some(LARGER)));
}

#[test]
fn without_news_it_is_made_again_after_a_pause_that_doubles() {
    let (mut case, mut end) = given_back();
    for pause in [10, 20, 50] {
        assert_eq!(looks_again(&case, end), Some(pause * 60));
        assert_eq!(case.rest(end + minutes(pause) - SignedDuration::from_secs(1)), Action::Rest);
        let again = end + minutes(pause);
        assert_eq!(Action::wish(&case.rest(again)), Some(carrying(LARGER)), "after {pause} minutes");
        case.patched(LARGER);
        defer(&mut case, 13_000);
        case.rest(again);
        end = again + minutes(10);
        assert_eq!(case.rest(end - SignedDuration::from_secs(1)), Action::Rest);
        assert_eq!(Action::wish(&case.rest(end)), Some(carrying(BEFORE)), "its lease has ended again");
        case.pod().pending = None;
        case.patched(BEFORE);
        case.rest(end);
    }
}

#[test]
fn a_vm_lets_another_one_of_its_node_try_first_that_needs_less() {
    let (mut case, end) = given_back();
    let other = Waiter {
        key: VmKey::new("web", "web-2"),
        has: Claim { cpu: MilliCpu(1_000), memory: Bytes(GIB) },
        asks: Claim { cpu: MilliCpu(2_000), memory: Bytes(GIB) },
        room: NodeRoom { cpu: Some(MilliCpu(6_000)), memory: None },
        since: end,
        due: end + minutes(60),
        trying: None,
    };
    taken(&mut case, 4_000);
    case.view.neighbourhood.as_mut().unwrap().waiters.push(other);
    assert_eq!(case.rest(end + minutes(1)), Action::Rest);
    case.view.neighbourhood.as_mut().unwrap().waiters[0].trying = Some(end + minutes(1));
    assert_eq!(case.rest(end + minutes(1)), Action::Rest);
    assert_eq!(looks_again(&case, end + minutes(1)), Some(60), "the other one has a minute");
    case.view.neighbourhood.as_mut().unwrap().waiters.clear();
    assert_eq!(Action::wish(&case.rest(end + minutes(2))), Some(carrying(LARGER)));
}

#[test]
fn the_largest_step_is_taken_at_once_where_the_policy_says_so_and_the_rest_when_there_is_room() {
    let mut case = Case::settled_and_now(LARGER);
    case.target.vm.meanwhile = Meanwhile::LargestStep;
    case.rest(at(1));
    case.patched(LARGER);
    defer(&mut case, 13_000);
    taken(&mut case, 5_000);
    let step = Size::new(Vcpus(3), LARGER.memory);
    assert_eq!(Action::wish(&case.rest(at(3))), Some(carrying(step)));
    case.pod().pending = None;
    case.patched(step);
    (case.pod().allocated, case.pod().actual) = (Some(carrying(step)), Some(carrying(step)));
    taken(&mut case, 6_000);
    case.rest(at(4));
    let resize = case.view.status.resize.clone().unwrap();
    assert_eq!((resize.aim, resize.refused.unwrap().step, resize.target), (step, Some(step), LARGER));
    assert_eq!(resize.grant.unwrap().size(), step);
    assert_eq!(case.ready(), ("False", Reason::Deferred));
    taken(&mut case, 5_000);
    assert_eq!(Action::wish(&case.rest(at(5))), Some(carrying(LARGER)), "another VM has given up a CPU");
}

#[test]
fn a_step_that_does_not_fit_either_is_made_smaller() {
    let mut case = Case::settled_and_now(Size::new(Vcpus(8), BEFORE.memory));
    case.target.vm.meanwhile = Meanwhile::LargestStep;
    case.rest(at(1));
    case.patched(Size::new(Vcpus(8), BEFORE.memory));
    defer(&mut case, 11_000);
    let five = Size::new(Vcpus(5), BEFORE.memory);
    assert_eq!(Action::wish(&case.rest(at(3))), Some(carrying(five)));
    case.patched(five);
    defer(&mut case, 12_000);
    let four = Size::new(Vcpus(4), BEFORE.memory);
    assert_eq!(Action::wish(&case.rest(at(5))), Some(carrying(four)));
    case.patched(four);
    defer(&mut case, 15_000);
    assert_eq!(Action::wish(&case.rest(at(7))), Some(carrying(BEFORE)));
}

/// A VM whose guest stands still with its memory on the way to `wanted`, by the daemon's word.
fn stuck(wanted: Size, now: Timestamp) -> Case {
    let mut case = Case::settled_and_now(wanted);
    case.rest(now);
    if wanted.memory > BEFORE.memory {
        case.patched(wanted);
        (case.pod().allocated, case.pod().actual) = (Some(carrying(wanted)), Some(carrying(wanted)));
        case.rest(now);
    }
    let report = case.report();
    (report.ack_seq, report.vcpus_requested, report.vcpus_present) = (1, wanted.vcpus, wanted.vcpus);
    report.memory_requested = wanted.memory;
    report.waiting = Some(VmmWaiting { reason: Reason::Stalled, message: "the guest has no driver".to_owned() });
    report.stuck = Some(PartialSize { vcpus: None, memory: Some(BEFORE.memory) });
    case.rest(now);
    case
}

#[test]
fn a_guest_that_stands_still_is_called_stalled_and_the_rest_is_given_up_after_ten_minutes() {
    for wanted in [LARGER, SMALLER] {
        let mut case = stuck(wanted, at(1));
        assert_eq!((case.phase(), case.ready()), (Phase::Running, ("False", Reason::Stalled)));
        assert_eq!(looks_again(&case, at(1)), Some(600));
        case.rest(at(600));
        assert_eq!(case.ready().1, Reason::Stalled);
        case.rest(at(601));
        let reached = Size::new(wanted.vcpus, BEFORE.memory);
        let resize = case.view.status.resize.clone().unwrap();
        assert_eq!((case.ready(), resize.aim), (("False", Reason::Partial), reached));
        let grant = resize.grant.unwrap();
        assert_eq!(grant.size(), reached, "first the request becomes what the guest has");
        let report = case.report();
        (report.ack_seq, report.memory_requested, report.waiting, report.stuck) =
            (grant.seq, BEFORE.memory, None, None);
        assert_eq!(Action::wish(&case.rest(at(602))), Some(carrying(reached)), "then the Pod follows");
        case.patched(reached);
        (case.pod().allocated, case.pod().actual) = (Some(carrying(reached)), Some(carrying(reached)));
        assert_eq!(case.rest(at(603)), Action::Rest);
        assert_eq!((case.phase(), case.ready()), (Phase::Running, ("False", Reason::Partial)));
        assert_eq!(case.view.status.history.last().unwrap().outcome, Outcome::Partial);
        let ready = condition::find(&case.view.status.conditions, condition::READY).unwrap();
        assert!(ready.message.contains("the guest has no driver"), "{}", ready.message);
    }
}

#[test]
fn a_daemon_that_forgot_does_not_begin_the_wait_anew_and_a_guest_that_moves_does() {
    let mut case = stuck(SMALLER, at(1));
    (case.report().waiting, case.report().stuck) = (None, None);
    case.rest(at(300));
    assert_eq!(case.ready().1, Reason::Stalled, "nothing else is known");
    let mut moved = Case { target: case.target.clone(), view: case.view.clone() };
    case.report().stuck = Some(PartialSize { vcpus: None, memory: Some(BEFORE.memory) });
    case.rest(at(601));
    assert_eq!(case.ready().1, Reason::Partial);
    moved.report().memory_actual = Bytes(BEFORE.memory.0 - (128 << 20));
    moved.rest(at(602));
    assert_eq!(moved.ready().1, Reason::WaitingForGuest);
    assert_eq!(moved.view.status.resize.as_ref().unwrap().stalled, None);
}

/// The same after the rest was given up, and everything agrees with what was reached.
fn given_up(now: Timestamp) -> Case {
    let mut case = stuck(SMALLER, now);
    let end = now + minutes(10);
    case.rest(end);
    let seq = case.view.status.resize.as_ref().unwrap().grant.as_ref().unwrap().seq;
    let report = case.report();
    (report.ack_seq, report.memory_requested, report.waiting, report.stuck) = (seq, BEFORE.memory, None, None);
    let reached = Size::new(SMALLER.vcpus, BEFORE.memory);
    case.patched(reached);
    (case.pod().allocated, case.pod().actual) = (Some(carrying(reached)), Some(carrying(reached)));
    assert_eq!(case.rest(end), Action::Rest);
    case
}

#[test]
fn what_was_given_up_is_tried_again_when_the_guest_moves_or_the_spec_changes_or_ever_more_slowly() {
    let end = at(1) + minutes(10);
    let grant = |case: &Case| case.view.status.resize.as_ref().unwrap().grant.clone().unwrap().size();
    let mut case = given_up(at(1));
    assert_eq!(looks_again(&case, end), Some(1800));
    case.rest(end + minutes(29));
    assert_eq!(case.ready().1, Reason::Partial);
    case.rest(end + minutes(30));
    assert_eq!(grant(&case), SMALLER, "after half an hour");
    let mut rebooted = given_up(at(1));
    rebooted.report().memory_actual = Bytes(GIB);
    rebooted.rest(end + minutes(1));
    assert_eq!(grant(&rebooted), SMALLER, "the guest rebooted");
    let mut other = given_up(at(1));
    (other.target.generation, other.view.generation) = (3, 3);
    other.rest(end + minutes(1));
    assert_eq!(grant(&other), SMALLER, "another generation");
    assert_eq!(other.view.status.resize.as_ref().unwrap().partial, None);
}

#[test]
fn vcpus_that_stand_still_do_not_give_up_memory_that_moves() {
    let mut case = stuck(LARGER, at(1));
    case.report().stuck = Some(PartialSize { vcpus: Some(Vcpus(2)), memory: None });
    (case.report().vcpus_present, case.report().memory_actual) = (Vcpus(2), Bytes(3 * GIB));
    case.rest(at(10));
    case.rest(at(10) + minutes(10));
    let resize = case.view.status.resize.clone().unwrap();
    assert_eq!(resize.aim, Size::new(Vcpus(2), LARGER.memory));
}

#[test]
fn a_raise_is_granted_only_after_the_pod_was_read_twice() {
    let mut case = Case::settled_and_now(LARGER);
    case.rest(at(1));
    case.patched(LARGER);
    (case.pod().allocated, case.pod().actual) = (Some(carrying(LARGER)), Some(carrying(LARGER)));
    case.pod().reads = Reads::Once;
    let name = case.pod().name.clone();
    assert_eq!(case.rest(at(2)), Action::ReadPod { name });
    assert_eq!(case.ready().1, Reason::RaisingPod);
    assert_eq!(case.view.status.resize.as_ref().unwrap().grant, None);
    case.pod().reads = Reads::Twice;
    case.rest(at(3));
    assert_eq!(case.view.status.resize.as_ref().unwrap().grant.as_ref().unwrap().size(), LARGER);
}

#[test]
fn a_shrink_is_granted_on_one_read() {
    let mut case = Case::settled_and_now(SMALLER);
    case.pod().reads = Reads::Once;
    assert_eq!(case.rest(at(1)), Action::Rest);
    assert_eq!(case.view.status.resize.as_ref().unwrap().grant.as_ref().unwrap().size(), SMALLER);
}

#[test]
fn another_gate_is_a_grant_of_its_own() {
    let mut case = Case::settled_and_now(SMALLER);
    case.rest(at(1));
    case.target.vm.shrink_gate = ShrinkGate::Press;
    case.rest(at(2));
    let resize = case.view.status.resize.clone().unwrap();
    let grant = resize.grant.unwrap();
    assert_eq!((grant.seq, grant.size(), grant.gate), (2, SMALLER, ShrinkGate::Press));
    assert_eq!(resize.outstanding.iter().map(|grant| grant.seq).collect::<Vec<_>>(), [1]);
    let mut idle = Case::settled_and_now(BEFORE);
    idle.target.vm.shrink_gate = ShrinkGate::Press;
    idle.rest(at(1));
    assert_eq!(idle.view.status.resize.unwrap().grant, None, "where nothing was granted there is nothing to say");
}

#[test]
fn a_paused_and_a_migrating_vm_say_so() {
    let mut case = Case::settled_and_now(SMALLER);
    case.rest(at(1));
    (case.report().ack_seq, case.report().memory_requested, case.report().paused) = (1, SMALLER.memory, true);
    case.rest(at(2));
    assert_eq!((case.phase(), case.ready().1), (Phase::Paused, Reason::Paused));
    case.report().paused = false;
    let message = "the VM is moving to another host".to_owned();
    case.report().waiting = Some(VmmWaiting { reason: Reason::Migrating, message });
    assert_eq!(case.rest(at(3)), Action::Rest);
    assert_eq!((case.phase(), case.ready().1), (Phase::Running, Reason::Migrating));
}

#[test]
fn a_revert_in_the_middle_leads_back_to_exactly_what_was() {
    let pods = |case: &mut Case| -> (PodSize, Option<PodSize>) { (case.pod().spec, case.pod().actual) };
    for wanted in [LARGER, SMALLER] {
        let mut case = Case::settled_and_now(wanted);
        let before = pods(&mut case);
        let action = case.rest(at(1));
        if let Some(raised) = Action::wish(&action) {
            assert_eq!(raised, carrying(wanted));
            case.patched(wanted);
        }
        case.target.vm.size = BEFORE;
        (case.target.generation, case.view.generation) = (3, 3);
        let action = case.rest(at(2));
        if Action::wish(&action).is_some() {
            assert_eq!(Action::wish(&action), Some(carrying(BEFORE)));
            case.patched(BEFORE);
        }
        if let Some(grant) = case.view.status.resize.as_ref().unwrap().grant.clone() {
            assert_eq!(grant.size(), BEFORE);
            case.report().ack_seq = grant.seq;
        }
        assert_eq!(case.rest(at(3)), Action::Rest);
        assert_eq!(pods(&mut case), before);
        assert_eq!(case.ready(), ("True", Reason::Settled));
    }
}
