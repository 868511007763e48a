//! When a VM that waits is looked at again, though nothing may be observed until then, and what has been waited for too long. Pure.

use crate::decide::observed::{PodObserved, VmObserved};
use crate::decide::progress::BOOTS_WITHIN;
use crate::decide::refused::holds;
use crate::decide::room::{TRIED_ALONE, due};
use crate::decide::stall;
use crate::decide::status::{Kind, Standing};
use crate::decide::target::Target;
use jiff::{SignedDuration, Timestamp};
use reef_api::Reason;
use reef_api::vm::{Refused, ResizeStatus};
use std::time::Duration;

/// The soonest of the moments at which something ends that the VM's status tells of.
pub fn look_again(
    target: &Target,
    observed: &VmObserved,
    resize: &ResizeStatus,
    standing: &Standing,
    now: Timestamp,
) -> Option<Duration> {
    let lease = target.vm.lease.duration();
    let since = resize.reason_since.unwrap_or(now);
    let deferred = standing.reason == Reason::Deferred && standing.kind == Kind::Moving;
    let lease_ends = deferred.then(|| lease_ends(resize, lease, now)).flatten();
    let refused = resize.refused.as_ref().filter(|refused| refused.reason == Reason::Deferred && holds(refused));
    let tried_again = refused.map(|refused| next_try(refused, observed, lease, now));
    let given_up = resize.stalled.as_ref().and_then(stall::ends);
    let resumed = resize.partial.as_ref().filter(|partial| stall::in_force(partial) && !partial.asked).map(stall::due);
    let boots = standing.reason == Reason::Starting;
    let boots_by = boots.then(|| since.saturating_add(BOOTS_WITHIN).ok()).flatten();
    let resized = standing.on_kubelet() && standing.kind == Kind::Moving;
    let resized_by = resized.then(|| since.saturating_add(RESIZES_WITHIN).ok()).flatten();
    let soonest = [lease_ends, tried_again, given_up, resumed, boots_by, resized_by].into_iter().flatten().min()?;
    Some(soon(soonest.duration_since(now).max(SignedDuration::ZERO)))
}

/// When a deferred wish is taken back. One whose lease has ended already is about another wish, and no reason to look again and again.
fn lease_ends(resize: &ResizeStatus, lease: SignedDuration, now: Timestamp) -> Option<Timestamp> {
    let retried = resize.refused.as_ref().and_then(|refused| refused.retried_at);
    let ends = resize.reason_since.max(retried)?.saturating_add(lease).ok().filter(|ends| *ends > now);
    ends.or_else(|| now.saturating_add(lease).ok())
}

/// How long a kubelet may take to carry out what it has not refused, before that is told: a busy one needs some seconds.
pub const RESIZES_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// A kubelet that has not carried out a resize for long will not by itself: people are told where to look. Nothing is taken back, because it may
/// still do it.
pub fn overdue(observed: &VmObserved, pod: &PodObserved, standing: Standing, now: Timestamp) -> Standing {
    let resize = observed.status.resize.as_ref().filter(|resize| resize.pod_uid == pod.uid);
    let since = resize.filter(|resize| resize.reason == Some(standing.reason)).and_then(|resize| resize.reason_since);
    let late = since.is_some_and(|since| now.duration_since(since) >= RESIZES_WITHIN);
    if !late || !standing.on_kubelet() || standing.kind != Kind::Moving {
        return standing;
    }
    let node = pod.node.as_deref().unwrap_or("its node");
    let message = format!(
        "{}, and the kubelet of {node} has not done it for more than {} minutes: look whether it runs, and what it logs about the Pod",
        standing.message,
        RESIZES_WITHIN.as_mins()
    );
    Standing { message, kind: Kind::Stuck, ..standing }
}

/// When it is due, or when another one of the node has had the time to try alone.
fn next_try(refused: &Refused, observed: &VmObserved, lease: SignedDuration, now: Timestamp) -> Timestamp {
    let due = due(refused, lease, now);
    let waiters = observed.neighbourhood.iter().flat_map(|neighbourhood| &neighbourhood.waiters);
    let alone =
        waiters.filter_map(|waiter| waiter.trying?.saturating_add(TRIED_ALONE).ok()).filter(|ends| *ends > now).min();
    // One that is due and not tried waits for its turn.
    let due = if due > now { due } else { now.saturating_add(TRIED_ALONE).unwrap_or(now) };
    alone.map_or(due, |alone| alone.min(due))
}

/// A little after the moment, so that the moment has passed when the VM is looked at.
pub fn soon(after: SignedDuration) -> Duration {
    after.unsigned_abs() + Duration::from_millis(100)
}
