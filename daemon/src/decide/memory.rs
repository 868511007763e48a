//! What the memory of a VM comes to by itself.
//!
//! Knows nothing of vCPUs. Pure.

use super::gate;
use super::observed::{MemoryDevice, VmmObserved};
use super::pace::Moment;
use super::step::{Ask, Wait};
use super::steps::towards;
use super::used::used;
use reef_api::Bytes;
use reef_api::units::{MEMORY_BLOCK, VIRTIO_MEM_GRANULE};

/// Finds what to ask, given the granted size: the whole of a growth, or the next step of a shrink.
///
/// The size that is already requested is never asked for: virtio-mem answers that with an error.
pub(super) fn next(granted: Bytes, observed: &VmmObserved, now: Moment) -> Ask<Bytes> {
    if observed.requested.memory == granted {
        return if observed.actual.memory == granted { Ask::Nothing } else { Ask::Wait(Wait::Guest) };
    }
    let size = towards(granted, observed.requested.memory, observed.actual.memory, observed.boot.min_memory);
    match obstacle(granted, size, observed, now) {
        Some(wait) => Ask::Wait(wait),
        None => Ask::For(size),
    }
}

/// Why the guest is not asked for `size` now, on its way to the granted one.
fn obstacle(granted: Bytes, size: Bytes, observed: &VmmObserved, now: Moment) -> Option<Wait> {
    let grows = granted > observed.requested.memory;
    device(granted, grows, observed)
        .or_else(|| under_way(size, observed, now))
        .or_else(|| room(granted, size, grows, observed))
        .or_else(|| {
            let refusal = observed.pace.memory.as_ref().filter(|refusal| refusal.forbids(&size, now));
            refusal.map(|refusal| Wait::Refused { message: refusal.message.clone() })
        })
}

/// The next step of a shrink waits until the guest has followed the last one, and has rested.
fn under_way(size: Bytes, observed: &VmmObserved, now: Moment) -> Option<Wait> {
    let (requested, actual) = (observed.requested.memory, observed.actual.memory);
    let takes = size < requested && size < actual;
    let follows = actual > requested || !observed.pace.memory_track.is_settled(now);
    (takes && follows).then_some(Wait::Guest)
}

/// What the VM's devices cannot do, found before the VMM has to refuse it, or worse, says yes to it and does nothing.
fn device(granted: Bytes, grows: bool, observed: &VmmObserved) -> Option<Wait> {
    let block = match (observed.memory_device, grows) {
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
fn room(granted: Bytes, size: Bytes, grows: bool, observed: &VmmObserved) -> Option<Wait> {
    let limit = observed.limits.memory;
    if grows {
        return (!limit.covers(&granted)).then_some(Wait::MemoryLimit { limit, granted });
    }
    gate::shrink(size, granted, observed.actual.memory, used(observed))
}

const ECHO: &str = "this version of the VMM tells the requested memory as the plugged one, so a shrink could not be \
                    verified; update Cloud Hypervisor to v52 or later, or start the VM anew";
const ACPI: &str = "the VM adds memory by ACPI, which never really gives it back; a smaller size needs a new start";
const FIXED: &str = "the VM booted without memory that can be added or removed; another size needs a new start";
