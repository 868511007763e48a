//! Refusals of a node: remembered, and tried again when there is reason to.
//!
//! ```text
//! infeasible ─► refused until the spec or the node changes
//! deferred ─ lease ─► refused: the wish is taken back ─ room, its turn, or due ─► retried ─ lease ─► refused ...
//! ```
//! Pure. What is remembered is in the VM's status, with its times.

use crate::decide::asked::{retries, settles};
use crate::decide::held::{Which, carries, held, wish};
use crate::decide::observed::{PendingReason, PodObserved, RefusalKind, ResizePending, VmObserved};
use crate::decide::room::{self, Claim, Neighbourhood, Waiter};
use crate::decide::target::Target;
use jiff::Timestamp;
use reef_api::vm::{NodeRoom, Refused};
use reef_api::{Bytes, MEMORY_BLOCK, Meanwhile, Reason, Size, Vcpus};

/// Whether a refusal holds: it is remembered, and not being tried again.
pub const fn holds(refused: &Refused) -> bool {
    refused.retried_at.is_none()
}

/// The refusal of the target that counts: remembered for this generation and node, or told just now about exactly the wish that the target
/// needs. `standing` is the size that the VM has meanwhile.
pub fn refused(
    target: &Target,
    observed: &VmObserved,
    pod: &PodObserved,
    standing: Size,
    now: Timestamp,
) -> Option<Refused> {
    // What the node has put into effect is not refused: what it refuses then is to lower the Pod, and that harms nobody.
    if is_carried(target, pod) {
        return None;
    }
    let Some(before) = remembered(target, observed, pod, now) else {
        return told(target, observed, pod, standing, None, now);
    };
    let before = &before;
    match (before.reason, before.retried_at) {
        (Reason::Deferred, Some(_)) => {
            told(target, observed, pod, standing, Some(before), now).or_else(|| Some(before.clone()))
        }
        (Reason::Deferred, None) if retries(target, observed) || may_try(target, observed, pod, standing, now) => {
            Some(Refused { retried_at: Some(now), ..before.clone() })
        }
        (Reason::Deferred, None) => Some(smaller_step(target, observed, pod, standing, before)),
        (_, _) if retries(target, observed) => told(target, observed, pod, standing, None, now),
        (_, _) => Some(before.clone()),
    }
}

fn is_carried(target: &Target, pod: &PodObserved) -> bool {
    let wanted = wish(&target.vm, pod, target.vm.size);
    carries(pod, wanted, Which::Cpu) && carries(pod, wanted, Which::Memory)
}

/// The refusal of before, where it is about this generation, Pod and node. A time that is still to come counts as now.
fn remembered(target: &Target, observed: &VmObserved, pod: &PodObserved, now: Timestamp) -> Option<Refused> {
    let resize = observed.status.resize.as_ref().filter(|resize| resize.pod_uid == pod.uid)?;
    let before = resize.refused.as_ref()?;
    let same = before.generation == target.generation && before.capacity == capacity(observed);
    same.then(|| Refused {
        at: before.at.map(|at| at.min(now)),
        first_at: before.first_at.map(|first| first.min(now)),
        retried_at: before.retried_at.map(|retried| retried.min(now)),
        ..before.clone()
    })
}

fn capacity(observed: &VmObserved) -> String {
    observed.node.as_ref().map(|node| node.capacity()).unwrap_or_default()
}

/// What was told just now: by the API server at admission, or by the kubelet, and then for longer than the lease.
fn told(
    target: &Target,
    observed: &VmObserved,
    pod: &PodObserved,
    standing: Size,
    before: Option<&Refused>,
    now: Timestamp,
) -> Option<Refused> {
    let refusal = |reason, message: &str| Refused {
        generation: target.generation,
        reason,
        capacity: capacity(observed),
        message: message.to_owned(),
        at: Some(now),
        first_at: before.and_then(|before| before.first_at).or(Some(now)),
        retried_at: None,
        room: None,
        step: None,
    };
    let at_admission = observed.refusal.as_ref().filter(|refusal| {
        refusal.kind == RefusalKind::NodeCapacity
            && refusal.generation == target.generation
            && refusal.pod_uid == pod.uid
    });
    if let Some(told) = at_admission {
        return Some(refusal(Reason::Infeasible, &told.message));
    }
    let pending = pending_about(target, observed, pod, target.vm.size)?;
    match pending.reason {
        PendingReason::Infeasible => Some(refusal(Reason::Infeasible, &pending.message)),
        PendingReason::Deferred => {
            let free = room::free(&pending.message, Claim::from(pod.spec));
            let step = largest_step(target, pod, standing, free);
            let over = settles(target, observed)
                || deferred_since(target, observed, pod, before)
                    .is_some_and(|since| now.duration_since(since) >= target.vm.lease.duration());
            let step = step.or_else(|| before.filter(|_| over).and_then(|before| before.step));
            (over || step.is_some()).then(|| Refused {
                room: room_for_all(observed, pod, free),
                step,
                ..refusal(Reason::Deferred, &pending.message)
            })
        }
    }
}

/// Since when the VM says of this generation that it is deferred: by the times that the controller wrote, because the kubelet's clock is another one.
fn deferred_since(
    target: &Target,
    observed: &VmObserved,
    pod: &PodObserved,
    before: Option<&Refused>,
) -> Option<Timestamp> {
    let resize = observed.status.resize.as_ref().filter(|resize| resize.pod_uid == pod.uid)?;
    let told = resize.reason == Some(Reason::Deferred) && resize.generation == target.generation;
    let since = resize.reason_since.filter(|_| told)?;
    Some(before.and_then(|before| before.retried_at).map_or(since, |retried| since.max(retried)))
}

