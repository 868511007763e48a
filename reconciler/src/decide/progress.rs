//! How far a running VM is from its aim: what it waits for, in one word and one sentence.
//!
//! Words only. The sentences do not repeat numbers that move, so that a status is written when a step is made and not when a byte is.

use crate::decide::aim::Aim;
use crate::decide::grant::{Grants, Raise};
use crate::decide::held::wish;
use crate::decide::observed::{PendingReason, PodObserved, RefusalKind, VmObserved};
use crate::decide::target::Target;
use jiff::{SignedDuration, Timestamp};
use reef_api::vm::VmmStatus;
use reef_api::{PodSize, Reason};

/// How long a guest may take to take up what its VM booted with, before it is called stalled: a slow one needs some ten seconds.
pub const BOOTS_WITHIN: SignedDuration = SignedDuration::from_mins(3);

/// What a VM waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The word for programs.
    pub reason: Reason,
    /// The sentence for people.
    pub message: String,
}

impl Waiting {
    fn on(reason: Reason, message: impl Into<String>) -> Option<Self> {
        Some(Self { reason, message: message.into() })
    }
}

/// What the VM waits for on its way to the aim; nothing when everything agrees with the aim (rule 4).
pub fn waiting(
    target: &Target,
    observed: &VmObserved,
    pod: &PodObserved,
    report: &VmmStatus,
    aim: &Aim,
    grants: &Grants,
    now: Timestamp,
) -> Option<Waiting> {
    if let Some(node) = observed.node.as_ref().filter(|node| !node.ready) {
        return Waiting::on(
            Reason::NodeLost,
            format!("node {} is not ready; nothing is resized until it is", node.name),
        );
    }
    let needed = wish(&target.vm, pod, aim.size);
    raising(observed, pod, needed, grants.raise)
        .or_else(|| asking(report, grants))
        .or_else(|| guest(observed, report, aim, grants, now))
        .or_else(|| lowering(observed, pod, needed))
}

fn raising(observed: &VmObserved, pod: &PodObserved, needed: PodSize, raise: Raise) -> Option<Waiting> {
    match (covers(pod, needed), raise) {
        (true, Raise::Settled) => return None,
        (true, Raise::Unread) => return being_raised(pod, needed),
        (false, Raise::Settled | Raise::Unread) => {}
    }
    if let Some(waiting) = refusal(observed, pod) {
        return Some(waiting);
    }
    if let Some(pending) = pod.pending.as_ref().filter(|_| pod.caught_up()) {
        let message = format!("the node has no room for a Pod of {needed} at present ({})", pending.message);
        return Waiting::on(Reason::Deferred, message);
    }
    if let Some(error) = pod.in_progress.as_ref().and_then(|progress| progress.error.as_ref()) {
        return Waiting::on(Reason::PodResizeError, format!("the kubelet cannot resize Pod {}: {error}", pod.name));
    }
    being_raised(pod, needed)
}

fn being_raised(pod: &PodObserved, needed: PodSize) -> Option<Waiting> {
    Waiting::on(Reason::RaisingPod, format!("Pod {} is being raised to {needed}", pod.name))
}

/// Whether the Pod is large enough, for words: while it is being lowered its status is behind its spec, and that is no raise.
fn covers(pod: &PodObserved, needed: PodSize) -> bool {
    [Some(pod.spec), pod.allocated, pod.actual].iter().all(|size| size.is_some_and(|size| size.covers(needed)))
}

fn refusal(observed: &VmObserved, pod: &PodObserved) -> Option<Waiting> {
    let refusal = observed.refusal.as_ref().filter(|refusal| refusal.pod_uid == pod.uid)?;
    let reason = match refusal.kind {
        RefusalKind::NodeCapacity => return None,
        RefusalKind::Quota => Reason::QuotaExceeded,
        RefusalKind::Admission => Reason::AdmissionDenied,
        RefusalKind::Forbidden => Reason::Forbidden,
        RefusalKind::Unsupported => Reason::Unsupported,
        RefusalKind::Invalid => Reason::PodResizeError,
    };
    Waiting::on(reason, format!("the API server refuses to resize Pod {}: {}", pod.name, refusal.message))
}

