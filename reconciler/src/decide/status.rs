//! The controller's part of a VM's status: phase, conditions, resize, history, and the events of a transition.
//!
//! Built anew from the view each time; what does not change keeps its times, so an unchanged VM yields an equal value.

use crate::decide::action::{ControllerStatus, PlannedEvent};
use crate::decide::observed::VmObserved;
use crate::decide::refused::holds;
use crate::decide::suspension::{self, suspended};
use crate::decide::target::{Target, TargetProblem};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use reef_api::condition::{READY, RECONCILING, RESIZABLE, RESIZED, STALLED, SUSPENDED, Truth, condition, find};
use reef_api::vm::{HistoryEntry, Outcome, ResizeStatus};
use reef_api::{EventName, Phase, Reason};

/// Sizes that `status.history` remembers.
pub const HISTORY_LIMIT: usize = 10;

/// Where a VM stands, in the words that its status is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Phase.
    pub phase: Phase,
    /// The word for programs.
    pub reason: Reason,
    /// The sentence for people.
    pub message: String,
    /// What kstatus should make of it.
    pub kind: Kind,
}

impl Standing {
    /// Whether it is the kubelet alone that is waited for.
    pub const fn on_kubelet(&self) -> bool {
        matches!(self.reason, Reason::RaisingPod | Reason::LoweringPod)
    }
}

/// What a standing means to somebody who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As the spec says.
    Good,
    /// On its way.
    Moving,
    /// It stays so until somebody does something.
    Stuck,
}

impl ControllerStatus {
    /// The controller's part of what the cluster has.
    pub fn observed(observed: &VmObserved) -> Self {
        let status = &observed.status;
        Self {
            phase: status.phase.unwrap_or_default(),
            node_name: status.node_name.clone(),
            pod_name: status.vm_pod_name.clone(),
            pod_uid: status.vm_pod_uid.clone(),
            resize: status.resize.clone(),
            history: status.history.clone(),
            conditions: own(&status.conditions),
        }
    }
}

/// Conditions of other types belong to others: applying ours neither takes them away nor should.
fn own(conditions: &[Condition]) -> Vec<Condition> {
    let types = [READY, RECONCILING, STALLED, RESIZED, RESIZABLE, SUSPENDED];
    in_order(conditions.iter().filter(|condition| types.contains(&condition.type_.as_str())).cloned().collect())
}

/// Conditions are a map by type: an API server keeps the order in which they once appeared, which is no difference.
fn in_order(mut conditions: Vec<Condition>) -> Vec<Condition> {
    conditions.sort_by(|one, other| one.type_.cmp(&other.type_));
    conditions
}

/// Conditions of a VM, by kstatus: what is abnormal is there only while it is true.
pub fn conditions(target: &Target, observed: &VmObserved, standing: &Standing, now: Timestamp) -> Vec<Condition> {
    let before = &observed.status.conditions;
    let make = |kind: &str, truth: Truth, reason: Reason, message: &str| {
        condition(kind, truth, reason, message, target.seen(), before, now)
    };
    let (reason, message) = (standing.reason, standing.message.as_str());
    let told = told_problem(target, standing);
    let good = Truth::of(standing.kind == Kind::Good && told.is_none());
    let (word, why) = told.as_ref().map_or((reason, message), |told| (told.reason, told.message.as_str()));
    let mut conditions = vec![make(READY, good, word, why)];
    conditions.extend(target.hold.iter().map(|hold| suspended(&hold.suspended, target.seen(), before, now)));
    match standing.kind {
        Kind::Good => {}
        Kind::Moving => conditions.push(make(RECONCILING, Truth::True, reason, message)),
        Kind::Stuck => conditions.push(make(STALLED, Truth::True, reason, message)),
    }
    if !matches!(standing.phase, Phase::Pending | Phase::Scheduling | Phase::Scheduled) {
        conditions.push(make(RESIZED, Truth::of(standing.kind == Kind::Good), reason, message));
        let restart = reason == Reason::RestartRequired;
        let (why, text) = if restart { (reason, message) } else { (Reason::Applied, "within what the VM booted with") };
        conditions.push(make(RESIZABLE, Truth::of(!restart), why, text));
    }
    in_order(conditions)
}

