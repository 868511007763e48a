//! `next`: one action for one VM, from what is observed.
//!
//! ```text
//! life ─► not running: status, create or delete the Pod
//!      └► running: aim ─► grants (rule 2) ─► waiting (rule 4) ─► status, else the Pod's wish (rule 1)
//! ```
//! A status is written before the Pod is touched, so that the target is pinned before anything moves. No step is remembered: after a crash the same
//! view gives the same action.

use crate::decide::action::{Action, ControllerStatus, PlannedEvent, Step};
use crate::decide::aim::{Aim, Short, aim};
use crate::decide::contest::{contest, holding, least};
use crate::decide::grant::{Grants, Raise, granted, grants};
use crate::decide::held::{held, kept, wish};
use crate::decide::life::{Life, RESTART_DELAY, State, life, replacing};
use crate::decide::observed::{PodObserved, Refusal, RefusalKind, VmObserved};
use crate::decide::pod::pod;
use crate::decide::progress::{Waiting, waiting};
use crate::decide::refused::holds;
use crate::decide::status::{Kind, Standing, conditions, events, history};
use crate::decide::suspension;
use crate::decide::target::Target;
use crate::decide::waits::{self, look_again};
use jiff::Timestamp;
use reef_api::vm::{ResizeStatus, VmmStatus};
use reef_api::{EventName, Phase, PodSize, Reason, Size, condition};
use std::time::Duration;

/// Decides the next action for a VM.
pub fn next(target: &Target, observed: &VmObserved, now: Timestamp) -> Step {
    if observed.deleting {
        return Step { action: Action::Rest, waiting_on: Some(Reason::Stopping), look_again: None };
    }
    let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
    match life(target, observed, now) {
        Life::Runs(pod) => match observed.report() {
            Some(report) => running(target, observed, pod, report, now),
            None => Step { action: Action::Rest, waiting_on: Some(Reason::Starting), look_again: None },
        },
        Life::Create => create(target, observed, now),
        Life::Delete(pod, state) => {
            let action = Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone(), resource_version: None };
            idle(target, observed, state, Kind::Moving, action, now)
        }
        Life::Replace(pod) => {
            let resource_version = Some(pod.resource_version.clone());
            let action = Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone(), resource_version };
            idle(target, observed, replacing(pod), Kind::Moving, action, now)
        }
        Life::Wait(state) => idle(target, observed, state, Kind::Moving, Action::Rest, now),
        Life::Rests(state) => {
            let kind = if state.reason == Reason::Halted || state.phase == Phase::Succeeded {
                Kind::Good
            } else {
                Kind::Stuck
            };
            idle(target, observed, state, kind, Action::Rest, now)
        }
    }
}

fn create(target: &Target, observed: &VmObserved, now: Timestamp) -> Step {
    let (state, kind) = match uncreated(observed) {
        Some(state) => (state, Kind::Stuck),
        None => still_uncreated(target, observed).map_or_else(creating, |state| (state, Kind::Stuck)),
    };
    let refused = observed.refusal.as_ref().is_some_and(|refusal| refusal.pod_uid.is_empty());
    let action = if refused { Action::Rest } else { Action::CreatePod(Box::new(pod(target, observed))) };
    idle(target, observed, state, kind, action, now)
}

fn creating() -> (State, Kind) {
    let message = "the VM's Pod is being created".to_owned();
    (State { phase: Phase::Pending, reason: Reason::CreatingPod, message }, Kind::Moving)
}

/// Why the API server does not take the VM's Pod.
fn uncreated(observed: &VmObserved) -> Option<State> {
    let refusal = observed.refusal.as_ref().filter(|refusal| refusal.pod_uid.is_empty())?;
    let reason = match refusal.kind {
        RefusalKind::NodeCapacity => Reason::Infeasible,
        RefusalKind::Quota => Reason::QuotaExceeded,
        RefusalKind::Admission => Reason::AdmissionDenied,
        RefusalKind::Forbidden => Reason::Forbidden,
        RefusalKind::Unsupported => Reason::Unsupported,
        RefusalKind::Invalid => Reason::Invalid,
    };
    let message = format!("{UNCREATED}: {}; it is tried again from time to time", refusal.message);
    Some(State { phase: Phase::Pending, reason, message })
}

