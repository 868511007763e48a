//! What the vCPUs of a VM come to by themselves.
//!
//! Knows nothing of memory. Pure.

use super::classify::RefusalKind;
use super::observed::{VcpuDevice, VmmObserved};
use super::pace::{Moment, Refusal};
use super::stall::Stall;
use super::step::{Ask, Wait};
use reef_api::{MilliCpu, Vcpus};

/// Finds what to ask, given the granted number: the whole of it, or where vCPUs leave slot by slot the next one.
pub(super) fn next(granted: Vcpus, observed: &VmmObserved, now: Moment) -> Ask<Vcpus> {
    let (requested, present) = (observed.requested.vcpus, observed.actual.vcpus);
    let removing = present > requested;
    if removing && observed.vcpu_device == VcpuDevice::Counted {
        return Ask::Wait(removal(granted, observed, now));
    }
    let size = towards(granted, observed);
    if requested == size {
        return match (present == size, removing && observed.pace.removal_is_unheard(now)) {
            (true, _) => Ask::Nothing,
            (false, true) => Ask::For(size),
            (false, false) => {
                let stall = if removing { Stall::NotLetGo { granted } } else { Stall::NotPresent { granted } };
                Ask::Wait(follows(stall, observed, now))
            }
        };
    }
    match obstacle(granted, size, observed, now) {
        Some(wait) => Ask::Wait(wait),
        None => Ask::For(size),
    }
}

/// The number to ask for on the way to the granted one. Out of slots one vCPU leaves at a time, and the next one when it is gone: of 14 guests
/// of an emulated QEMU that were told to let go three at once, two stood still for half a minute and one for good; of 25 that let them go
/// one after the other, none.
fn towards(granted: Vcpus, observed: &VmmObserved) -> Vcpus {
    match observed.vcpu_device {
        VcpuDevice::Counted => granted,
        VcpuDevice::Slots | VcpuDevice::SpentSlots => {
            let next = Vcpus(observed.actual.vcpus.0.saturating_sub(1));
            if granted < observed.actual.vcpus { granted.max(next) } else { granted }
        }
    }
}

/// While a removal is pending, a VMM that counts refuses every number but the present one, and that one must never be sent: it
/// would be accepted, and the removal would go on behind it.
fn removal(granted: Vcpus, observed: &VmmObserved, now: Moment) -> Wait {
    let (requested, present) = (observed.requested.vcpus, observed.actual.vcpus);
    if granted == requested {
        return follows(Stall::NotEjected { requested, present }, observed, now);
    }
    Wait::RemovalPending { requested, present }
}

/// The guest follows, or has stood still for too long.
fn follows(stall: Stall, observed: &VmmObserved, now: Moment) -> Wait {
    if observed.pace.vcpus_track.is_stalled(now) { Wait::Stalled(stall) } else { Wait::Guest }
}

fn obstacle(granted: Vcpus, size: Vcpus, observed: &VmmObserved, now: Moment) -> Option<Wait> {
    let (min, max) = (observed.boot.min_vcpus, observed.boot.max_vcpus);
    if granted == Vcpus::ZERO || !(min..=max).contains(&granted) {
        return Some(Wait::VcpusOutOfRange { granted, min, max });
    }
    if granted > observed.actual.vcpus && observed.vcpu_device == VcpuDevice::SpentSlots {
        return Some(Wait::NotResizable { why: SPENT });
    }
    let limit = observed.limits.cpu;
    if size > observed.requested.vcpus && !limit.covers(&MilliCpu::from(size)) {
        return Some(Wait::CpuLimit { limit, granted });
    }
    let forbids = |refusal: &&Refusal<Vcpus>| refusal.forbids(&size, now) && !is_past(refusal, size, observed);
    let refusal = observed.pace.vcpus.as_ref().filter(forbids);
    let wait = refusal.map(|refusal| match refusal.kind {
        RefusalKind::RemovalPending => match observed.vcpu_device {
            VcpuDevice::Counted => {
                Wait::RemovalPending { requested: observed.requested.vcpus, present: observed.actual.vcpus }
            }
            VcpuDevice::Slots | VcpuDevice::SpentSlots => Wait::GuestKeepsVcpus { granted },
        },
        RefusalKind::AlreadyRequested
        | RefusalKind::OutOfRange
        | RefusalKind::NotResizable
        | RefusalKind::Migrating
        | RefusalKind::NotRunning
        | RefusalKind::Busy
        | RefusalKind::Malformed
        | RefusalKind::Other => Wait::Refused { message: refusal.message.clone() },
    });
    wait.map(|wait| if observed.pace.vcpus_track.is_stalled(now) { lasting(wait) } else { wait })
}

/// A refusal that was met again and again.
fn lasting(wait: Wait) -> Wait {
    match wait {
        Wait::Refused { message } => Wait::Stalled(Stall::Refused { message }),
        Wait::GuestKeepsVcpus { granted } => Wait::Stalled(Stall::Kept { granted }),
        other => other,
    }
}

/// Whether a guest's refusal to let go of vCPUs says nothing of this number: nothing is taken away, and slots are filled
/// whatever becomes of the others. A VMM that counts refuses every number meanwhile.
fn is_past(refusal: &Refusal<Vcpus>, size: Vcpus, observed: &VmmObserved) -> bool {
    let slots = match observed.vcpu_device {
        VcpuDevice::Counted => false,
        VcpuDevice::Slots | VcpuDevice::SpentSlots => true,
    };
    slots && refusal.kind == RefusalKind::RemovalPending && size >= observed.actual.vcpus
}

const SPENT: &str = "a vCPU was removed from this VM, which QEMU emulates without KVM, and QEMU ends when one is added after \
                     that; more vCPUs need a new start";
