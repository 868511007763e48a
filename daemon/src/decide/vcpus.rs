//! What the vCPUs of a VM come to by themselves.
//!
//! Knows nothing of memory. Pure.

use super::classify::RefusalKind;
use super::observed::VmmObserved;
use super::pace::Moment;
use super::step::{Ask, Wait};
use reef_api::{MilliCpu, Vcpus};

/// Finds what to ask, given the granted number.
pub(super) fn next(granted: Vcpus, observed: &VmmObserved, now: Moment) -> Ask<Vcpus> {
    let (requested, present) = (observed.requested.vcpus, observed.actual.vcpus);
    if present > requested {
        return Ask::Wait(removal(granted, requested, present));
    }
    if requested == granted {
        return if present == granted { Ask::Nothing } else { Ask::Wait(Wait::Guest) };
    }
    match obstacle(granted, observed, now) {
        Some(wait) => Ask::Wait(wait),
        None => Ask::For(granted),
    }
}

/// While a removal is pending the VMM refuses every number but the present one, and that one must never be sent: it
/// would be accepted, and the removal would go on behind it.
const fn removal(granted: Vcpus, requested: Vcpus, present: Vcpus) -> Wait {
    if granted.0 == requested.0 { Wait::Guest } else { Wait::RemovalPending { requested, present } }
}

fn obstacle(granted: Vcpus, observed: &VmmObserved, now: Moment) -> Option<Wait> {
    let (min, max) = (observed.boot.min_vcpus, observed.boot.max_vcpus);
    if granted == Vcpus::ZERO || !(min..=max).contains(&granted) {
        return Some(Wait::VcpusOutOfRange { granted, min, max });
    }
    let limit = observed.limits.cpu;
    if granted > observed.requested.vcpus && !limit.covers(&MilliCpu::from(granted)) {
        return Some(Wait::CpuLimit { limit, granted });
    }
    let refusal = observed.pace.vcpus.as_ref().filter(|refusal| refusal.forbids(&granted, now));
    refusal.map(|refusal| match refusal.kind {
        RefusalKind::RemovalPending => {
            Wait::RemovalPending { requested: observed.requested.vcpus, present: observed.actual.vcpus }
        }
        RefusalKind::AlreadyRequested
        | RefusalKind::OutOfRange
        | RefusalKind::NotResizable
        | RefusalKind::Migrating
        | RefusalKind::NotRunning
        | RefusalKind::Busy
        | RefusalKind::Malformed
        | RefusalKind::Other => Wait::Refused { message: refusal.message.clone() },
    })
}
