//! The life of a VM's Pod: when it is created, waited for, deleted or left alone, by `spec.runPolicy`.
//!
//! Every boot is a new Pod (`restartPolicy: Never`), so that no old size ever comes back. A new one is created only when none of before can run
//! any more: two Pods of one VM would write to one disk.

use crate::decide::asked::restarts;
use crate::decide::observed::{PodObserved, PodPhase, VmObserved};
use crate::decide::target::Target;
use jiff::{SignedDuration, Timestamp};
use reef_api::condition::{READY, RESIZED, find};
use reef_api::names::RESTART_ANNOTATION;
use reef_api::vm::RunPolicy;
use reef_api::{Phase, Reason};

/// How long a VM that failed stays down before it is started again.
pub const RESTART_DELAY: SignedDuration = SignedDuration::from_secs(10);
/// The longest pause between two attempts to boot a VM.
pub const LONGEST_BOOT_DELAY: SignedDuration = SignedDuration::from_secs(300);

/// Where the VM's Pod is, and what its life asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Life<'a> {
    /// The Pod runs: its size is the pipeline's.
    Runs(&'a PodObserved),
    /// The Pod is to be created.
    Create,
    /// This Pod is to be deleted.
    Delete(&'a PodObserved, State),
    /// This Pod waits for a node and was made for another spec: it is to be deleted, unless it has been placed meanwhile, and made anew.
    Replace(&'a PodObserved),
    /// Nothing to do but wait.
    Wait(State),
    /// The VM is at its end, or does not run because it should not.
    Rests(State),
}

/// What a VM that does not run tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Phase.
    pub phase: Phase,
    /// The word for programs.
    pub reason: Reason,
    /// The sentence for people.
    pub message: String,
}

impl State {
    fn new(phase: Phase, reason: Reason, message: impl Into<String>) -> Self {
        Self { phase, reason, message: message.into() }
    }
}

/// Decides about the life of the VM's Pod.
pub fn life<'a>(target: &Target, observed: &'a VmObserved, now: Timestamp) -> Life<'a> {
    let policy = target.vm.run_policy;
    if let Some(pod) = observed.pods.iter().find(|pod| pod.deleting) {
        let message = format!("Pod {} is being deleted; nothing is started before it is gone", pod.name);
        return Life::Wait(State::new(Phase::Pending, Reason::Stopping, message));
    }
    match observed.pod() {
        Some(pod) if pod.alive() => alive(target, pod, observed),
        Some(pod) if restarts(target, pod) => restarted(pod),
        Some(pod) => ended(policy, pod, observed, now),
        None => absent(target, observed),
    }
}

fn alive<'a>(target: &Target, pod: &'a PodObserved, observed: &'a VmObserved) -> Life<'a> {
    if target.vm.run_policy == RunPolicy::Halted {
        return Life::Delete(pod, halted("the VM is being stopped by spec.runPolicy Halted"));
    }
    if restarts(target, pod) {
        return restarted(pod);
    }
    let Some(node) = &pod.node else {
        if is_outdated(target, pod) {
            return Life::Replace(pod);
        }
        let why = pod.unschedulable.as_deref().unwrap_or("the scheduler has not placed the Pod yet");
        return Life::Wait(State::new(Phase::Scheduling, Reason::Scheduling, why));
    };
    match (pod.phase, observed.report()) {
        (PodPhase::Running, Some(_)) => Life::Runs(pod),
        (PodPhase::Running, None) => starting(format!("waits for the daemon on node {node} to report the VMM")),
        (PodPhase::Pending | PodPhase::Unknown | PodPhase::Succeeded | PodPhase::Failed, _) => {
            let trouble = pod.trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
            starting(format!("waits for the kubelet on node {node} to start Pod {}{trouble}", pod.name))
        }
    }
}

/// A VM that people want started anew goes first: its next Pod is made when this one is gone.
fn restarted(pod: &PodObserved) -> Life<'_> {
    let message = format!("the VM is started anew, as {RESTART_ANNOTATION} asks for; Pod {} goes first", pod.name);
    Life::Delete(pod, State::new(Phase::Pending, Reason::Stopping, message))
}

/// Whether a Pod that nothing has run in yet was made for another spec than the present one. A Pod that says nothing of it is left.
fn is_outdated(target: &Target, pod: &PodObserved) -> bool {
    let starts = target.vm.run_policy != RunPolicy::Manual;
    target.is_usable()
        && starts
        && target.hold.is_none()
        && pod.made_for.is_some_and(|generation| generation != target.generation)
}

