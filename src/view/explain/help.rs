//! What would help a VM that waits: the sentence for its reason, and what the figures of its status add to it.

use jiff::Timestamp;
use reef_api::vm::{BootStatus, ResizeStatus};
use reef_api::{Reason, VirtualMachine};

use super::PolicyView;
use crate::view::VmView;
use crate::view::hint::hint;
use crate::view::text::{age, clock, harmless};

/// What would help, the best first; nothing for a VM that waits for nothing.
pub(super) fn helps(vm: &VirtualMachine, view: &VmView, policy: &PolicyView, now: Timestamp) -> Vec<String> {
    let mut helps = Vec::new();
    if let Some(waiting) = &view.waiting {
        let reason: Option<Reason> = serde_json::from_value(waiting.reason.clone().into()).ok();
        helps.extend(waiting.hint.map(str::to_owned));
        let resize = vm.status.as_ref().and_then(|status| status.resize.as_ref());
        helps.extend(reason.into_iter().flat_map(|reason| by_figures(reason, resize, view, policy, now)));
    } else if view.removed_from_git {
        helps.extend(hint(Reason::RemovedFromGit).map(str::to_owned));
    }
    helps.extend(policy.conflict.clone());
    helps.extend(policy.violations.iter().map(|violation| harmless(violation)));
    helps
}

fn by_figures(
    reason: Reason,
    resize: Option<&ResizeStatus>,
    view: &VmView,
    policy: &PolicyView,
    now: Timestamp,
) -> Vec<String> {
    match reason {
        Reason::Deferred => deferred(resize, policy, now),
        Reason::Infeasible => refused_by(resize).into_iter().collect(),
        Reason::RestartRequired => view.limits.iter().map(|limits| restart(limits, policy)).collect(),
        Reason::Stalled | Reason::Partial => standing(resize, now),
        Reason::GuestPressure => view.used.iter().map(|used| format!("the guest uses {} now", used.bytes)).collect(),
        _ => Vec::new(),
    }
}

/// The room that there was, and when the wish is taken back.
fn deferred(resize: Option<&ResizeStatus>, policy: &PolicyView, now: Timestamp) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(room) = resize.and_then(|resize| resize.refused.as_ref()?.room) {
        let parts = room.cpu.map(|cpu| format!("cpu {cpu}"));
        let parts: Vec<String> =
            parts.into_iter().chain(room.memory.map(|memory| format!("memory {memory}"))).collect();
        told.push(format!("when it was asked last, the node had room for {} in all", parts.join(", ")));
    }
    let until = resize.and_then(|resize| resize.reason_since?.checked_add(policy.lease.duration()).ok());
    if let Some(until) = until.filter(|until| *until > now) {
        told.push(format!("the wish stands until {}, {} after it began to wait", clock(until), policy.lease));
    }
    if !policy.largest_step {
        told.push(
            "a SizingPolicy with `deferred: { largestStep: true }` gives as much as there is room for meanwhile"
                .to_owned(),
        );
    }
    told
}

fn refused_by(resize: Option<&ResizeStatus>) -> Option<String> {
    let refused = resize?.refused.as_ref()?;
    let said =
        if refused.message.is_empty() { String::new() } else { format!(" and said: {}", harmless(&refused.message)) };
    Some(format!("the node that refused it has {}{said}", harmless(&refused.capacity)))
}

fn restart(limits: &BootStatus, policy: &PolicyView) -> String {
    format!(
        "it booted to be resized from {} to {} vCPU and from {} to {}; started anew it can be resized from {} to {}",
        limits.min_vcpus, limits.max_vcpus, limits.min_memory, limits.max_memory, policy.floor, policy.ceiling
    )
}

fn standing(resize: Option<&ResizeStatus>, now: Timestamp) -> Vec<String> {
    let Some(stalled) = resize.and_then(|resize| resize.stalled.as_ref()) else { return Vec::new() };
    let vcpus = stalled.vcpus.zip(stalled.vcpus_since);
    let vcpus = vcpus.map(|(vcpus, since)| format!("the guest has stood at {vcpus} vCPU for {}", age(since, now)));
    let memory = stalled.memory.zip(stalled.memory_since);
    let memory = memory.map(|(memory, since)| format!("the guest has stood at {memory} for {}", age(since, now)));
    vcpus.into_iter().chain(memory).collect()
}
