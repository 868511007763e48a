//! Properties of `next` over arbitrary grants and observations.
//!
//! What is asked for is always the granted size of the acknowledged grant, or a step of a shrink to it; nothing is asked in
//! doubt; and what one resource comes to does not depend on the other.

use super::super::classify::RefusalKind;
use super::super::*;
use super::{grant, observed};
use proptest::prelude::*;
use reef_api::{Bytes, MilliCpu, ShrinkGate, Size, Vcpus};
use std::time::Duration;

const NOW: Moment = Moment(Duration::from_secs(100));

fn vcpus() -> impl Strategy<Value = u32> {
    0..10_u32
}

fn memory() -> impl Strategy<Value = u64> {
    prop_oneof![(0..10_u64).prop_map(|gib| gib << 30), any::<u64>()]
}

fn a_size() -> impl Strategy<Value = Size> {
    (vcpus(), memory()).prop_map(|(vcpus, memory)| Size::new(Vcpus(vcpus), Bytes(memory)))
}

fn a_grant() -> impl Strategy<Value = Grant> {
    (0..4_u64, a_size(), proptest::bool::weighted(0.2)).prop_map(|(seq, size, press)| Grant {
        vcpus: size.vcpus,
        memory: size.memory,
        gate: if press { ShrinkGate::Press } else { ShrinkGate::Guard },
        ..grant(seq, 0, 0)
    })
}

fn limit<T: std::fmt::Debug + Clone + 'static>(
    at: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Limit<T>> {
    prop_oneof![Just(Limit::Unlimited), Just(Limit::Unknown), at.prop_map(Limit::At)]
}

fn device() -> impl Strategy<Value = MemoryDevice> {
    use MemoryDevice::{Acpi, Fixed, VirtioMem, VirtioMemEcho};
    prop_oneof![3 => Just(VirtioMem), 1 => Just(VirtioMemEcho), 1 => Just(Acpi), 1 => Just(Fixed)]
}

fn vcpu_device() -> impl Strategy<Value = VcpuDevice> {
    prop_oneof![Just(VcpuDevice::Counted), Just(VcpuDevice::Slots), Just(VcpuDevice::SpentSlots)]
}

fn refusal() -> impl Strategy<Value = Option<RefusalKind>> {
    use RefusalKind::{Migrating, Other, OutOfRange, RemovalPending};
    let kinds = prop_oneof![Just(Migrating), Just(Other), Just(OutOfRange), Just(RemovalPending)];
    proptest::option::weighted(0.2, kinds)
}

prop_compose! {
    fn pace()(
        cpu in refusal(), ram in refusal(), vcpus in vcpus(), memory in memory(), moved in proptest::option::of(0..101_u64),
    ) -> Pace {
        let mut pace = Pace::default();
        if let Some(moved) = moved {
            pace.memory_track.seen(None, Bytes(memory), Moment(Duration::from_secs(moved)));
        }
        if let Some(kind) = cpu {
            pace.vcpus_refused(Vcpus(vcpus), kind, String::new(), NOW);
        }
        if let Some(kind) = ram {
            pace.memory_refused(Bytes(memory), kind, String::new(), NOW);
        }
        pace
    }
}

prop_compose! {
    fn anything()(
        taken in proptest::option::of(a_grant()), pledged in 0..4_u64, clear in proptest::bool::weighted(0.8),
        running in proptest::bool::weighted(0.9), requested in a_size(), actual in a_size(), device in device(),
        cpu in limit((0..10_000_u64).prop_map(MilliCpu)), ram in limit(memory().prop_map(Bytes)),
        used in proptest::option::of(memory().prop_map(Bytes)), vcpu_device in vcpu_device(), pace in pace(),
        guest in proptest::option::of((memory(), memory())), risen in proptest::option::weighted(0.8, 0..(200_u64 << 20)),
    ) -> VmmObserved {
        VmmObserved {
            accounting: if clear { Accounting::Clear } else { Accounting::DOUBT },
            state: if running { MachineState::Running } else { MachineState::NotRunning },
            limits: Limits { cpu, memory: ram },
            guest: guest.map(|(total, available)| GuestMemory { total: Bytes(total), available: Bytes(available), said: 1 }),
            risen: risen.map(Bytes),
            taken, pledged, requested, actual, vcpu_device, memory_device: device, used, pace,
            ..observed(None)
        }
    }
}

/// A VM and a grant, of which half the time the grant is the one that was taken over.
fn a_case() -> impl Strategy<Value = (Grant, VmmObserved)> {
    (a_grant(), anything(), any::<bool>()).prop_map(|(grant, mut observed, take)| {
        if take {
            observed.taken = Some(grant.clone());
            observed.pledged = grant.seq;
        }
        (grant, observed)
    })
}

/// The same without a refusal that says that the VM moves to another host, which stops both resources. Rejecting such cases instead
/// would end the test by chance: a fifth of all are.
fn staying(mut observed: VmmObserved) -> VmmObserved {
    observed.pace.vcpus = observed.pace.vcpus.filter(|refusal| refusal.kind != RefusalKind::Migrating);
    observed.pace.memory = observed.pace.memory.filter(|refusal| refusal.kind != RefusalKind::Migrating);
    observed
}

