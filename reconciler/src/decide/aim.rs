//! The aim: the target, or less for a reason that is recorded.
//!
//! Nothing is patched or granted here. Given the same view it names the same aim, so a crash between two steps changes nothing.

use crate::decide::held::{Which, carries, held, wish};
use crate::decide::observed::{PendingReason, PodObserved, RefusalKind, VmObserved};
use crate::decide::target::Target;
use jiff::{SignedDuration, Timestamp};
use reef_api::vm::{Outcome, Refused};
use reef_api::{Reason, Size};

/// How long a wish may stay deferred before it is taken back, so that it starves nobody: the scheduler counts it against the node.
pub const DEFERRED_LEASE: SignedDuration = SignedDuration::from_mins(10);

/// What is aimed at.
#[derive(Clone, Debug, PartialEq)]
pub struct Aim {
    /// The size.
    pub size: Size,
    /// Why it is not the target, where it is not.
    pub short: Option<Short>,
    /// The refusal to remember.
    pub refused: Option<Refused>,
}

/// Why an aim falls short of its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// The word for programs.
    pub reason: Reason,
    /// The sentence for people.
    pub message: String,
}

/// Finds the aim for a VM whose Pod runs and whose daemon has reported.
pub fn aim(target: &Target, observed: &VmObserved, pod: &PodObserved, now: Timestamp) -> Aim {
    let standing = standing(observed, pod);
    let stay = |short: Short, refused| Aim { size: standing, short: Some(short), refused };
    if let Some(problem) = target.problem.as_ref().filter(|problem| problem.spoils_size()) {
        return stay(Short { reason: problem.reason, message: problem.message.clone() }, None);
    }
    if let Some(short) = beyond_boot(target, observed) {
        return stay(short, None);
    }
    match refused(target, observed, pod, now) {
        Some(refused) => {
            let message = format!("{}; the VM keeps {standing}", sentence(&refused, target.vm.size));
            stay(Short { reason: refused.reason, message }, Some(refused))
        }
        None => Aim { size: target.vm.size, short: None, refused: None },
    }
}

fn sentence(refused: &Refused, wanted: Size) -> String {
    match refused.reason {
        Reason::Deferred => {
            format!("the node had no room for {wanted} for {} minutes ({})", DEFERRED_LEASE.as_mins(), refused.message)
        }
        _ => format!("the node cannot hold {wanted} ({})", refused.message),
    }
}

/// The size that the VM goes back to, or stays at: the last one that settled in this Pod, else what it was last asked for.
fn standing(observed: &VmObserved, pod: &PodObserved) -> Size {
    let allowed = |size: &Size| observed.report().is_none_or(|report| report.boot.allows(*size));
    let mut entries = observed.status.history.iter().rev();
    let settled = entries.find(|entry| entry.pod_uid == pod.uid && entry.outcome == Outcome::Settled);
    let requested = || observed.report().map(reef_api::vm::VmmStatus::requested);
    settled.map(|entry| entry.target).filter(allowed).or_else(requested).unwrap_or_else(|| unreported(observed))
}

/// Without a report nothing is moved anyway; the last aim is as good a name for that as any.
fn unreported(observed: &VmObserved) -> Size {
    let resize = observed.status.resize.as_ref();
    resize.map_or(Size::new(reef_api::Vcpus(0), reef_api::Bytes(0)), |resize| resize.aim)
}

fn beyond_boot(target: &Target, observed: &VmObserved) -> Option<Short> {
    let boot = observed.report()?.boot;
    let wanted = target.vm.size;
    if boot.allows(wanted) {
        return None;
    }
    let message = format!(
        "{wanted} lies outside what this VM booted with ({} to {} vCPU, {} to {}); it gets the new size when it is started anew",
        boot.min_vcpus, boot.max_vcpus, boot.min_memory, boot.max_memory
    );
    Some(Short { reason: Reason::RestartRequired, message })
}

/// A refusal that holds: remembered for this generation and node, or told just now about exactly the wish that the target needs.
fn refused(target: &Target, observed: &VmObserved, pod: &PodObserved, now: Timestamp) -> Option<Refused> {
    let capacity = observed.node.as_ref().map(|node| node.capacity()).unwrap_or_default();
    let remembered = observed.status.resize.as_ref().and_then(|resize| resize.refused.as_ref());
    let same_pod = observed.status.resize.as_ref().is_some_and(|resize| resize.pod_uid == pod.uid);
    let holds = |refused: &&Refused| refused.generation == target.generation && refused.capacity == capacity;
    // What the node has put into effect is not refused: what it refuses then is to lower the Pod, and that harms nobody.
    let wanted = wish(&target.vm, pod, target.vm.size);
    if carries(pod, wanted, Which::Cpu) && carries(pod, wanted, Which::Memory) {
        return None;
    }
    if let Some(refused) = remembered.filter(holds).filter(|_| same_pod) {
        return Some(refused.clone());
    }
    let (reason, message) = told(target, observed, pod, now)?;
    Some(Refused { generation: target.generation, reason, capacity, message })
}

fn told(target: &Target, observed: &VmObserved, pod: &PodObserved, now: Timestamp) -> Option<(Reason, String)> {
    let at_admission = observed.refusal.as_ref().filter(|refusal| {
        refusal.kind == RefusalKind::NodeCapacity
            && refusal.generation == target.generation
            && refusal.pod_uid == pod.uid
    });
    if let Some(refusal) = at_admission {
        return Some((Reason::Infeasible, refusal.message.clone()));
    }
    let wanted = wish(&target.vm, pod, held(observed)?.max(target.vm.size));
    let pending = pod.pending.as_ref().filter(|_| pod.caught_up() && pod.spec == wanted)?;
    match pending.reason {
        PendingReason::Infeasible => Some((Reason::Infeasible, pending.message.clone())),
        PendingReason::Deferred => {
            let waited = now.duration_since(pending.since?);
            (waited >= DEFERRED_LEASE).then(|| (Reason::Deferred, pending.message.clone()))
        }
    }
}