/// While a creation that was refused is tried again, the refusal stays told.
fn still_uncreated(target: &Target, observed: &VmObserved) -> Option<State> {
    let ready = condition::find(&observed.status.conditions, condition::READY)?;
    let told = ready.observed_generation == Some(target.seen()) && ready.message.starts_with(UNCREATED);
    let reason = Reason::ALL.iter().find(|reason| reason.as_str() == ready.reason).filter(|_| told)?;
    Some(State { phase: Phase::Pending, reason: *reason, message: ready.message.clone() })
}

/// How the sentence about a Pod begins that the API server does not take.
const UNCREATED: &str = "the API server refuses to create the VM's Pod";

/// A VM that does not run: its status first, then what its life asks for.
fn idle(target: &Target, observed: &VmObserved, state: State, kind: Kind, action: Action, now: Timestamp) -> Step {
    let standing = Standing { phase: state.phase, reason: state.reason, message: state.message, kind };
    let current = observed.pod().filter(|pod| pod.alive());
    let status = ControllerStatus {
        phase: standing.phase,
        node_name: current.and_then(|pod| pod.node.clone()),
        pod_name: current.map(|pod| pod.name.clone()).or_else(|| observed.status.vm_pod_name.clone()),
        pod_uid: current.map(|pod| pod.uid.clone()).or_else(|| observed.status.vm_pod_uid.clone()),
        resize: observed.status.resize.clone(),
        history: observed.status.history.clone(),
        conditions: conditions(target, observed, &standing, now),
    };
    let pauses = matches!(standing.reason, Reason::Ended | Reason::BootFailed) && kind == Kind::Moving;
    let look_again = pauses.then(|| waits::soon(RESTART_DELAY));
    let failed = (standing.reason == Reason::BootFailed).then(|| PlannedEvent {
        name: EventName::VMBootFailed,
        generation: target.generation,
        message: standing.message.clone(),
        at: now,
    });
    write_or(observed, status, failed.into_iter().collect(), action, &standing, look_again, now)
}

/// A VM that runs: rules 1, 2 and 4.
fn running(target: &Target, observed: &VmObserved, pod: &PodObserved, report: &VmmStatus, now: Timestamp) -> Step {
    let contest = contest(target, observed, pod);
    let aim = aim(target, observed, pod, now);
    let aim = match contest {
        Some(contest) => holding(contest, pod, granted(observed, pod, report), aim),
        None => aim,
    };
    let frozen = frozen(target, observed);
    let grants = if frozen {
        standing_grants(observed)
    } else {
        grants(&target.vm, observed, pod, report, toward(&aim, granted(observed, pod, report)))
    };
    let raise = grants.raise;
    let waiting = match contest {
        Some(_) => None,
        None => waiting(target, observed, pod, report, &aim, &grants, now),
    };
    let standing = steady(target, observed, standing(&aim, waiting));
    let wish = resize_pod(target, observed, pod, &aim, standing.reason);
    let standing = if wish == Action::Rest { waits::overdue(observed, pod, standing, now) } else { standing };
    let resize = resize(target, observed, pod, &aim, grants, &standing, now);
    let events = events(target, observed, &resize, &standing, now);
    let look_again = look_again(target, observed, &resize, &standing, now);
    let status = ControllerStatus {
        phase: standing.phase,
        node_name: pod.node.clone(),
        pod_name: Some(pod.name.clone()),
        pod_uid: Some(pod.uid.clone()),
        history: history(observed, &resize, &standing, now),
        conditions: conditions(target, observed, &standing, now),
        resize: Some(resize),
    };
    let action = match (frozen, wish) {
        (true, _) => cover(target, observed, pod),
        (false, Action::Rest) if raise == Raise::Unread => Action::ReadPod { name: pod.name.clone() },
        (false, action) => action,
    };
    write_or(observed, status, events, action, &standing, look_again, now)
}

/// What the grants go to. While a node is asked again for room that it has refused, nothing is taken from the guest: the node resizes all of a Pod or
/// nothing, and where it refuses again all of that would have to be given back. What only shrinks needs no room.
fn toward(aim: &Aim, granted: Size) -> Size {
    let most = aim.size.max(granted);
    let asked_again = aim.short.is_none() && aim.refused.is_some();
    if asked_again && most != granted { most } else { aim.size }
}

