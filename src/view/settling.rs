//! How far a source has come after it was asked to be read: what is still waited for, or how it ended. Pure.

use jiff::{SignedDuration, Timestamp};
use reef_api::names::REQUESTED_AT_ANNOTATION;
use reef_api::source::SourceProblem;
use reef_api::{GitSource, Reason, Size};
use serde::Serialize;

use super::hint::passes;
use super::source::indented;
use super::text::short;
use super::vm::Waiting;
use super::{SourceView, VmView};

/// A VM that waits for what does not pass is believed after this: a growth that waits for a shrink of the same commit goes on when that is done.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// Where it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It goes on; the text says with what.
    Moving(String),
    /// It has ended.
    Ended(Ending),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// Everything that the tip states is applied, and every VM has it.
    Settled,
    /// The tip is read, and a file cannot be used or a VM says why it does not have its size.
    Incomplete,
    /// The repository could not be read.
    Failed,
    /// It was asked for, and nobody waited.
    Asked,
    /// It still goes on.
    TimedOut,
}

/// What has become of a source.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciled {
    /// The source, as `NAMESPACE/NAME`.
    pub source: String,
    /// How it ended.
    pub result: Ending,
    /// The tip that was read last.
    pub commit: Option<String>,
    /// The word of the source's `Ready`.
    pub reason: Option<String>,
    /// The sentence of the source's `Ready`, or what was still waited for.
    pub message: Option<String>,
    /// What to do next about the source.
    pub hint: Option<&'static str>,
    /// Files that cannot be used.
    pub problems: Vec<SourceProblem>,
    /// VMs that the source has applied.
    pub vms: usize,
    /// Those that are not as their spec says.
    pub unsettled: Vec<Unsettled>,
}

/// A VM that is not as its spec says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsettled {
    /// Name.
    pub name: String,
    /// What its spec asks for.
    pub desired: Size,
    /// What the guest has.
    pub actual: Option<Size>,
    /// What it waits for.
    pub waiting: Waiting,
}

/// Whether the request is answered. One that came after it, and is answered, answers it too.
pub fn handled(source: &GitSource, request: &str) -> bool {
    let asked = source.metadata.annotations.as_ref().and_then(|found| found.get(REQUESTED_AT_ANNOTATION));
    let answered = source.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref());
    answered.is_some_and(|answered| answered == request || asked == Some(answered))
}

/// Where a source stands that was asked by `request`; `vms` are those that it has applied.
pub fn standing(source: &GitSource, request: &str, vms: &[VmView], now: Timestamp) -> Standing {
    let view = SourceView::of(source);
    let reason: Option<Reason> =
        view.reason.as_ref().and_then(|word| serde_json::from_value(word.as_str().into()).ok());
    if !handled(source, request) {
        return match reason {
            Some(Reason::Suspended) => Standing::Ended(Ending::Failed),
            _ => Standing::Moving(
                "the controller has not read the source yet; if it stays so, see whether `reef controller` runs"
                    .to_owned(),
            ),
        };
    }
    match (view.ready, reason) {
        (true, _) | (false, Some(Reason::Problems)) => settling(vms, now, view.ready),
        (false, Some(Reason::Applying | Reason::Fetching) | None) => {
            Standing::Moving(view.message.unwrap_or_else(|| "the source is being read".to_owned()))
        }
        (false, Some(_)) => Standing::Ended(Ending::Failed),
    }
}

fn settling(vms: &[VmView], now: Timestamp, ready: bool) -> Standing {
    let waiting: Vec<(&VmView, &Waiting)> = vms.iter().filter_map(|vm| Some((vm, vm.waiting.as_ref()?))).collect();
    if let Some((vm, waiting)) = waiting.iter().find(|(_, waiting)| moves(waiting, now)) {
        let settled = vms.len().saturating_sub(waiting_count(vms));
        return Standing::Moving(format!("{settled} of {} VMs are settled; {} {}", vms.len(), vm.name, waiting.reason));
    }
    Standing::Ended(if ready && waiting.is_empty() { Ending::Settled } else { Ending::Incomplete })
}

fn waiting_count(vms: &[VmView]) -> usize {
    vms.iter().filter(|vm| !vm.settled()).count()
}

/// Whether it goes on by itself: what nobody has looked at yet does.
fn moves(waiting: &Waiting, now: Timestamp) -> bool {
    let reason: Option<Reason> = serde_json::from_value(waiting.reason.clone().into()).ok();
    let young = waiting.since.is_some_and(|since| now.duration_since(since) < GRACE);
    reason.is_none_or(passes) || young
}

impl Reconciled {
    /// What has become of it.
    pub fn of(source: &GitSource, result: Ending, vms: &[VmView]) -> Self {
        let view = SourceView::of(source);
        let unsettled = vms.iter().filter_map(|vm| {
            let waiting = vm.waiting.clone()?;
            Some(Unsettled { name: vm.name.clone(), desired: vm.desired, actual: vm.actual, waiting })
        });
        Self {
            source: format!("{}/{}", view.namespace, view.name),
            result,
            commit: view.observed_commit,
            reason: view.reason,
            message: view.message,
            hint: view.hint,
            problems: view.problems,
            vms: vms.len(),
            unsettled: unsettled.collect(),
        }
    }
}

/// What has become of it, for people.
pub fn text(done: &Reconciled) -> String {
    let commit =
        done.commit.as_deref().map_or_else(|| "no commit".to_owned(), |commit| format!("commit {}", short(commit)));
    let head = match done.result {
        Ending::Asked => return format!("GitSource {} is asked to be read now\n", done.source),
        Ending::Settled => format!("{commit} is applied, and all of its {} VMs have their sizes", done.vms),
        Ending::Incomplete => {
            format!(
                "{commit} is read; {} of its {} VMs have their sizes",
                done.vms.saturating_sub(done.unsettled.len()),
                done.vms
            )
        }
        Ending::Failed => format!("it cannot be read: {}", done.message.as_deref().unwrap_or_default()),
        Ending::TimedOut => {
            format!("{commit}: not done within the time; {}", done.message.as_deref().unwrap_or_default())
        }
    };
    let mut out = format!("GitSource {}: {head}\n", done.source);
    for problem in &done.problems {
        let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
        out += &format!("  {}{line}: {}\n", problem.path, indented(&problem.message));
    }
    out += &done.hint.map(|hint| format!("  next: {hint}\n")).unwrap_or_default();
    for vm in &done.unsettled {
        let Unsettled { name, desired, actual, waiting } = vm;
        let has = actual.map(|actual| format!(", has {actual}")).unwrap_or_default();
        out += &format!("  {name}: asked for {desired}{has}; {}: {}\n", waiting.reason, indented(&waiting.message));
        out += &waiting.hint.map(|hint| format!("    next: {hint}\n")).unwrap_or_default();
    }
    out
}