/// What `Ready` tells instead of the standing: a suspension, or, once the VM is otherwise good, a problem with the spec that changes nothing about the
/// resize.
fn told_problem(target: &Target, standing: &Standing) -> Option<TargetProblem> {
    let problem = target.problem.as_ref().filter(|_| standing.kind == Kind::Good);
    match (suspension::told(target, standing), problem) {
        (None, problem) => problem.cloned(),
        (Some(message), None) => Some(TargetProblem { reason: Reason::Suspended, message }),
        // What waits behind a suspension says itself who suspended it.
        (Some(message), Some(problem)) => {
            let message = if problem.reason == Reason::Suspended {
                problem.message.clone()
            } else {
                format!("{message}; {}", problem.message)
            };
            Some(TargetProblem { reason: Reason::Suspended, message })
        }
    }
}

/// The history after this decision: a new target opens an entry, an end closes it.
pub fn history(observed: &VmObserved, resize: &ResizeStatus, standing: &Standing, now: Timestamp) -> Vec<HistoryEntry> {
    let mut entries = observed.status.history.clone();
    let fits = |entry: &HistoryEntry| entry.target == resize.target && entry.pod_uid == resize.pod_uid;
    let reopened = observed.status.resize.as_ref().is_none_or(|before| before.target != resize.target);
    if reopened || !entries.last().is_some_and(fits) {
        close_last(&mut entries, resize, now);
        entries.push(HistoryEntry {
            pod_uid: resize.pod_uid.clone(),
            generation: resize.generation,
            revision: resize.revision.clone(),
            target: resize.target,
            outcome: Outcome::InProgress,
            started_at: now,
            granted_at: None,
            finished_at: None,
        });
    }
    if let Some(last) = entries.last_mut() {
        advance(last, resize, standing, now);
    }
    let surplus = entries.len().saturating_sub(HISTORY_LIMIT);
    entries.drain(..surplus);
    entries
}

fn close_last(entries: &mut [HistoryEntry], resize: &ResizeStatus, now: Timestamp) {
    if let Some(last) = entries.last_mut().filter(|last| last.outcome == Outcome::InProgress) {
        last.outcome = if last.pod_uid == resize.pod_uid { Outcome::Superseded } else { Outcome::Ended };
        last.finished_at = Some(now);
    }
}

fn advance(last: &mut HistoryEntry, resize: &ResizeStatus, standing: &Standing, now: Timestamp) {
    last.generation = resize.generation;
    last.revision.clone_from(&resize.revision);
    let granted =
        resize.grant.as_ref().is_some_and(|grant| grant.pod_uid == resize.pod_uid && grant.size() == resize.target);
    if granted && last.granted_at.is_none() {
        last.granted_at = Some(now);
    }
    let outcome = match (standing.kind, standing.reason) {
        (Kind::Good, _) => Outcome::Settled,
        // A Pod that is not lowered takes nothing from a VM that has its size.
        (_, Reason::Infeasible) if resize.aim != resize.target => Outcome::Infeasible,
        (Kind::Stuck, Reason::Deferred) => Outcome::Deferred,
        (_, Reason::RestartRequired) => Outcome::RestartRequired,
        (_, Reason::Partial) => Outcome::Partial,
        // A size that settled once stays so: what moves afterwards is the guest's or the node's doing.
        _ if last.outcome == Outcome::Settled => Outcome::Settled,
        _ => Outcome::InProgress,
    };
    if outcome != last.outcome {
        last.outcome = outcome;
        last.finished_at = (outcome != Outcome::InProgress).then_some(now);
    }
}