/// No VM is moved while its node is lost, or while not even the Pod's size can be told.
fn frozen(target: &Target, observed: &VmObserved) -> bool {
    observed.node.as_ref().is_some_and(|node| !node.ready) || target.holds_everything()
}

fn standing_grants(observed: &VmObserved) -> Grants {
    let resize = observed.status.resize.as_ref();
    Grants {
        current: resize.and_then(|resize| resize.grant.clone()),
        outstanding: resize.map(|resize| resize.outstanding.clone()).unwrap_or_default(),
        raise: Raise::Settled,
    }
}

/// Rule 1: the Pod's wish is what the VM may hold or is to get, whichever is larger. While the guest is following, nothing is lowered yet: one patch
/// at the end does what one for each block would. A wish that the API server refused is not repeated; a Pod that somebody has lowered below its VM is
/// put back all the same.
fn resize_pod(target: &Target, observed: &VmObserved, pod: &PodObserved, aim: &Aim, reason: Reason) -> Action {
    let Some(held) = held(observed) else { return Action::Rest };
    let least = least(pod, wish(&target.vm, pod, held));
    let contested = contest(target, observed, pod).is_some();
    let wish = if contested { least } else { wish_of(target, pod, held, aim) };
    let wish = if following(reason) { wish.max(pod.spec) } else { wish };
    // A growth that was refused stays refused, whatever else of the wish has changed since.
    let refusal = refusal(target, observed, pod);
    let refused = refusal.is_some() && aim.short.is_none() || refuses(refusal, wish);
    wished(target, observed, pod, if refused { least } else { wish })
}

/// Of a Pod that is left alone only that is put back which somebody has taken of what the VM may hold and its node has set aside for it: a kubelet that
/// comes back acts on the Pod as it finds it.
fn cover(target: &Target, observed: &VmObserved, pod: &PodObserved) -> Action {
    match held(observed).filter(|_| !target.holds_everything()) {
        Some(held) => wished(target, observed, pod, least(pod, kept(pod, wish(&target.vm, pod, held)))),
        None => Action::Rest,
    }
}

/// What the API server has refused of this Pod and generation.
fn refusal<'a>(target: &Target, observed: &'a VmObserved, pod: &PodObserved) -> Option<&'a Refusal> {
    observed.refusal.as_ref().filter(|refusal| refusal.pod_uid == pod.uid && refusal.generation == target.generation)
}

fn refuses(refusal: Option<&Refusal>, wish: PodSize) -> bool {
    refusal.is_some_and(|refusal| refusal.wishes.contains(&wish))
}

fn wished(target: &Target, observed: &VmObserved, pod: &PodObserved, wish: PodSize) -> Action {
    if pod.spec == wish || refuses(refusal(target, observed, pod), wish) {
        return Action::Rest;
    }
    Action::ResizePod {
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        resource_version: pod.resource_version.clone(),
        wish,
    }
}

/// The wish for what the VM may hold and what it is to get. Where that very wish was refused, though the VM is not to grow (its overhead or its
/// stated resources have grown), the Pod keeps what its node has set aside: a wish that is not met starves others.
fn wish_of(target: &Target, pod: &PodObserved, held: Size, aim: &Aim) -> PodSize {
    let needed = wish(&target.vm, pod, held.max(aim.size));
    let refused = aim.refused.as_ref().is_some_and(holds) && needed == wish(&target.vm, pod, held.max(target.vm.size));
    if refused { kept(pod, needed) } else { needed }
}

/// Whether the VM is on its way, so that what it may hold is about to change again. A removal of vCPUs that is pending may be so for ever, and what
/// is free of memory meanwhile is the node's.
fn following(reason: Reason) -> bool {
    matches!(reason, Reason::RaisingPod | Reason::WaitingForDaemon | Reason::WaitingForGuest)
}

fn standing(aim: &Aim, waiting: Option<Waiting>) -> Standing {
    let phase = waiting.as_ref().map_or(Phase::Running, |waiting| phase(waiting.reason));
    match (&aim.short, waiting) {
        (Some(Short { reason, message }), _) => {
            Standing { phase, reason: *reason, message: message.clone(), kind: Kind::Stuck }
        }
        (None, Some(Waiting { reason, message })) => Standing { phase, reason, message, kind: kind(reason) },
        (None, None) => {
            let message = format!("the guest has {}, and the Pod agrees", aim.size);
            Standing { phase, reason: Reason::Settled, message, kind: Kind::Good }
        }
    }
}

