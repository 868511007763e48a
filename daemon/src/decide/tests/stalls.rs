//! Tables of what stands still: what it is called, when the guest is nudged, and what may be given up; and of the gate that a grant names.

use super::super::classify::RefusalKind;
use super::super::stall::Stall;
use super::super::*;
use super::{NOW, at, grant, mib, size, step, taken};
use proptest::prelude::*;
use reef_api::policy::PartialSize;
use reef_api::{Bytes, Reason, ShrinkGate, Vcpus};
use std::time::Duration;

fn later(seconds: u64) -> Moment {
    NOW.after(Duration::from_secs(seconds))
}

/// A VM that has taken `grant` over, was asked for `requested`, and whose guest has stood still at `actual` since `NOW`.
fn still(grant: &Grant, requested: u64, actual: u64) -> VmmObserved {
    let mut vm = VmmObserved { requested: at(requested), actual: at(actual), ..taken(grant) };
    vm.pace.seen(Some(grant.size()), vm.actual, MachineState::Running, NOW);
    vm
}

fn to(mib: u64) -> Grant {
    Grant { memory: super::mib(mib), ..grant(5, 2, 1) }
}

fn stall_of(grant: &Grant, vm: &VmmObserved, now: Moment) -> Option<Stall> {
    match next(Some(grant), vm, now).waiting_on.memory {
        Some(Wait::Stalled(stall)) => Some(stall),
        _ => None,
    }
}

#[test]
fn memory_that_was_never_plugged_is_laid_to_the_driver_and_a_part_of_it_is_not() {
    let large = to(4096);
    let never = still(&large, 4096, 1024);
    assert_eq!(stall_of(&large, &never, later(179)), None);
    assert_eq!(stall_of(&large, &never, later(180)), Some(Stall::NoDriver { boot: mib(1024) }));
    let part = still(&large, 4096, 3072);
    assert_eq!(stall_of(&large, &part, later(180)), Some(Stall::NotPlugged { requested: mib(4096) }));
    let told = next(Some(&large), &never, later(180)).waiting_on;
    assert_eq!(told.stuck(never.actual), Some(PartialSize { vcpus: None, memory: Some(mib(1024)) }));
    assert_eq!(told.reported().map(|told| told.reason), Some(Reason::Stalled));
}

#[test]
fn a_shrink_that_stands_still_is_nudged_by_a_granule_and_never_below_the_grant() {
    let small = to(1024);
    let nudge = |requested, seconds| next(Some(&small), &still(&small, requested, 2048), later(seconds)).action;
    assert_eq!(nudge(1920, 19), VmmAction::None);
    assert_eq!(nudge(1920, 20), VmmAction::SetMemory(mib(1918)));
    assert_eq!(
        nudge(1024, 20),
        VmmAction::SetMemory(mib(1026)),
        "the grant itself is asked for in turn with a little more"
    );
    assert_eq!(nudge(1026, 20), VmmAction::SetMemory(mib(1024)));
    let almost = still(&small, 1024, 1025);
    assert_eq!(
        next(Some(&small), &almost, later(20)).action,
        VmmAction::None,
        "more than the guest has is never asked for"
    );
}

#[test]
fn a_guest_that_would_be_pressed_is_not_nudged() {
    let small = to(1024);
    let pressed = VmmObserved { used: Some(mib(1900)), ..still(&small, 1920, 2048) };
    assert_eq!(next(Some(&small), &pressed, later(20)).action, VmmAction::None);
    assert_eq!(stall_of(&small, &pressed, later(180)), Some(Stall::NotMovable { granted: mib(1024) }));
}

#[test]
fn a_guest_that_gives_in_after_a_nudge_is_brought_to_the_grant() {
    let small = to(1024);
    let mut vm = still(&small, 1026, 1026);
    assert_eq!(next(Some(&small), &vm, later(2)).action, VmmAction::SetMemory(mib(1024)));
    vm.requested = at(1024);
    vm.actual = at(1024);
    assert!(next(Some(&small), &vm, later(3)).is_settled());
}