/// What the kubelet says about the wish for `size`, where it is the one that the Pod has.
fn pending_about<'a>(
    target: &Target,
    observed: &VmObserved,
    pod: &'a PodObserved,
    size: Size,
) -> Option<&'a ResizePending> {
    let wanted = wish(&target.vm, pod, held(observed)?.max(size));
    pod.pending.as_ref().filter(|_| pod.caught_up() && pod.spec == wanted)
}

fn room_for_all(observed: &VmObserved, pod: &PodObserved, free: NodeRoom) -> Option<NodeRoom> {
    let neighbourhood = observed.neighbourhood.as_ref()?;
    Some(room::for_all(free, neighbourhood.all.less(pod.claim())))
}

/// The refusal of before; with a smaller step where the node has no room even for that one.
fn smaller_step(
    target: &Target,
    observed: &VmObserved,
    pod: &PodObserved,
    standing: Size,
    before: &Refused,
) -> Refused {
    let pending = before.step.and_then(|step| pending_about(target, observed, pod, step));
    let Some(pending) = pending else { return before.clone() };
    let free = room::free(&pending.message, Claim::from(pod.spec));
    let smaller = largest_step(target, pod, standing, free).filter(|step| Some(*step) != before.step);
    Refused { step: smaller.map(|step| step.min(before.step.unwrap_or(step))), ..before.clone() }
}

/// The largest size between the one that stands and the target that fits into what is free; none where nothing is gained, or where the policy
/// does not want it. Of what the kubelet did not speak of there is enough, as far as anybody knows.
fn largest_step(target: &Target, pod: &PodObserved, standing: Size, free: NodeRoom) -> Option<Size> {
    match target.vm.meanwhile {
        Meanwhile::Nothing => return None,
        Meanwhile::LargestStep if free == NodeRoom::default() => return None,
        Meanwhile::LargestStep => {}
    }
    let wanted = target.vm.size;
    let with_vcpus = |more: u64| {
        Size::new(Vcpus(standing.vcpus.0.saturating_add(u32::try_from(more).unwrap_or(0))), standing.memory)
    };
    let with_blocks = |more: u64| {
        let added = MEMORY_BLOCK.checked_mul(more).unwrap_or(Bytes(u64::MAX));
        Size::new(standing.vcpus, standing.memory.saturating_add(added))
    };
    let cpu_fits = |more| free.cpu.is_none_or(|free| wish(&target.vm, pod, with_vcpus(more)).cpu_request <= free);
    let memory_fits = |more| free.memory.is_none_or(|free| wish(&target.vm, pod, with_blocks(more)).memory <= free);
    let vcpus = most(u64::from(wanted.vcpus.saturating_sub(standing.vcpus).0), cpu_fits);
    let blocks = most(wanted.memory.saturating_sub(standing.memory).0 / MEMORY_BLOCK.0, memory_fits);
    let gains = vcpus > 0 || blocks > 0;
    // What is to shrink does so.
    let step = Size::new(with_vcpus(vcpus).vcpus, with_blocks(blocks).memory).min(wanted);
    (gains && step != wanted).then_some(step)
}

/// The largest number up to `most` that fits, where none larger fits once one does not.
fn most(most: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut fitting, mut beyond) = (0, most.saturating_add(1));
    while beyond - fitting > 1 {
        let middle = fitting + (beyond - fitting) / 2;
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    fitting
}

/// Whether a wish that was taken back is made again now.
fn may_try(target: &Target, observed: &VmObserved, pod: &PodObserved, standing: Size, now: Timestamp) -> bool {
    let Some(own) = waiter_at(target, observed, pod, standing, now) else { return false };
    let Some(node) = &observed.node else { return false };
    let allocatable = Claim { cpu: node.cpu, memory: node.memory };
    let mut neighbourhood =
        observed.neighbourhood.clone().unwrap_or_else(|| Neighbourhood { all: pod.claim(), waiters: Vec::new() });
    neighbourhood.waiters.retain(|waiter| waiter.key != own.key);
    neighbourhood.waiters.push(own);
    room::is_turn_of(&target.vm.key, &neighbourhood, allocatable, now)
}

/// What a VM says to the others of its node while it waits for room; none when it does not.
pub fn waiter(target: &Target, observed: &VmObserved, now: Timestamp) -> Option<Waiter> {
    let pod = observed.pod()?;
    let aim = observed.status.resize.as_ref()?.aim;
    waiter_at(target, observed, pod, aim, now)
}

fn waiter_at(
    target: &Target,
    observed: &VmObserved,
    pod: &PodObserved,
    standing: Size,
    now: Timestamp,
) -> Option<Waiter> {
    let before = &remembered(target, observed, pod, now).filter(|before| before.reason == Reason::Deferred)?;
    let wanted = target.vm.size;
    let from = before.step.unwrap_or(standing);
    let more = Size::new(Vcpus(from.vcpus.0.saturating_add(1)), from.memory.saturating_add(MEMORY_BLOCK));
    let gain = match target.vm.meanwhile {
        Meanwhile::Nothing => wanted,
        Meanwhile::LargestStep => more.min(wanted),
    };
    Some(Waiter {
        key: target.vm.key.clone(),
        has: pod.claim(),
        asks: Claim::from(wish(&target.vm, pod, gain)),
        room: before.room.unwrap_or_default(),
        since: before.first_at.unwrap_or(now),
        due: room::due(before, target.vm.lease.duration(), now),
        trying: before.retried_at,
    })
}
