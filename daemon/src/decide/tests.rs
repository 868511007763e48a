//! Tables of `next`: what a VM that looks like this is asked for, or why not.

mod limitations;
mod properties;
mod stalls;

use super::classify::RefusalKind;
use super::*;
use reef_api::vm::{BootStatus, UsedSource, VmmWaiting};
use reef_api::{Bytes, MilliCpu, Reason, ShrinkGate, Size, Vcpus};
use std::time::Duration;

const GIB: u64 = 1 << 30;
const NOW: Moment = Moment(Duration::from_secs(100));

pub(super) fn grant(seq: u64, vcpus: u32, gib: u64) -> Grant {
    Grant { pod_uid: "pod-1".to_owned(), seq, vcpus: Vcpus(vcpus), memory: Bytes(gib * GIB), gate: ShrinkGate::Guard }
}

pub(super) fn size(vcpus: u32, gib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(gib * GIB))
}

/// A VM of 2 vCPUs and 2 GiB that booted with room for 8 and 8, in a container that has room for 8 and 8.
pub(super) fn observed(taken: Option<Grant>) -> VmmObserved {
    VmmObserved {
        pledged: taken.as_ref().map_or(0, |taken| taken.seq),
        taken,
        accounting: Accounting::Clear,
        state: MachineState::Running,
        requested: size(2, 2),
        actual: size(2, 2),
        boot: BootStatus {
            min_vcpus: Vcpus(1),
            max_vcpus: Vcpus(8),
            min_memory: Bytes(GIB),
            max_memory: Bytes(8 * GIB),
        },
        vcpu_device: VcpuDevice::Counted,
        memory_device: MemoryDevice::VirtioMem,
        limits: Limits { cpu: Limit::At(MilliCpu(8000)), memory: Limit::At(Bytes(8 * GIB)) },
        used: Some(Bytes(GIB / 2)),
        guest: None,
        grown: Bytes::ZERO,
        risen: Some(Bytes::ZERO),
        pace: Pace::default(),
    }
}

const fn mib(size: u64) -> Bytes {
    Bytes(size << 20)
}

/// Two vCPUs, and so many MiB.
const fn at(size: u64) -> Size {
    Size::new(Vcpus(2), mib(size))
}

fn step(grant: &Grant, observed: &VmmObserved) -> VmmStep {
    next(Some(grant), observed, NOW)
}

/// A VM that has taken `grant` over.
fn taken(grant: &Grant) -> VmmObserved {
    observed(Some(grant.clone()))
}

fn memory_wait(grant: &Grant, observed: &VmmObserved) -> Option<Wait> {
    let step = step(grant, observed);
    assert_eq!(step.action, VmmAction::None);
    step.waiting_on.memory
}

fn reason(grant: &Grant, observed: &VmmObserved) -> Option<Reason> {
    step(grant, observed).waiting_on.reported().map(|waiting| waiting.reason)
}

#[test]
fn without_a_grant_nothing_is_asked() {
    assert_eq!(next(None, &observed(None), NOW), VmmStep::hold(Wait::NoGrant));
}

#[test]
fn a_new_grant_is_acknowledged_with_what_is_seen_before_anything_is_asked() {
    let expected = VmmAction::Acknowledge { seq: 5, requested: size(2, 2), actual: size(2, 2) };
    assert_eq!(step(&grant(5, 4, 4), &observed(None)).action, expected);
    assert_eq!(step(&grant(5, 4, 4), &taken(&grant(4, 2, 2))).action, expected);
}

#[test]
fn a_grant_that_another_process_acknowledged_is_acknowledged_again() {
    let standing = grant(5, 2, 2);
    assert!(matches!(step(&standing, &observed(None)).action, VmmAction::Acknowledge { seq: 5, .. }));
}