#[test]
fn vcpus_that_are_not_ejected_are_told_and_cannot_be_given_up() {
    let fewer = grant(5, 1, 2);
    let mut kept = VmmObserved { requested: size(1, 2), ..taken(&fewer) };
    kept.pace.seen(Some(fewer.size()), kept.actual, MachineState::Running, NOW);
    let told = next(Some(&fewer), &kept, later(180)).waiting_on;
    assert_eq!(told.vcpus, Some(Wait::Stalled(Stall::NotEjected { requested: Vcpus(1), present: Vcpus(2) })));
    assert_eq!(told.stuck(kept.actual), None, "a removal that is pending cannot be taken back");
    kept.vcpu_device = VcpuDevice::Slots;
    kept.pace.vcpus_accepted(Vcpus(1), later(179));
    kept.pace.vcpus_track.seen(Some(Vcpus(1)), Vcpus(2), NOW);
    let told = next(Some(&fewer), &kept, later(360)).waiting_on.stuck(kept.actual);
    assert_eq!(told, None, "it is asked again after half a minute");
    kept.pace.vcpus_accepted(Vcpus(1), later(359));
    let told = next(Some(&fewer), &kept, later(360)).waiting_on.stuck(kept.actual);
    assert_eq!(told, Some(PartialSize { vcpus: Some(Vcpus(2)), memory: None }));
}

#[test]
fn what_the_vmm_refuses_for_long_may_be_given_up_and_keeps_its_words() {
    let large = grant(5, 4, 4);
    let mut vm = taken(&large);
    vm.pace.seen(Some(large.size()), vm.actual, MachineState::Running, NOW);
    vm.pace.vcpus_refused(Vcpus(4), RefusalKind::Other, "no vcpus".to_owned(), later(180));
    vm.pace.memory_refused(mib(4096), RefusalKind::Other, "no memory".to_owned(), later(180));
    let told = next(Some(&large), &vm, later(180)).waiting_on;
    assert_eq!(told.stuck(vm.actual), Some(PartialSize { vcpus: Some(Vcpus(2)), memory: Some(mib(2048)) }));
    let reported = told.reported().unwrap();
    assert_eq!((reported.reason, reported.message.as_str()), (Reason::VmmRefused, "the VMM refused: no memory"));
}

#[test]
fn a_paused_guest_does_not_stand_still() {
    let large = to(4096);
    let mut vm = VmmObserved { requested: at(4096), state: MachineState::Paused, ..taken(&large) };
    for seconds in [0, 100, 200, 300] {
        vm.pace.seen(Some(large.size()), vm.actual, vm.state, later(seconds));
        assert_eq!(stall_of(&large, &vm, later(seconds)), None);
    }
    vm.state = MachineState::Running;
    assert_eq!(stall_of(&large, &vm, later(479)), None, "it begins when it resumes");
    assert!(stall_of(&large, &vm, later(480)).is_some());
}

#[test]
fn a_grant_that_presses_does_not_ask_the_gate_and_still_goes_by_steps() {
    let pressing = Grant { gate: ShrinkGate::Press, ..to(1024) };
    for used in [Some(mib(2048)), None] {
        let vm = VmmObserved { used, ..taken(&pressing) };
        assert_eq!(step(&pressing, &vm).action, VmmAction::SetMemory(mib(1920)));
    }
    let guarding = Grant { gate: ShrinkGate::Guard, ..pressing.clone() };
    let acknowledged = taken(&pressing);
    assert!(
        matches!(step(&guarding, &acknowledged).action, VmmAction::Acknowledge { seq: 5, .. }),
        "another gate is another grant"
    );
}

proptest! {
    /// Whatever a guest does on the way of one shrink, no request is below the grant, and what the VM may hold never rises.
    #[test]
    fn a_shrink_never_asks_for_less_than_the_grant_nor_for_more_than_the_guest_has(
        from in 10..200_u64, to in 8..200_u64, guest in proptest::collection::vec((0..4_u64, 0..60_u64), 1..60),
    ) {
        prop_assume!(to < from);
        let granted = Grant { memory: mib(to * 128), ..grant(5, 2, 1) };
        let mut vm = VmmObserved { requested: at(from * 128), actual: at(from * 128), ..taken(&granted) };
        vm.boot.max_memory = Bytes(1 << 40);
        vm.used = Some(Bytes::ZERO);
        let (mut now, mut held) = (NOW, vm.actual.memory);
        for (blocks, pause) in guest {
            vm.pace.seen(Some(granted.size()), vm.actual, MachineState::Running, now);
            if let VmmAction::SetMemory(asked) = next(Some(&granted), &vm, now).action {
                prop_assert!(asked >= granted.memory, "{} is below the grant", asked);
                let nudge = super::super::memory::is_nudge(asked, &vm);
                vm.pace.memory_accepted(asked, nudge, now);
                vm.requested.memory = asked;
            }
            let holds = vm.requested.memory.max(vm.actual.memory);
            prop_assert!(holds <= held, "{} is more than {}", holds, held);
            held = holds;
            let wish = vm.actual.memory.saturating_sub(mib(blocks * 128));
            vm.actual.memory = wish.max(vm.requested.memory).min(vm.actual.memory.max(vm.requested.memory));
            now = now.after(Duration::from_secs(pause));
        }
    }
}