fn asking(report: &VmmStatus, grants: &Grants) -> Option<Waiting> {
    let grant = grants.current.as_ref().filter(|grant| grant.pod_uid == report.pod_uid)?;
    let message = format!("the daemon has not taken over grant {} ({}) yet", grant.seq, grant.size());
    if grant.seq > report.ack_seq { Waiting::on(Reason::WaitingForDaemon, message) } else { None }
}

fn guest(observed: &VmObserved, report: &VmmStatus, aim: &Aim, grants: &Grants, now: Timestamp) -> Option<Waiting> {
    if let Some(waiting) = &report.waiting {
        return Waiting::on(waiting.reason, waiting.message.clone());
    }
    let (requested, actual) = (report.requested(), report.actual());
    if requested == aim.size && actual == aim.size {
        return None;
    }
    if report.paused {
        return Waiting::on(Reason::Paused, "the VMM is paused; the guest follows when it resumes");
    }
    let granted = grants.current.as_ref().is_some_and(|grant| grant.pod_uid == report.pod_uid);
    if !granted && requested == aim.size {
        return booting(observed, aim, now);
    }
    if aim.stalled.is_some() {
        return Waiting::on(Reason::Stalled, format!("the guest has not followed to {} for some minutes", aim.size));
    }
    Waiting::on(Reason::WaitingForGuest, format!("the guest is following to {}", aim.size))
}

/// Nothing was ever granted: the guest takes up what its VM booted with, or never does.
fn booting(observed: &VmObserved, aim: &Aim, now: Timestamp) -> Option<Waiting> {
    if boots_too_long(observed, now) {
        let message =
            format!("the guest has not taken up {} within {} minutes of its boot", aim.size, BOOTS_WITHIN.as_mins());
        return Waiting::on(Reason::Stalled, message);
    }
    Waiting::on(Reason::Starting, format!("the guest boots and takes up {}", aim.size))
}

/// Stalled is told once the wait has been too long, and stays told until the guest follows.
fn boots_too_long(observed: &VmObserved, now: Timestamp) -> bool {
    let Some(resize) = &observed.status.resize else { return false };
    let waited = resize.reason_since.map(|since| now.duration_since(since));
    match resize.reason {
        Some(Reason::Stalled) => true,
        Some(Reason::Starting) => waited.is_some_and(|waited| waited >= BOOTS_WITHIN),
        Some(_) | None => false,
    }
}

fn lowering(observed: &VmObserved, pod: &PodObserved, needed: PodSize) -> Option<Waiting> {
    let same = |has: PodSize| has == needed;
    let agrees =
        pod.spec == needed && pod.allocated.is_some_and(same) && pod.actual.is_some_and(|has| close(has, needed));
    if agrees && pod.pending.is_none() && pod.in_progress.is_none() {
        return None;
    }
    if let Some(waiting) = refusal(observed, pod) {
        return Some(waiting);
    }
    if let Some(error) = pod.in_progress.as_ref().and_then(|progress| progress.error.as_ref()) {
        return Waiting::on(Reason::PodResizeError, format!("the kubelet cannot lower Pod {}: {error}", pod.name));
    }
    if let Some(pending) = pod.pending.as_ref().filter(|it| pod.caught_up() && it.reason == PendingReason::Infeasible) {
        let message = format!("the kubelet does not lower Pod {} to {needed}: {}", pod.name, pending.message);
        return Waiting::on(Reason::Infeasible, message);
    }
    Waiting::on(Reason::LoweringPod, format!("Pod {} is being lowered to {needed}", pod.name))
}

/// Runtimes round CPU to 10 ms of quota and to shares, so actual CPU is equal when it is at most 20 millis off; memory is exact.
fn close(has: PodSize, needed: PodSize) -> bool {
    const ROUNDING: u64 = 20;
    let near = |has: reef_api::MilliCpu, needed: reef_api::MilliCpu| has.0.abs_diff(needed.0) <= ROUNDING;
    near(has.cpu_limit, needed.cpu_limit) && near(has.cpu_request, needed.cpu_request) && has.memory == needed.memory
}