#[test]
fn nothing_is_acknowledged_or_asked_while_a_request_is_unaccounted_for() {
    let doubtful = VmmObserved { accounting: Accounting::DOUBT, ..observed(None) };
    assert_eq!(step(&grant(5, 4, 4), &doubtful), VmmStep::hold(Wait::Unaccounted));
    let doubtful = VmmObserved { accounting: Accounting::DOUBT, ..taken(&grant(5, 4, 4)) };
    assert_eq!(step(&grant(5, 4, 4), &doubtful), VmmStep::hold(Wait::Unaccounted));
}

#[test]
fn an_older_grant_is_void_once_the_acknowledgement_of_a_newer_one_was_sent() {
    let old = grant(4, 4, 4);
    let pledged = VmmObserved { pledged: 5, ..taken(&old) };
    assert_eq!(step(&old, &pledged), VmmStep::hold(Wait::StaleGrant { seq: 4, pledged: 5 }));
}

#[test]
fn a_grant_with_the_same_number_and_another_size_is_not_the_one_that_was_taken_over() {
    assert!(matches!(step(&grant(5, 8, 8), &taken(&grant(5, 4, 4))).action, VmmAction::Acknowledge { seq: 5, .. }));
}

#[test]
fn vcpus_are_asked_for_before_memory_and_each_alone() {
    let wide = grant(5, 4, 4);
    assert_eq!(step(&wide, &taken(&wide)).action, VmmAction::SetVcpus(Vcpus(4)));
    let next = VmmObserved { requested: size(4, 2), actual: size(4, 2), ..taken(&wide) };
    assert_eq!(step(&wide, &next).action, VmmAction::SetMemory(Bytes(4 * GIB)));
}

#[test]
fn what_was_requested_is_never_requested_again() {
    let wide = grant(5, 4, 4);
    let asked = VmmObserved { requested: size(4, 4), ..taken(&wide) };
    let expected = WaitingOn { vcpus: Some(Wait::Guest), memory: Some(Wait::Guest) };
    assert_eq!(step(&wide, &asked), VmmStep { action: VmmAction::None, waiting_on: expected });
}

#[test]
fn a_vm_that_has_what_was_granted_is_settled() {
    let same = grant(5, 2, 2);
    assert!(step(&same, &taken(&same)).is_settled());
}

#[test]
fn a_vm_that_has_been_still_for_long_is_looked_at_once_a_minute_and_one_that_moves_soon() {
    let (cadence, same) = (poll::Cadence::default(), grant(5, 2, 2));
    let still = taken(&same);
    let mut looks = vec![cadence.after(&step(&same, &still), &still, None, NOW)];
    while looks.iter().sum::<Duration>() < Duration::from_secs(600) {
        looks.push(cadence.after(&step(&same, &still), &still, looks.last().copied(), NOW));
    }
    assert_eq!((looks[0], looks[1]), (Duration::from_secs(10), Duration::from_millis(12_500)));
    assert_eq!((looks.last().copied(), looks.len()), (Some(Duration::from_secs(60)), 15));
    let moved = VmmObserved { actual: size(2, 1), ..taken(&same) };
    assert_eq!(cadence.after(&step(&same, &moved), &moved, None, NOW), cadence.quick);
    assert_eq!(cadence.after(&step(&same, &moved), &moved, looks.last().copied(), NOW), cadence.patient);
}

#[test]
fn growth_waits_until_the_containers_own_limit_covers_it() {
    let wide = grant(5, 4, 4);
    let limits = Limits { cpu: Limit::At(MilliCpu(3999)), memory: Limit::At(Bytes(4 * GIB - 1)) };
    let tight = step(&wide, &VmmObserved { limits, ..taken(&wide) });
    assert_eq!(tight.action, VmmAction::None);
    let cpu = Wait::CpuLimit { limit: limits.cpu, granted: Vcpus(4) };
    let memory = Wait::MemoryLimit { limit: limits.memory, granted: Bytes(4 * GIB) };
    assert_eq!(tight.waiting_on, WaitingOn { vcpus: Some(cpu), memory: Some(memory) });
    let unknown = Limits { cpu: Limit::Unknown, memory: Limit::Unknown };
    assert_eq!(step(&wide, &VmmObserved { limits: unknown, ..taken(&wide) }).action, VmmAction::None);
    let none = Limits { cpu: Limit::Unlimited, memory: Limit::Unlimited };
    assert_eq!(step(&wide, &VmmObserved { limits: none, ..taken(&wide) }).action, VmmAction::SetVcpus(Vcpus(4)));
}

