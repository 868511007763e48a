//! Resizes that the guest does not follow: since when, and when the rest is given up.
//!
//! ```text
//! the daemon says that a resource stands still ─► stalled ─ GIVE_UP_AFTER ─► partial: the aim is what the guest has
//!                                                    ▲                          │ the guest moves by itself, or it is due
//!                                                    └───────── retried ◄───────┘
//! ```
//! Pure. All times are in the VM's status, so a crash forgets nothing; another generation or another Pod begins anew. A time that is still to come
//! counts as now.

use crate::decide::asked::{retries, settles};
use crate::decide::observed::{PodObserved, VmObserved};
use crate::decide::target::Target;
use jiff::{SignedDuration, Timestamp};
use reef_api::names::SETTLE_ANNOTATION;
use reef_api::vm::{BootStatus, Partial, ResizeStatus, Stalled, VmmStatus};
use reef_api::{Bytes, Reason, Size, VIRTIO_MEM_GRANULE};

/// How long a resource may stand still after it was called stalled before the rest is given up. A guest that was only busy has moved by
/// then, and so has one that somebody looked after; meanwhile its Pod holds what the guest does not have.
pub const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// The shortest pause before a resize that was given up is tried again.
const SHORTEST_PAUSE: SignedDuration = SignedDuration::from_mins(30);
/// The longest. A growth that is tried again holds room on the node for a quarter of an hour.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(12);

/// Which resources stand still, and since when.
///
/// The daemon alone sees that, and forgets it when it starts anew: until it says something else, what was told before holds as long as the
/// guest has not moved.
pub fn stalled(target: &Target, observed: &VmObserved, pod: &PodObserved, now: Timestamp) -> Option<Stalled> {
    let report = observed.report()?;
    let resize = resize_of(observed, pod).filter(|resize| resize.generation == target.generation);
    let before = resize.filter(|_| !retries(target, observed)).and_then(|resize| resize.stalled.clone());
    let before = before.unwrap_or_default();
    let given_up = resize.and_then(|resize| resize.partial.as_ref()).filter(|partial| in_force(partial));
    let told = report.stuck.unwrap_or_default();
    let (vcpus, memory) = (report.vcpus_present, report.memory_actual);
    let since = |told: bool, before: Option<Timestamp>, moves: bool| match (told, may_still_hold(report) && moves) {
        (true, _) => before.or(Some(now)),
        (false, true) => before,
        (false, false) => None,
    };
    let of_vcpus = before.vcpus_since.filter(|_| before.vcpus == Some(vcpus)).map(|since| since.min(now));
    let of_memory = before.memory_since.filter(|_| before.memory == Some(memory)).map(|since| since.min(now));
    let vcpus_since = since(told.vcpus == Some(vcpus), of_vcpus, target.vm.size.vcpus != vcpus);
    let memory_since = since(told.memory == Some(memory), of_memory, target.vm.size.memory != memory);
    let stalled = some(Stalled {
        vcpus: vcpus_since.map(|_| vcpus),
        vcpus_since,
        memory: memory_since.map(|_| memory),
        memory_since,
    })?;
    given_up.map_or_else(|| Some(stalled.clone()), |given_up| without(stalled.clone(), given_up))
}

fn some(stalled: Stalled) -> Option<Stalled> {
    (stalled != Stalled::default()).then_some(stalled)
}

/// What stands still and was not given up.
pub fn without(stalled: Stalled, given_up: &Partial) -> Option<Stalled> {
    let vcpus = given_up.vcpus.is_none();
    let memory = given_up.memory.is_none();
    some(Stalled {
        vcpus: stalled.vcpus.filter(|_| vcpus),
        vcpus_since: stalled.vcpus_since.filter(|_| vcpus),
        memory: stalled.memory.filter(|_| memory),
        memory_since: stalled.memory_since.filter(|_| memory),
    })
}

/// When the rest of what stands still is given up, where the daemon says until then that it may be.
pub fn ends(stalled: &Stalled) -> Option<Timestamp> {
    let first = [stalled.vcpus_since, stalled.memory_since].into_iter().flatten().min()?;
    first.saturating_add(GIVE_UP_AFTER).ok()
}

/// Whether the report leaves open that what was told of before still holds.
fn may_still_hold(report: &VmmStatus) -> bool {
    let reason = report.waiting.as_ref().map(|waiting| waiting.reason);
    matches!(reason, None | Some(Reason::Stalled | Reason::VmmRefused | Reason::CpuRemovalPending))
}

fn resize_of<'a>(observed: &'a VmObserved, pod: &PodObserved) -> Option<&'a ResizeStatus> {
    observed.status.resize.as_ref().filter(|resize| resize.pod_uid == pod.uid)
}

