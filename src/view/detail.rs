//! One VM in full: each size with where it comes from, what it waits for, what to do, and what was before.

use jiff::Timestamp;
use reef_api::vm::{HistoryEntry, Outcome};
use reef_api::{Reason, Size};

use super::hint::hint;
use super::text::{Paint, Tone, age, fitted, short, span, table};
use super::vm::{AskedBy, PodFacts, VmView, Waiting};

/// A VM in full. Its table is no wider than `width`.
pub fn vm(vm: &VmView, now: Timestamp, paint: Paint, width: Option<u16>) -> String {
    let mut facts: Vec<(&str, String)> = vec![
        ("desired", format!("{}{}", vm.desired, asked_by(&vm.asked_by))),
        ("granted", granted(vm)),
        ("requested", told(vm.requested)),
        ("actual", format!("{}{}", told(vm.actual), used(vm))),
        ("pod", vm.pod.as_ref().map_or_else(|| "none".to_owned(), pod)),
        ("limits", limits(vm)),
    ];
    match &vm.waiting {
        Some(waiting) => facts.extend(waits(waiting, now)),
        None => facts.push(("waits for", "nothing: everything agrees".to_owned())),
    }
    if vm.removed_from_git {
        facts.push(("git", "its source no longer states it; it is kept as it is".to_owned()));
        facts.extend(hint(Reason::RemovedFromGit).map(|hint| ("next", hint.to_owned())));
    }
    let node = vm.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
    let head = format!("{}/{}{node}: {}\n", vm.namespace, vm.name, vm.phase);
    let body: String = facts.iter().map(|(name, text)| format!("  {name:<10} {text}\n")).collect();
    format!("{head}{body}{}", history(vm, now, paint, width))
}

pub(super) fn told(size: Option<Size>) -> String {
    size.map_or_else(|| "not known yet".to_owned(), |size| size.to_string())
}

/// A VM that was never resized was granted nothing.
pub(super) fn granted(vm: &VmView) -> String {
    match (vm.granted, vm.requested) {
        (Some(size), _) => size.to_string(),
        (None, Some(_)) => "nothing beyond what it booted with".to_owned(),
        (None, None) => told(None),
    }
}

fn asked_by(asked: &AskedBy) -> String {
    let origin = asked.origin.as_ref().map(|origin| format!(" by {origin}"));
    let commit = asked.commit.as_ref().map(|commit| format!(" at commit {}", short(commit)));
    let source = asked.source.as_ref().map(|source| format!(" of GitSource {source}"));
    let application = asked.application.as_ref().map(|name| format!(" by Application {name} of Argo CD"));
    let parts: String = [application, origin, commit, source].into_iter().flatten().collect();
    if parts.is_empty() { ", by its spec (no GitSource states it)".to_owned() } else { format!(",{parts}") }
}

pub(super) fn used(vm: &VmView) -> String {
    vm.used.map(|used| format!(", of which the guest uses {}", used.bytes)).unwrap_or_default()
}

pub(super) fn pod(pod: &PodFacts) -> String {
    let differs = [("allocated", pod.allocated), ("in effect", pod.actual)];
    let differs = differs.iter().filter(|(_, size)| *size != Some(pod.wish));
    let told: String = differs
        .map(|(name, size)| match size {
            Some(size) => format!("; {name} {size}"),
            None => format!("; {name} nothing yet"),
        })
        .collect();
    format!("{} ({}){told}", pod.wish, pod.name)
}

fn limits(vm: &VmView) -> String {
    match &vm.limits {
        Some(boot) => format!(
            "{} to {} vCPU, {} to {} while it runs",
            boot.min_vcpus, boot.max_vcpus, boot.min_memory, boot.max_memory
        ),
        None => "not known yet".to_owned(),
    }
}

fn waits(waiting: &Waiting, now: Timestamp) -> Vec<(&'static str, String)> {
    let since = waiting.since.map(|since| format!(" for {}", age(since, now))).unwrap_or_default();
    let mut facts = vec![("waits for", format!("{}{since}: {}", waiting.reason, waiting.message))];
    facts.extend(waiting.hint.map(|hint| ("next", hint.to_owned())));
    facts
}

fn history(vm: &VmView, now: Timestamp, paint: Paint, width: Option<u16>) -> String {
    if vm.history.is_empty() {
        return String::new();
    }
    let mut lines = table(&["COMMIT", "SIZE", "OUTCOME", "BEGAN", "TOOK"], paint);
    for entry in vm.history.iter().rev() {
        lines.add_row(vec![
            paint.cell(entry.revision.as_deref().map_or_else(|| "-".to_owned(), short), Tone::Neutral),
            paint.cell(entry.target, Tone::Neutral),
            paint.cell(format!("{:?}", entry.outcome), tone(entry.outcome)),
            paint.cell(format!("{} ago", age(entry.started_at, now)), Tone::Neutral),
            paint.cell(took(entry), Tone::Neutral),
        ]);
    }
    format!("\nSizes so far, the newest first\n{}", fitted(lines, width, &[]))
}

/// What an outcome means to the reader.
pub(super) const fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Settled => Tone::Good,
        Outcome::InProgress | Outcome::Superseded => Tone::Moving,
        Outcome::Infeasible | Outcome::Deferred | Outcome::Partial | Outcome::RestartRequired | Outcome::Ended => {
            Tone::Bad
        }
    }
}

fn took(entry: &HistoryEntry) -> String {
    entry.finished_at.map_or_else(|| "-".to_owned(), |end| span(end.duration_since(entry.started_at)))
}