#[test]
fn a_shrink_needs_no_room_in_the_container() {
    let small = grant(5, 1, 1);
    let limits = Limits { cpu: Limit::Unknown, memory: Limit::Unknown };
    let shrinking = VmmObserved { limits, ..taken(&small) };
    assert_eq!(step(&small, &shrinking).action, VmmAction::SetVcpus(Vcpus(1)));
}

#[test]
fn memory_that_is_stuck_never_holds_up_a_cpu() {
    let mixed = grant(5, 4, 1);
    let pressed = VmmObserved { used: Some(Bytes(2 * GIB)), ..taken(&mixed) };
    assert_eq!(step(&mixed, &pressed).action, VmmAction::SetVcpus(Vcpus(4)));
    let asked = VmmObserved { requested: size(4, 2), actual: size(4, 2), ..pressed };
    let pressure =
        Wait::GuestPressure { granted: Bytes(GIB), step: mib(1920), margin: mib(96), known_by: UsedSource::Cgroup };
    assert_eq!(memory_wait(&mixed, &asked), Some(pressure));
    assert_eq!(reason(&mixed, &asked), Some(Reason::GuestPressure));
}

#[test]
fn vcpus_that_are_stuck_never_hold_up_memory() {
    let mixed = grant(5, 4, 4);
    let stuck = VmmObserved { requested: size(1, 2), ..taken(&mixed) };
    let step = step(&mixed, &stuck);
    assert_eq!(step.action, VmmAction::SetMemory(Bytes(4 * GIB)));
    let pending = Wait::RemovalPending { requested: Vcpus(1), present: Vcpus(2) };
    assert_eq!(step.waiting_on.vcpus, Some(pending));
    assert_eq!(step.waiting_on.reported().map(|waiting| waiting.reason), Some(Reason::CpuRemovalPending));
}

#[test]
fn slots_that_a_guest_was_asked_to_give_back_can_be_asked_for_anew() {
    let slots = |granted: u32, device| {
        let granted = grant(5, granted, 2);
        let asked = VmmObserved { requested: size(2, 2), actual: size(4, 2), vcpu_device: device, ..taken(&granted) };
        step(&granted, &asked)
    };
    assert_eq!(slots(4, VcpuDevice::Slots).action, VmmAction::SetVcpus(Vcpus(4)));
    assert_eq!(slots(3, VcpuDevice::SpentSlots).action, VmmAction::SetVcpus(Vcpus(3)));
    assert_eq!(slots(6, VcpuDevice::Slots).action, VmmAction::SetVcpus(Vcpus(6)));
    assert_eq!(slots(4, VcpuDevice::Counted).action, VmmAction::None);
}

#[test]
fn vcpus_leave_their_slots_one_after_the_other_and_are_counted_away_at_once() {
    let small = grant(5, 1, 2);
    let at = |device, requested, present| {
        let (requested, actual) = (size(requested, 2), size(present, 2));
        step(&small, &VmmObserved { requested, actual, vcpu_device: device, ..taken(&small) }).action
    };
    for device in [VcpuDevice::Slots, VcpuDevice::SpentSlots] {
        assert_eq!(at(device, 4, 4), VmmAction::SetVcpus(Vcpus(3)));
        assert_eq!(at(device, 3, 3), VmmAction::SetVcpus(Vcpus(2)), "the first is gone");
        assert_eq!(at(device, 2, 2), VmmAction::SetVcpus(Vcpus(1)));
        assert_eq!(at(device, 1, 1), VmmAction::None);
    }
    assert_eq!(at(VcpuDevice::Counted, 4, 4), VmmAction::SetVcpus(Vcpus(1)));
}