/// What was given up, where something was and counts still: newly now, before, or before and tried again.
pub fn partial(
    target: &Target,
    observed: &VmObserved,
    pod: &PodObserved,
    stalled: Option<&Stalled>,
    now: Timestamp,
) -> Option<Partial> {
    let report = observed.report()?;
    let before = resize_of(observed, pod).and_then(|resize| resize.partial.as_ref());
    let before = before.filter(|before| before.generation == target.generation).map(|before| until(now, before));
    let before = before.as_ref();
    if settles(target, observed) {
        return settled_for(target, report, before, now);
    }
    if let Some(partial) = stalled.and_then(|stalled| given_up(target, report, before, stalled, now)) {
        return Some(partial);
    }
    let before = before.filter(|_| report.requested() != target.vm.size || report.actual() != target.vm.size)?;
    let by_itself = !before.asked && (moved(before, report) || now >= due(before));
    let ends = in_force(before) && (by_itself || retries(target, observed));
    Some(Partial { retried_at: if ends { Some(now) } else { before.retried_at }, ..before.clone() })
}

/// With no time that is still to come.
fn until(now: Timestamp, partial: &Partial) -> Partial {
    Partial {
        first_at: partial.first_at.min(now),
        at: partial.at.min(now),
        retried_at: partial.retried_at.map(|retried| retried.min(now)),
        ..partial.clone()
    }
}

fn given_up(
    target: &Target,
    report: &VmmStatus,
    before: Option<&Partial>,
    stalled: &Stalled,
    now: Timestamp,
) -> Option<Partial> {
    let overdue = |since: &Timestamp| now.duration_since(*since) >= GIVE_UP_AFTER;
    let vcpus = stalled.vcpus_since.filter(overdue).and(stalled.vcpus);
    let memory = stalled.memory_since.filter(overdue).and(stalled.memory);
    if vcpus.is_none() && memory.is_none() {
        return None;
    }
    let kept = before.filter(|before| in_force(before));
    let message = report.waiting.as_ref().map(|waiting| waiting.message.clone());
    Some(Partial {
        generation: target.generation,
        vcpus: vcpus.or(kept.and_then(|kept| kept.vcpus)),
        memory: memory.or(kept.and_then(|kept| kept.memory)),
        message: message.unwrap_or_else(|| "the guest has not followed".to_owned()),
        first_at: before.map_or(now, |before| before.first_at),
        at: now,
        retried_at: None,
        asked: false,
    })
}

/// The rest, given up because somebody asks for it: whatever the guest does not have is no longer aimed at. A removal of vCPUs that the VMM holds on to
/// cannot be taken back, so it goes on.
fn settled_for(target: &Target, report: &VmmStatus, before: Option<&Partial>, now: Timestamp) -> Option<Partial> {
    let (actual, wanted) = (report.actual(), target.vm.size);
    let removing = report.waiting.as_ref().is_some_and(|waiting| waiting.reason == Reason::CpuRemovalPending);
    let vcpus = (actual.vcpus != wanted.vcpus && !removing).then_some(actual.vcpus);
    let memory = (actual.memory != wanted.memory).then_some(actual.memory);
    (vcpus.is_some() || memory.is_some()).then(|| Partial {
        generation: target.generation,
        vcpus,
        memory,
        message: format!("what the VM has was settled for, as {SETTLE_ANNOTATION} asked for"),
        first_at: before.map_or(now, |before| before.first_at),
        at: now,
        retried_at: None,
        asked: true,
    })
}

/// Whether the rest is given up at present, and not tried again.
pub const fn in_force(partial: &Partial) -> bool {
    partial.retried_at.is_none()
}

/// The guest has moved by itself: its driver has come, or it was rebooted, or memory that could not move has become free.
fn moved(partial: &Partial, report: &VmmStatus) -> bool {
    partial.vcpus.is_some_and(|vcpus| vcpus != report.vcpus_present)
        || partial.memory.is_some_and(|memory| memory != report.memory_actual)
}

/// When it is tried again: after as long as it has been tried by then, so that the pauses double without a counter.
pub fn due(partial: &Partial) -> Timestamp {
    let tried = partial.at.duration_since(partial.first_at);
    partial.at.saturating_add(tried.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).unwrap_or(partial.at)
}

/// What is aimed at where something was given up.
pub fn reached(partial: &Partial, target: Size, boot: BootStatus) -> Size {
    Size::new(
        partial.vcpus.unwrap_or(target.vcpus),
        partial.memory.map_or(target.memory, |memory| askable(memory, boot)),
    )
}

/// The smallest size that the VMM takes and that holds what the guest has.
fn askable(memory: Bytes, boot: BootStatus) -> Bytes {
    let added = memory.saturating_sub(boot.min_memory);
    let whole = added.checked_next_multiple_of(VIRTIO_MEM_GRANULE).unwrap_or(added);
    boot.min_memory.saturating_add(whole).min(boot.max_memory)
}
