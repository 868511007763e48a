//! What the vCPUs of a VM come to by themselves.
//!
//! Knows nothing of memory. Pure.

use super::classify::RefusalKind;
use super::observed::{VcpuDevice, VmmObserved};
use super::pace::{Moment, Refusal};
use super::stall::Stall;
use super::step::{Ask, Wait};
use reef_api::{MilliCpu, Vcpus};

/// Finds what to ask, given the granted number.
pub(super) fn next(granted: Vcpus, observed: &VmmObserved, now: Moment) -> Ask<Vcpus> {
    let (requested, present) = (observed.requested.vcpus, observed.actual.vcpus);
    let removing = present > requested;
    if removing && observed.vcpu_device == VcpuDevice::Counted {
        return Ask::Wait(removal(granted, observed, now));
    }
    if requested == granted {
        return match (present == granted, removing && observed.pace.removal_is_unheard(now)) {
            (true, _) => Ask::Nothing,
            (false, true) => Ask::For(granted),
            (false, false) => {
                let stall = if removing { Stall::NotLetGo { granted } } else { Stall::NotPresent { granted } };
                Ask::Wait(follows(stall, observed, now))
            }
        };
    }
    match obstacle(granted, observed, now) {
        Some(wait) => Ask::Wait(wait),
        None => Ask::For(granted),
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

fn obstacle(granted: Vcpus, observed: &VmmObserved, now: Moment) -> Option<Wait> {
    let (min, max) = (observed.boot.min_vcpus, observed.boot.max_vcpus);
    if granted == Vcpus::ZERO || !(min..=max).contains(&granted) {
        return Some(Wait::VcpusOutOfRange { granted, min, max });
    }
    if granted > observed.actual.vcpus && observed.vcpu_device == VcpuDevice::SpentSlots {
        return Some(Wait::NotResizable { why: SPENT });
    }
    let limit = observed.limits.cpu;
    if granted > observed.requested.vcpus && !limit.covers(&MilliCpu::from(granted)) {
        return Some(Wait::CpuLimit { limit, granted });
    }
    let forbids = |refusal: &&Refusal<Vcpus>| refusal.forbids(&granted, now) && !is_past(refusal, granted, observed);
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
fn is_past(refusal: &Refusal<Vcpus>, granted: Vcpus, observed: &VmmObserved) -> bool {
    let slots = match observed.vcpu_device {
        VcpuDevice::Counted => false,
        VcpuDevice::Slots | VcpuDevice::SpentSlots => true,
    };
    slots && refusal.kind == RefusalKind::RemovalPending && granted >= observed.actual.vcpus
}

const SPENT: &str = "a vCPU was removed from this VM, which QEMU emulates without KVM, and QEMU ends when one is added after \
                     that; more vCPUs need a new start";