#[test]
fn a_removal_that_the_guest_has_not_heard_is_asked_for_again_after_a_while() {
    let small = grant(5, 2, 2);
    let mut asked =
        VmmObserved { requested: size(3, 2), actual: size(4, 2), vcpu_device: VcpuDevice::Slots, ..taken(&small) };
    asked.pace.vcpus_accepted(Vcpus(3), NOW);
    let step = |seconds| next(Some(&small), &asked, NOW.after(Duration::from_secs(seconds)));
    assert_eq!(step(29), VmmStep { action: VmmAction::None, waiting_on: waiting(Wait::Guest) });
    assert_eq!(step(30), VmmStep { action: VmmAction::SetVcpus(Vcpus(3)), waiting_on: waiting(Wait::Guest) });
    asked.vcpu_device = VcpuDevice::Counted;
    assert_eq!(next(Some(&small), &asked, NOW.after(Duration::from_secs(30))).action, VmmAction::None);
}

fn waiting(vcpus: Wait) -> WaitingOn {
    WaitingOn { vcpus: Some(vcpus), memory: None }
}

#[test]
fn a_guest_that_refuses_to_let_go_of_vcpus_is_told_and_asked_again() {
    let small = grant(5, 1, 2);
    let mut refused = VmmObserved { vcpu_device: VcpuDevice::Slots, ..taken(&small) };
    refused.pace.vcpus_refused(Vcpus(1), RefusalKind::RemovalPending, String::new(), NOW);
    let told = step(&small, &refused);
    assert_eq!(told.waiting_on, waiting(Wait::GuestKeepsVcpus { granted: Vcpus(1) }));
    let message = "the guest refuses to let go all vCPUs but 1; let it take them offline, or ask for more; \
                   it is asked again from time to time";
    let expected = VmmWaiting { reason: Reason::CpuRemovalPending, message: message.to_owned() };
    assert_eq!((told.action, told.waiting_on.reported()), (VmmAction::None, Some(expected)));
    let later = NOW.after(Duration::from_millis(500));
    assert_eq!(next(Some(&small), &refused, later).action, VmmAction::SetVcpus(Vcpus(1)));
}

#[test]
fn a_guest_that_refuses_to_let_go_of_vcpus_is_given_more_at_once() {
    let more = grant(5, 4, 2);
    let refused = |vcpu_device| {
        let mut refused = VmmObserved { vcpu_device, ..taken(&more) };
        refused.requested = size(2, 2);
        refused.actual = size(2, 2);
        refused.pace.vcpus_refused(Vcpus(1), RefusalKind::RemovalPending, String::new(), NOW);
        step(&more, &refused)
    };
    assert_eq!(refused(VcpuDevice::Slots).action, VmmAction::SetVcpus(Vcpus(4)));
    assert_eq!(refused(VcpuDevice::Counted).action, VmmAction::None);
}

#[test]
fn an_emulated_machine_that_lost_a_vcpu_gets_no_other_one() {
    let wide = grant(5, 4, 4);
    let spent = VmmObserved { vcpu_device: VcpuDevice::SpentSlots, ..taken(&wide) };
    assert_eq!(reason(&wide, &spent), Some(Reason::RestartRequired));
    assert_eq!(step(&wide, &spent).action, VmmAction::SetMemory(Bytes(4 * GIB)));
    let small = grant(5, 1, 2);
    let spent = VmmObserved { vcpu_device: VcpuDevice::SpentSlots, ..taken(&small) };
    assert_eq!(step(&small, &spent).action, VmmAction::SetVcpus(Vcpus(1)));
}

#[test]
fn the_guests_own_word_opens_the_gate_that_page_cache_keeps_shut() {
    let small = grant(5, 2, 1);
    let cached = VmmObserved { used: Some(Bytes(2 * GIB)), ..taken(&small) };
    assert_eq!(reason(&small, &cached), Some(Reason::GuestPressure));
    let guest = GuestMemory { total: Bytes(2 * GIB - (64 << 20)), available: Bytes(GIB + GIB / 2), said: 1 };
    let told = VmmObserved { guest: Some(guest), ..cached };
    assert_eq!(step(&small, &told).action, VmmAction::SetMemory(mib(1920)));
}