/// A kubelet that cannot lower a Pod tells the use of each moment: where nothing but digits has changed the sentence of before stays.
fn steady(target: &Target, observed: &VmObserved, standing: Standing) -> Standing {
    let words = |text: &str| text.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
    let before = condition::find(&observed.status.conditions, condition::RESIZED).filter(|before| {
        standing.reason == Reason::PodResizeError
            && before.reason == standing.reason.as_str()
            && before.observed_generation == Some(target.seen())
            && words(&before.message) == words(&standing.message)
    });
    let message = before.map(|before| before.message.clone());
    Standing { message: message.unwrap_or(standing.message), ..standing }
}

/// The phase in which a VM waits for something.
fn phase(reason: Reason) -> Phase {
    match reason {
        Reason::RaisingPod
        | Reason::Deferred
        | Reason::PodResizeError
        | Reason::LoweringPod
        | Reason::QuotaExceeded
        | Reason::AdmissionDenied
        | Reason::Forbidden
        | Reason::Unsupported => Phase::PodResizeInProgress,
        Reason::WaitingForDaemon | Reason::WaitingForGuest | Reason::CpuRemovalPending => Phase::ResizeInProgress,
        Reason::Paused => Phase::Paused,
        Reason::NodeLost | Reason::VmmUnreachable => Phase::Unknown,
        _ => Phase::Running,
    }
}

fn kind(reason: Reason) -> Kind {
    match reason {
        Reason::Stalled
        | Reason::Partial
        | Reason::Infeasible
        | Reason::VmmRefused
        | Reason::QuotaExceeded
        | Reason::AdmissionDenied
        | Reason::Forbidden
        | Reason::Unsupported => Kind::Stuck,
        _ => Kind::Moving,
    }
}

fn resize(
    target: &Target,
    observed: &VmObserved,
    pod: &PodObserved,
    aim: &Aim,
    grants: Grants,
    standing: &Standing,
    now: Timestamp,
) -> ResizeStatus {
    let before = observed.status.resize.as_ref();
    let same_pod = before.filter(|before| before.pod_uid == pod.uid);
    let spoilt = !target.is_usable();
    let pinned = before.filter(|_| spoilt);
    let size = pinned.map_or(if spoilt { aim.size } else { target.vm.size }, |before| before.target);
    let same = same_pod.filter(|before| before.target == size);
    let generation = pinned.map_or(target.generation, |before| before.generation);
    let goes_on = |before: &&ResizeStatus| before.reason == Some(standing.reason) && before.generation == generation;
    let reason_since = same.filter(goes_on).and_then(|before| before.reason_since);
    ResizeStatus {
        pod_uid: pod.uid.clone(),
        generation,
        revision: pinned.map_or_else(|| target.revision.clone(), |before| before.revision.clone()),
        target: size,
        aim: aim.size,
        grant: grants.current,
        outstanding: grants.outstanding,
        reason: Some(standing.reason),
        started_at: same.and_then(|before| before.started_at).or(Some(now)),
        // A time that is still to come was written by a clock that was wrong: what is counted from it begins anew.
        reason_since: Some(reason_since.map_or(now, |since| since.min(now))),
        refused: aim.refused.clone(),
        stalled: aim.stalled.clone(),
        partial: aim.partial.clone(),
        retry_handled: target.asked.retry.clone(),
        settle_handled: target.asked.settle.clone(),
    }
}

fn write_or(
    observed: &VmObserved,
    status: ControllerStatus,
    events: Vec<PlannedEvent>,
    action: Action,
    standing: &Standing,
    look_again: Option<Duration>,
    now: Timestamp,
) -> Step {
    let waiting_on = (standing.kind != Kind::Good).then_some(standing.reason);
    let before = ControllerStatus::observed(observed);
    let action = if status == before {
        action
    } else {
        let names = [EventName::VMSuspended, EventName::VMResumed];
        let suspension = suspension::events(names, &before.conditions, &status.conditions, now);
        let events = events.into_iter().chain(suspension).collect();
        Action::WriteStatus { status: Box::new(status), events }
    };
    Step { action, waiting_on, look_again }
}