/// Whether one vCPU leaves its slot on the way to the granted number.
fn leaves_alone(vcpus: Vcpus, grant: &Grant, observed: &VmmObserved) -> bool {
    observed.vcpu_device != VcpuDevice::Counted && vcpus > grant.vcpus && vcpus.0 + 1 == observed.actual.vcpus.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn only_the_granted_size_of_the_acknowledged_grant_or_a_step_towards_it_is_ever_asked_for((grant, observed) in a_case()) {
        let action = next(Some(&grant), &observed, NOW).action;
        let ours = observed.taken.as_ref() == Some(&grant) && grant.seq >= observed.pledged;
        match action {
            VmmAction::SetVcpus(vcpus) => prop_assert!(ours && (vcpus == grant.vcpus || leaves_alone(vcpus, &grant, &observed))),
            VmmAction::SetMemory(memory) => {
                let (requested, actual) = (observed.requested.memory, observed.actual.memory);
                let step = grant.memory < memory && memory < requested && memory < requested.max(actual);
                let nudge = requested < memory && memory <= actual && memory.0 - requested.0 == 2 << 20;
                prop_assert!(ours && (memory == grant.memory || step || (nudge && memory > grant.memory)));
            }
            VmmAction::Acknowledge { seq, requested, actual } => {
                prop_assert_eq!((seq, requested, actual), (grant.seq, observed.requested, observed.actual));
                prop_assert!(observed.taken.as_ref() != Some(&grant) && seq >= observed.pledged);
            }
            VmmAction::None => {}
        }
    }

    #[test]
    fn nothing_is_done_in_doubt_or_to_a_machine_that_does_not_run((grant, observed) in a_case()) {
        if !observed.accounting.is_clear() || observed.state == MachineState::NotRunning {
            prop_assert_eq!(next(Some(&grant), &observed, NOW).action, VmmAction::None);
        }
    }

    #[test]
    fn growth_is_asked_for_only_under_the_containers_limit((grant, observed) in a_case()) {
        match next(Some(&grant), &observed, NOW).action {
            VmmAction::SetVcpus(vcpus) if vcpus > observed.requested.vcpus => {
                prop_assert!(observed.limits.cpu.covers(&MilliCpu::from(vcpus)));
                let grows = vcpus > observed.actual.vcpus;
                prop_assert!(!grows || observed.vcpu_device != VcpuDevice::SpentSlots);
            }
            VmmAction::SetMemory(memory) if memory > observed.requested.memory => {
                let nudge = memory <= observed.actual.memory && grant.memory <= observed.requested.memory;
                prop_assert!(nudge || observed.limits.memory.covers(&memory));
            }
            VmmAction::SetMemory(memory) if memory < observed.actual.memory => {
                let rests = observed.risen.is_some_and(|risen| risen.0 <= (memory.0 / 40).max(32 << 20));
                let guarded = rests && used::used(&observed).is_some_and(|used| used.bytes < memory);
                prop_assert!(guarded || grant.gate == ShrinkGate::Press);
                prop_assert_eq!(observed.memory_device, MemoryDevice::VirtioMem);
            }
            VmmAction::SetMemory(_) | VmmAction::SetVcpus(_) | VmmAction::Acknowledge { .. } | VmmAction::None => {}
        }
    }

    #[test]
    fn a_step_takes_little_and_only_from_a_guest_that_has_followed_and_rested((grant, observed) in a_case()) {
        let (requested, actual) = (observed.requested.memory, observed.actual.memory);
        if let VmmAction::SetMemory(memory) = next(Some(&grant), &observed, NOW).action
            && memory < requested && memory < actual
        {
            let nudge = actual > requested && requested.0 - memory.0 == 2 << 20;
            prop_assert!(nudge || (actual <= requested && observed.pace.memory_track.is_settled(NOW)));
            let most = Bytes(actual.0 / 10).clamp(Bytes(128 << 20), Bytes(1 << 30));
            prop_assert!(nudge || actual.saturating_sub(memory) <= most);
        }
    }

    #[test]
    fn what_was_requested_is_never_repeated_and_a_pending_removal_never_disturbed((grant, observed) in a_case()) {
        match next(Some(&grant), &observed, NOW).action {
            VmmAction::SetVcpus(vcpus) if observed.vcpu_device == VcpuDevice::Counted => {
                prop_assert!(vcpus != observed.requested.vcpus);
                prop_assert!(observed.actual.vcpus <= observed.requested.vcpus);
            }
            VmmAction::SetVcpus(vcpus) => prop_assert!(vcpus != observed.actual.vcpus || vcpus != observed.requested.vcpus),
            VmmAction::SetMemory(memory) => prop_assert!(memory != observed.requested.memory),
            VmmAction::Acknowledge { .. } | VmmAction::None => {}
        }
    }

    #[test]
    fn each_resource_waits_for_itself_alone((grant, one) in a_case(), other in anything()) {
        let (one, other) = (staying(one), staying(other));
        let mut mixed = one.clone();
        mixed.requested.memory = other.requested.memory;
        mixed.actual.memory = other.actual.memory;
        mixed.limits.memory = other.limits.memory;
        (mixed.pace.memory, mixed.pace.memory_track) = (other.pace.memory, other.pace.memory_track);
        (mixed.memory_device, mixed.used, mixed.guest) = (other.memory_device, other.used, other.guest);
        mixed.risen = other.risen;
        let (first, second) = (next(Some(&grant), &one, NOW), next(Some(&grant), &mixed, NOW));
        prop_assert_eq!(&first.waiting_on.vcpus, &second.waiting_on.vcpus);
        let asks = |step: &VmmStep| matches!(step.action, VmmAction::SetVcpus(_));
        prop_assert_eq!(asks(&first), asks(&second));
    }

    #[test]
    fn a_settled_vm_has_exactly_what_was_granted((grant, observed) in a_case()) {
        if next(Some(&grant), &observed, NOW).is_settled() {
            prop_assert_eq!(observed.requested, grant.size());
            prop_assert_eq!(observed.actual, grant.size());
        }
    }
}