#[test]
fn memory_is_asked_back_by_steps_and_the_next_one_waits_until_the_guest_has_followed_and_rested() {
    let small = grant(5, 2, 1);
    let mut vm = taken(&small);
    let mut now = NOW;
    let mut asked = Vec::new();
    while vm.actual.memory != small.memory {
        let VmmAction::SetMemory(size) = next(Some(&small), &vm, now).action else { panic!("no step at {now:?}") };
        asked.push(size.0 >> 20);
        vm.requested.memory = size;
        assert_eq!(next(Some(&small), &vm, now).waiting_on.memory, Some(Wait::Guest), "it has not followed");
        vm.actual.memory = size;
        vm.pace.memory_track.seen(None, size, now);
        let early = next(Some(&small), &vm, now.after(Duration::from_millis(1999)));
        assert_eq!(early.action, VmmAction::None, "it has not rested");
        now = now.after(Duration::from_secs(2));
    }
    assert_eq!(asked, [1920, 1792, 1664, 1536, 1408, 1280, 1152, 1024]);
    assert!(next(Some(&small), &vm, now).is_settled());
}

#[test]
fn the_gate_is_asked_before_every_step() {
    let small = grant(5, 2, 1);
    let at = |size: u64| VmmObserved { requested: at(size), actual: at(size), used: Some(mib(1500)), ..taken(&small) };
    assert_eq!(step(&small, &at(1792)).action, VmmAction::SetMemory(mib(1664)));
    assert_eq!(reason(&small, &at(1664)), Some(Reason::GuestPressure));
}

#[test]
fn a_change_of_mind_during_a_shrink_is_taken_up_at_once() {
    let asked = |granted: u64| {
        let granted = Grant { memory: mib(granted), ..grant(5, 2, 1) };
        let under_way = VmmObserved { requested: at(1920), actual: at(2048), ..taken(&granted) };
        step(&granted, &under_way).action
    };
    assert_eq!(asked(8192), VmmAction::SetMemory(mib(8192)));
    assert_eq!(asked(1984), VmmAction::SetMemory(mib(1984)));
    assert_eq!(asked(1024), VmmAction::None, "the next step waits for this one");
}

#[test]
fn the_present_count_is_never_asked_for_while_a_removal_is_pending() {
    let back = grant(5, 2, 2);
    let pending = VmmObserved { requested: size(1, 2), ..taken(&back) };
    assert_eq!(step(&back, &pending).action, VmmAction::None);
}

#[test]
fn a_wish_that_never_plugged_is_withdrawn_though_the_guest_is_full() {
    let given_up = grant(5, 2, 2);
    let half = VmmObserved { requested: size(2, 8), used: Some(Bytes(2 * GIB)), ..taken(&given_up) };
    assert_eq!(step(&given_up, &half).action, VmmAction::SetMemory(Bytes(2 * GIB)));
}

#[test]
fn a_shrink_that_was_asked_for_is_softened_without_passing_the_gate() {
    let partial = grant(5, 2, 3);
    let stuck =
        VmmObserved { requested: size(2, 1), actual: size(2, 4), used: Some(Bytes(4 * GIB)), ..taken(&partial) };
    assert_eq!(step(&partial, &stuck).action, VmmAction::SetMemory(Bytes(3 * GIB)));
}

#[test]
fn sizes_that_the_vmm_would_refuse_are_not_sent() {
    let wide = grant(5, 9, 9);
    let step_ = step(&wide, &taken(&wide));
    assert_eq!(step_.action, VmmAction::None);
    assert_eq!(step_.waiting_on.reported().map(|waiting| waiting.reason), Some(Reason::RestartRequired));
    let none = grant(5, 0, 2);
    assert_eq!(step(&none, &taken(&none)).action, VmmAction::None);
    let odd = Grant { memory: Bytes(3 * GIB + 1), ..grant(5, 2, 2) };
    assert_eq!(reason(&odd, &taken(&odd)), Some(Reason::VmmRefused));
}