/// Events of the transition from the status that is there to the one that is written.
pub fn events(
    target: &Target,
    observed: &VmObserved,
    next: &ResizeStatus,
    standing: &Standing,
    now: Timestamp,
) -> Vec<PlannedEvent> {
    let before = observed.status.resize.as_ref();
    let mut names = Vec::new();
    let same_pod = before.is_some_and(|before| before.pod_uid == next.pod_uid);
    if before.is_some_and(|before| before.target != next.target) && same_pod {
        names.push((EventName::VMResizeInitiated, initiated(before, next)));
    }
    let granted = |resize: &ResizeStatus| resize.grant.as_ref().map(|grant| grant.seq);
    if let Some(grant) = next.grant.as_ref().filter(|grant| before.and_then(granted) != Some(grant.seq)) {
        names.push((EventName::VMResizeInProgress, format!("the VMM may be asked for {}", grant.size())));
    }
    // A wish that is taken back after it was deferred keeps its reason: what is new is the refusal.
    let in_force = |resize: &ResizeStatus| resize.refused.clone().filter(holds);
    let given_up = in_force(next).is_some() && before.and_then(in_force) != in_force(next);
    if given_up || before.and_then(|before| before.reason) != Some(standing.reason) {
        names.extend(transition(before, next, standing, same_pod).map(|name| (name, standing.message.clone())));
    }
    if let Some(message) = newly_blocked(target, observed, standing) {
        names.push((EventName::VMResizeBlocked, message));
    }
    if overdue(observed, standing) {
        names.push((EventName::VMResizeStalled, standing.message.clone()));
    }
    let event = |(name, message)| PlannedEvent { name, generation: target.generation, message, at: now };
    names.into_iter().map(event).collect()
}

/// What a policy forbids, where `Ready` tells it now and did not before.
fn newly_blocked(target: &Target, observed: &VmObserved, standing: &Standing) -> Option<String> {
    let told = told_problem(target, standing).filter(|problem| problem.reason == Reason::Blocked)?;
    let before = find(&observed.status.conditions, READY).is_some_and(|ready| ready.message == told.message);
    (!before).then_some(told.message)
}

/// Whether a kubelet has just become too late.
fn overdue(observed: &VmObserved, standing: &Standing) -> bool {
    let stalled = find(&observed.status.conditions, STALLED).is_some_and(|stalled| stalled.status == "True");
    standing.on_kubelet() && standing.kind == Kind::Stuck && !stalled
}

fn initiated(before: Option<&ResizeStatus>, next: &ResizeStatus) -> String {
    let from = before.map(|before| before.target.to_string()).unwrap_or_default();
    let commit = next.revision.as_ref().map(|revision| format!(", asked for by commit {revision}")).unwrap_or_default();
    format!("resize from {from} to {}{commit}", next.target)
}

fn transition(
    before: Option<&ResizeStatus>,
    next: &ResizeStatus,
    standing: &Standing,
    same_pod: bool,
) -> Option<EventName> {
    match standing.reason {
        Reason::Settled => {
            let was_moving = before.and_then(|before| before.reason) != Some(Reason::Starting);
            (same_pod && was_moving && next.aim == next.target).then_some(EventName::VMResizeCompleted)
        }
        Reason::RaisingPod => Some(EventName::VMResizePodInitiated),
        Reason::Infeasible => Some(EventName::VMPodResizeInfeasible),
        Reason::Deferred if standing.kind == Kind::Stuck => Some(EventName::VMResizeReverted),
        Reason::Deferred => Some(EventName::VMPodResizeDeferred),
        Reason::GuestPressure => Some(EventName::VMGuestPressure),
        Reason::Stalled => Some(EventName::VMResizeStalled),
        Reason::Partial => Some(EventName::VMResizePartial),
        Reason::PodConflict => Some(EventName::VMPodConflict),
        Reason::RestartRequired => Some(EventName::VMRestartRequired),
        Reason::Invalid | Reason::PolicyConflict => Some(EventName::VMInvalid),
        Reason::VmmRefused | Reason::QuotaExceeded | Reason::AdmissionDenied | Reason::Forbidden => {
            Some(EventName::VMResizeFailed)
        }
        _ => None,
    }
}
