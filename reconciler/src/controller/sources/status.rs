//! The status of a source, from what is known of it. Pure; an unchanged source yields an equal value.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use reef_api::Reason;
use reef_api::condition::{READY, RECONCILING, STALLED, Truth, condition};
use reef_api::source::{GitSourceStatus, RemovedObject, SourceProblem};

use super::held::Source;
use crate::decide::suspension::suspended;
use crate::desired::{self, Desired, Problem};
use crate::source::Retry;

/// Problems that a status lists; more are counted.
const PROBLEMS: usize = 20;
/// Removed objects that a status lists; more are counted.
const REMOVED: usize = 500;
/// Characters of one problem's text.
const PROBLEM_TEXT: usize = 1000;

/// What is known beside the source itself.
pub(in crate::controller) struct Told<'a> {
    /// Generation of the GitSource.
    pub(in crate::controller) generation: i64,
    /// The status that is there.
    pub(in crate::controller) before: &'a GitSourceStatus,
    /// Objects of the tip that could not be applied.
    pub(in crate::controller) unapplied: Vec<SourceProblem>,
    /// What the source has applied, no longer states, and is still there.
    pub(in crate::controller) removed: Vec<RemovedObject>,
    /// What is wrong with the spec, though it can be followed.
    pub(in crate::controller) remark: Option<String>,
    /// The time.
    pub(in crate::controller) now: Timestamp,
}

/// Builds the status.
pub(in crate::controller) fn status(source: &Source, told: &Told<'_>) -> GitSourceStatus {
    let before = told.before;
    let read = source.snapshot.is_some();
    let applied = read && source.applies && source.pending.is_empty();
    let problems = problems(&source.desired, &told.unapplied);
    let standing = standing(source, told, problems.len());
    let commit = |commit: Option<&String>, before: &Option<String>| commit.cloned().or_else(|| before.clone());
    GitSourceStatus {
        observed_generation: Some(told.generation),
        observed_commit: commit(source.snapshot.as_ref().map(|tip| &tip.commit.id), &before.observed_commit),
        applied_commit: commit(applied.then_some(&source.desired.commit), &before.applied_commit),
        last_handled_reconcile_at: source.handled.clone(),
        plan: source.plan.clone().filter(|_| !source.applies),
        removed: told.removed.iter().take(REMOVED).cloned().collect(),
        problems: if read { shortened(problems) } else { before.problems.clone() },
        conditions: conditions(source, &standing, told),
    }
}

struct Standing {
    ready: bool,
    reason: Reason,
    message: String,
    /// The condition beside `Ready`, where there is one.
    beside: Option<&'static str>,
}

fn standing(source: &Source, told: &Told<'_>, problems: usize) -> Standing {
    if let Some(trouble) = &source.trouble {
        let beside = match trouble.retry() {
            Retry::Backoff => RECONCILING,
            Retry::AfterChange => STALLED,
        };
        let kept = source.snapshot.as_ref().map(|tip| format!("; what commit {} states still holds", tip.commit.id));
        let message = format!("{trouble}{}", kept.unwrap_or_default());
        return Standing { ready: false, reason: trouble.reason(), message, beside: Some(beside) };
    }
    if let Some(suspended) = &source.suspended {
        let message = format!("{}; {suspended}", read_only(source, problems));
        return Standing { ready: false, reason: Reason::Suspended, message, beside: None };
    }
    let commit = &source.desired.commit;
    if !source.pending.is_empty() {
        let message = format!("commit {commit} is being applied");
        return Standing { ready: false, reason: Reason::Applying, message, beside: Some(RECONCILING) };
    }
    let counted = counted(&source.desired, told.removed.len());
    if problems > 0 {
        let message = format!("{problems} problems in commit {commit}, listed in status.problems; {counted}");
        return Standing { ready: false, reason: Reason::Problems, message, beside: Some(STALLED) };
    }
    if !source.applies {
        let message = format!("commit {commit} is read, and nothing of it is applied (spec.apply is false): {counted}");
        return Standing { ready: true, reason: Reason::PlanOnly, message, beside: None };
    }
    let remark = told.remark.as_ref().map(|remark| format!("; {remark}")).unwrap_or_default();
    let message = format!("commit {commit} is applied: {counted}{remark}");
    Standing { ready: true, reason: Reason::Applied, message, beside: None }
}

/// What of the tip of a suspended source waits.
fn read_only(source: &Source, problems: usize) -> String {
    let commit = &source.desired.commit;
    let found =
        if problems == 0 { String::new() } else { format!("; {problems} problems in it, listed in status.problems") };
    match source.pending.len() {
        0 => format!("commit {commit} is read, and nothing of it waits{found}"),
        waiting => format!("commit {commit} is read and not applied, {waiting} of its objects wait{found}"),
    }
}

fn counted(desired: &Desired, removed: usize) -> String {
    let kept = if removed == 0 { String::new() } else { format!(", {removed} removed from Git and kept") };
    format!("{} VMs, {} policies{kept}", desired.vms.len(), desired.policies.len())
}

fn conditions(source: &Source, standing: &Standing, told: &Told<'_>) -> Vec<Condition> {
    let Standing { ready, reason, message, beside } = standing;
    let make = |kind: &str, truth| {
        condition(kind, truth, *reason, message.as_str(), told.generation, &told.before.conditions, told.now)
    };
    let first = make(READY, Truth::of(*ready));
    let held = source.suspended.as_ref();
    let held = held.map(|held| suspended(held, told.generation, &told.before.conditions, told.now));
    std::iter::once(first).chain(beside.map(|kind| make(kind, Truth::True))).chain(held).collect()
}

fn problems(desired: &Desired, unapplied: &[SourceProblem]) -> Vec<SourceProblem> {
    let read = desired.problems.iter().map(|problem| {
        let Problem { origin, object, message, snippet } = problem;
        let about = object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
        let drawn = snippet.as_ref().map(|snippet| format!("\n{snippet}")).unwrap_or_default();
        let line = (origin.line > 0).then_some(origin.line);
        SourceProblem { path: origin.file.to_string(), line, message: format!("{about}{message}{drawn}") }
    });
    read.chain(unapplied.iter().cloned()).collect()
}

fn shortened(problems: Vec<SourceProblem>) -> Vec<SourceProblem> {
    let cut = |problem: SourceProblem| SourceProblem {
        message: problem.message.chars().take(PROBLEM_TEXT).collect(),
        ..problem
    };
    problems.into_iter().take(PROBLEMS).map(cut).collect()
}

/// VMs that a status lists as removed and the one before did not.
pub(in crate::controller) fn newly_removed(next: &GitSourceStatus, before: &GitSourceStatus) -> Vec<RemovedObject> {
    let known: BTreeSet<&RemovedObject> = before.removed.iter().collect();
    let vms = next.removed.iter().filter(|object| object.kind == desired::Kind::VirtualMachine.to_string());
    vms.filter(|object| !known.contains(object)).cloned().collect()
}