/// What a VM tells whose Pod is made anew before it has been placed.
pub fn replacing(pod: &PodObserved) -> State {
    let message = format!("Pod {} has found no node and was made for an earlier spec; it is made anew", pod.name);
    State::new(Phase::Pending, Reason::CreatingPod, message)
}

/// Whether the last Pod of a VM went because it is made anew: the VM says so before it goes, and has not run in it.
fn is_replaced(observed: &VmObserved) -> bool {
    find(&observed.status.conditions, READY).is_some_and(|ready| ready.reason == Reason::CreatingPod.as_str())
}

fn starting<'a>(message: String) -> Life<'a> {
    Life::Wait(State::new(Phase::Scheduled, Reason::Starting, message))
}

fn halted(message: &str) -> State {
    State::new(Phase::Pending, Reason::Halted, message)
}

fn ended<'a>(policy: RunPolicy, pod: &'a PodObserved, observed: &'a VmObserved, now: Timestamp) -> Life<'a> {
    let failed = pod.phase != PodPhase::Succeeded;
    let phase = if failed { Phase::Failed } else { Phase::Succeeded };
    let why = pod.trouble.clone().unwrap_or_else(|| if failed { "failed" } else { "the guest shut down" }.to_owned());
    let state = if pod.unbooted {
        State::new(phase, Reason::BootFailed, format!("Pod {} could not boot the VM: {why}", pod.name))
    } else {
        State::new(phase, Reason::Ended, format!("Pod {} ended: {why}", pod.name))
    };
    let again = match policy {
        RunPolicy::Always => true,
        RunPolicy::RerunOnFailure => failed,
        RunPolicy::Halted => return Life::Delete(pod, halted("stopped by spec.runPolicy Halted")),
        RunPolicy::Once | RunPolicy::Manual => false,
    };
    if !again {
        return Life::Rests(state);
    }
    let waited = told_since(state.reason, observed, now);
    let pause = if pod.unbooted { boot_pause(observed) } else { RESTART_DELAY };
    if waited.is_some_and(|waited| waited >= pause) { Life::Delete(pod, state) } else { Life::Wait(state) }
}

/// How long the VM's conditions have said that it ended, at most: `Resized` is not there while a Pod is on its way, so it is as old as the run
/// that ended and no older. `Ready` has been False for longer where a VM fails again and again.
fn told_since(reason: Reason, observed: &VmObserved, now: Timestamp) -> Option<SignedDuration> {
    let resized = find(&observed.status.conditions, RESIZED)?;
    let told = resized.reason == reason.as_str();
    told.then(|| now.duration_since(resized.last_transition_time.0))
}

/// What could not be booted is tried again after as long as it has not run by then, so that the pauses double. No count is kept: both times
/// are in the conditions.
fn boot_pause(observed: &VmObserved) -> SignedDuration {
    let since = |kind| find(&observed.status.conditions, kind).map(|found| found.last_transition_time.0);
    let failing = since(READY).zip(since(RESIZED)).map(|(unready, failed)| failed.duration_since(unready));
    failing.unwrap_or(RESTART_DELAY).clamp(RESTART_DELAY, LONGEST_BOOT_DELAY)
}

fn absent<'a>(target: &Target, observed: &VmObserved) -> Life<'a> {
    let had_one = observed.status.vm_pod_uid.is_some();
    if target.vm.run_policy == RunPolicy::Halted {
        return Life::Rests(halted("the VM does not run: spec.runPolicy is Halted"));
    }
    if let Some(problem) = target.problem.as_ref().filter(|problem| problem.spoils_size()) {
        return Life::Rests(State::new(Phase::Pending, problem.reason, problem.message.clone()));
    }
    match target.vm.run_policy {
        RunPolicy::Manual => {
            let message = "the VM does not run, and spec.runPolicy Manual starts nothing";
            Life::Rests(State::new(Phase::Pending, Reason::Halted, message))
        }
        RunPolicy::Once if had_one && !is_replaced(observed) => Life::Rests(State::new(
            Phase::Failed,
            Reason::Ended,
            "the VM's Pod was deleted, and spec.runPolicy Once starts it only once; set Always or RerunOnFailure to start it again",
        )),
        RunPolicy::Always | RunPolicy::RerunOnFailure | RunPolicy::Once | RunPolicy::Halted => unless_left(observed),
    }
}

/// A VM that was deleted and created again under its name meets the Pod of the first one, which takes its time to go.
fn unless_left<'a>(observed: &VmObserved) -> Life<'a> {
    let Some(left) = observed.leftovers.first() else { return Life::Create };
    let message = format!(
        "Pod {left} of an earlier VM of this name may still run; nothing is started before it has ended, delete it if it stays"
    );
    Life::Wait(State::new(Phase::Pending, Reason::Stopping, message))
}
