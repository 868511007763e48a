//! What the memory of a VM comes to by itself.
//!
//! Knows nothing of vCPUs. Pure.

use super::gate;
use super::observed::{MemoryDevice, VmmObserved};
use super::pace::{Moment, Nudge};
use super::stall::Stall;
use super::step::{Ask, Wait};
use super::steps::towards;
use reef_api::units::{MEMORY_BLOCK, VIRTIO_MEM_GRANULE};
use reef_api::vm::Grant;
use reef_api::{Bytes, ShrinkGate};

/// Finds what to ask, given the granted size: the whole of a growth, or the next step of a shrink.
///
/// The size that is already requested is never asked for: virtio-mem answers that with an error.
pub(super) fn next(grant: &Grant, observed: &VmmObserved, now: Moment) -> Ask<Bytes> {
    let (granted, requested, actual) = (grant.memory, observed.requested.memory, observed.actual.memory);
    if requested == granted && actual == granted {
        return Ask::Nothing;
    }
    let size = towards(granted, requested, actual, observed.boot.min_memory);
    let takes = size < requested && size < actual;
    if requested == granted || (takes && actual > requested) {
        return follow(grant, observed, now);
    }
    if takes && !observed.pace.memory_track.is_settled(now) {
        return Ask::Wait(Wait::Guest);
    }
    match obstacle(grant, size, observed, now) {
        Some(wait) => Ask::Wait(wait),
        None => Ask::For(size),
    }
}

/// The VMM was asked, and the guest has not followed yet.
fn follow(grant: &Grant, observed: &VmmObserved, now: Moment) -> Ask<Bytes> {
    let track = &observed.pace.memory_track;
    let nudge =
        nudge(grant, observed, now).filter(|size| track.is_nudge_due(now) && refused(*size, observed, now).is_none());
    match nudge {
        Some(size) => Ask::For(size),
        None if track.is_stalled(now) => Ask::Wait(Wait::Stalled(Stall::of_memory(grant.memory, observed))),
        None => Ask::Wait(Wait::Guest),
    }
}

/// The size to ask for so that a guest goes on with a shrink that stands still: it looks at its memory anew when it is asked for another
/// size, and a granule less or more is one.
///
/// Less as long as that is no less than the grant, then more, in turn. More is no more than the guest has, which is what was reported and
/// what its Pod holds: in a shrink that only falls. A guest that would be pressed is not nudged.
fn nudge(grant: &Grant, observed: &VmmObserved, now: Moment) -> Option<Bytes> {
    let (requested, actual) = (observed.requested.memory, observed.actual.memory);
    if actual <= requested || observed.memory_device != MemoryDevice::VirtioMem {
        return None;
    }
    let less = requested.saturating_sub(VIRTIO_MEM_GRANULE);
    let size = if less >= grant.memory { less } else { requested.checked_add(VIRTIO_MEM_GRANULE)? };
    let within = size >= observed.boot.min_memory && size <= actual;
    (within && gate(grant, size.min(requested), observed, now).is_none()).then_some(size)
}

/// Whether a request was a nudge: nothing of it is new to the guest.
pub fn is_nudge(size: Bytes, observed: &VmmObserved) -> Nudge {
    let (requested, actual) = (observed.requested.memory, observed.actual.memory);
    let near = size.0.abs_diff(requested.0) == VIRTIO_MEM_GRANULE.0;
    if actual > requested && near { Nudge::Yes } else { Nudge::No }
}

/// Why the guest is not asked for `size` now, on its way to the granted one.
fn obstacle(grant: &Grant, size: Bytes, observed: &VmmObserved, now: Moment) -> Option<Wait> {
    device(grant.memory, observed).or_else(|| room(grant, size, observed, now)).or_else(|| refused(size, observed, now))
}

/// A refusal that was met just now, or again and again.
fn refused(size: Bytes, observed: &VmmObserved, now: Moment) -> Option<Wait> {
    let refusal = observed.pace.memory.as_ref().filter(|refusal| refusal.forbids(&size, now))?;
    let message = refusal.message.clone();
    let stalled = observed.pace.memory_track.is_stalled(now);
    Some(if stalled { Wait::Stalled(Stall::Refused { message }) } else { Wait::Refused { message } })
}

fn grows(granted: Bytes, observed: &VmmObserved) -> bool {
    granted > observed.requested.memory
}

/// What the VM's devices cannot do, found before the VMM has to refuse it, or worse, says yes to it and does nothing.
fn device(granted: Bytes, observed: &VmmObserved) -> Option<Wait> {
    let block = match (observed.memory_device, grows(granted, observed)) {
        (MemoryDevice::VirtioMem, _) | (MemoryDevice::VirtioMemEcho, true) => VIRTIO_MEM_GRANULE,
        (MemoryDevice::Acpi, true) => MEMORY_BLOCK,
        (MemoryDevice::VirtioMemEcho, false) => return Some(Wait::NotResizable { why: ECHO }),
        (MemoryDevice::Acpi, false) => return Some(Wait::NotResizable { why: ACPI }),
        (MemoryDevice::Fixed, _) => return Some(Wait::NotResizable { why: FIXED }),
    };
    let (min, max) = (observed.boot.min_memory, observed.boot.max_memory);
    if !(min..=max).contains(&granted) {
        return Some(Wait::MemoryOutOfRange { granted, min, max });
    }
    let added = granted.saturating_sub(min);
    (!added.is_multiple_of(block)).then_some(Wait::Misaligned { granted, block })
}

/// Whether the container has room for growth, and the guest for a step of a shrink.
fn room(grant: &Grant, size: Bytes, observed: &VmmObserved, now: Moment) -> Option<Wait> {
    let (granted, limit) = (grant.memory, observed.limits.memory);
    if grows(granted, observed) {
        return (!limit.covers(&granted)).then_some(Wait::MemoryLimit { limit, granted });
    }
    gate(grant, size, observed, now)
}

/// The gate, where the grant says that it is to be asked.
fn gate(grant: &Grant, size: Bytes, observed: &VmmObserved, now: Moment) -> Option<Wait> {
    match grant.gate {
        ShrinkGate::Guard => gate::shrink(grant, size, observed, now),
        ShrinkGate::Press => None,
    }
}

const ECHO: &str = "this version of the VMM tells the requested memory as the plugged one, so a shrink could not be \
                    verified; update Cloud Hypervisor to v52 or later, or start the VM anew";
const ACPI: &str = "the VM adds memory by ACPI, which never really gives it back; a smaller size needs a new start";
const FIXED: &str = "the VM booted without memory that can be added or removed; another size needs a new start";