#[test]
fn a_shrink_that_could_not_be_verified_is_not_asked_for() {
    let small = grant(5, 2, 1);
    for device in [MemoryDevice::Acpi, MemoryDevice::VirtioMemEcho, MemoryDevice::Fixed] {
        let observed = VmmObserved { memory_device: device, ..taken(&small) };
        assert_eq!(step(&small, &observed).action, VmmAction::None, "{device:?}");
        assert_eq!(reason(&small, &observed), Some(Reason::RestartRequired), "{device:?}");
    }
    let wide = grant(5, 2, 4);
    let echo = VmmObserved { memory_device: MemoryDevice::VirtioMemEcho, ..taken(&wide) };
    assert_eq!(step(&wide, &echo).action, VmmAction::SetMemory(Bytes(4 * GIB)));
}

#[test]
fn a_machine_that_does_not_run_is_left_alone_and_one_that_is_paused_is_not() {
    let wide = grant(5, 4, 4);
    let created = VmmObserved { state: MachineState::NotRunning, ..observed(None) };
    assert_eq!(step(&wide, &created), VmmStep::hold(Wait::NotRunning));
    let paused = VmmObserved { state: MachineState::Paused, ..taken(&wide) };
    assert_eq!(step(&wide, &paused).action, VmmAction::SetVcpus(Vcpus(4)));
}

#[test]
fn a_migration_that_one_request_met_stops_both_resources_and_acknowledgements() {
    let mut moving = observed(None);
    moving.pace.memory_refused(Bytes(4 * GIB), RefusalKind::Migrating, String::new(), NOW);
    assert_eq!(step(&grant(5, 4, 4), &moving), VmmStep::hold(Wait::Migrating));
}

#[test]
fn a_refused_number_of_vcpus_waits_and_memory_goes_on() {
    let wide = grant(5, 4, 4);
    let mut refused = taken(&wide);
    refused.pace.vcpus_refused(Vcpus(4), RefusalKind::Other, "no".to_owned(), NOW);
    assert_eq!(step(&wide, &refused).action, VmmAction::SetMemory(Bytes(4 * GIB)));
    let later = NOW.after(Duration::from_millis(500));
    assert_eq!(next(Some(&wide), &refused, later).action, VmmAction::SetVcpus(Vcpus(4)));
}

#[test]
fn what_is_reported_is_a_sentence_that_tells_what_to_do() {
    let small = grant(5, 2, 1);
    let told = |used, guest| {
        let pressed = VmmObserved { used, guest, ..taken(&small) };
        let waiting = step(&small, &pressed).waiting_on.reported().unwrap();
        assert_eq!(waiting.reason, Reason::GuestPressure);
        waiting.message
    };
    let next = "the guest uses too much to shrink to 1Gi: the next step is 1920Mi, of which 96Mi must be free; ";
    let by_cgroup = "its use is what its VMM holds on the node, page cache of the guest included: \
                     free memory in the guest, or drop its page cache, or ask for more";
    assert_eq!(told(Some(Bytes(2 * GIB)), None), format!("{next}{by_cgroup}"));
    let full = GuestMemory { total: Bytes(2 * GIB), available: Bytes(0), said: 1 };
    let by_guest = "its use is what the guest itself tells: free memory in the guest, or ask for more";
    assert_eq!(told(Some(Bytes(3 * GIB)), Some(full)), format!("{next}{by_guest}"));
    let unknown = "how much memory the guest uses cannot be read, and nothing is taken from it until it can";
    assert_eq!(told(None, None), unknown);
    let mut rising = VmmObserved { risen: Some(Bytes(GIB)), ..taken(&small) };
    rising.pace.memory_track.seen(None, rising.actual.memory, Moment::default());
    let rises = "the guest uses more and more, so nothing is taken from it until its use rests for some seconds; \
                 let it rest, or ask for more than 1Gi";
    assert_eq!(step(&small, &rising).waiting_on.reported().map(|waiting| waiting.message), Some(rises.to_owned()));
}
