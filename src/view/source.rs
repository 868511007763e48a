//! One GitSource as people and programs see it: commits, problems with file and line, what was removed.

use comfy_table::Table;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use reef_api::condition::{READY, find};
use reef_api::source::{RemovedObject, SourceProblem};
use reef_api::{GitSource, Reason};
use reef_reconciler::source::{FileUrls, Location};
use serde::Serialize;

use super::hint::hint;
use super::text::{Paint, Tone, fitted, harmless, short, table};

/// A GitSource.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceView {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Repository.
    pub url: String,
    /// The tip that was read last.
    pub observed_commit: Option<String>,
    /// The commit whose objects are all applied.
    pub applied_commit: Option<String>,
    /// Whether everything of the tip is applied.
    pub ready: bool,
    /// The word for programs.
    pub reason: Option<String>,
    /// The sentence for people.
    pub message: Option<String>,
    /// What to do next.
    pub hint: Option<&'static str>,
    /// What could not be used of the tip.
    pub problems: Vec<SourceProblem>,
    /// What the tip no longer states, and is kept.
    pub removed: Vec<RemovedObject>,
}

impl SourceView {
    /// Puts together what the cluster tells of a source.
    pub fn of(source: &GitSource) -> Self {
        let status = source.status.clone().unwrap_or_default();
        let ready: Option<&Condition> = find(&status.conditions, READY);
        let is_ready = ready.is_some_and(|ready| ready.status == "True");
        let reason: Option<Reason> = ready.and_then(|ready| serde_json::from_value(ready.reason.clone().into()).ok());
        Self {
            namespace: source.metadata.namespace.clone().unwrap_or_default(),
            name: source.metadata.name.clone().unwrap_or_default(),
            url: address(&source.spec.url),
            observed_commit: status.observed_commit.as_deref().map(harmless),
            applied_commit: status.applied_commit.as_deref().map(harmless),
            ready: is_ready,
            reason: ready.map(|ready| harmless(&ready.reason)),
            message: ready.map(|ready| harmless(&ready.message)),
            hint: reason.filter(|_| !is_ready).and_then(hint),
            problems: status.problems.iter().map(problem).collect(),
            removed: status.removed.iter().map(removed).collect(),
        }
    }
}

/// The address without anything that could be a secret.
fn address(url: &str) -> String {
    match Location::parse(url, FileUrls::Allowed) {
        Ok(location) => location.shown().to_string(),
        Err(_) => "(no valid address)".to_owned(),
    }
}

fn problem(problem: &SourceProblem) -> SourceProblem {
    SourceProblem { path: harmless(&problem.path), line: problem.line, message: harmless(&problem.message) }
}

fn removed(entry: &RemovedObject) -> RemovedObject {
    RemovedObject { path: harmless(&entry.path), namespace: entry.namespace.as_deref().map(harmless), ..entry.clone() }
}

/// All sources, each followed by its problems. The table is no wider than `width`.
pub fn sources(sources: &[SourceView], paint: Paint, width: Option<u16>) -> String {
    let mut lines = table(&["SOURCE", "COMMIT", "READY", "REPOSITORY"], paint);
    for source in sources {
        row(&mut lines, source, paint);
    }
    let told: String = sources.iter().flat_map(troubles).collect();
    fitted(lines, width, &[]) + &told
}

fn row(lines: &mut Table, source: &SourceView, paint: Paint) {
    let commit = source.applied_commit.as_deref().or(source.observed_commit.as_deref());
    let (ready, tone) = match (&source.reason, source.ready) {
        (_, true) => ("True".to_owned(), Tone::Good),
        (Some(reason), false) if reason == Reason::Suspended.as_str() => (format!("False: {reason}"), Tone::Moving),
        (Some(reason), false) => (format!("False: {reason}"), Tone::Bad),
        (None, false) => ("not looked at yet".to_owned(), Tone::Moving),
    };
    lines.add_row(vec![
        paint.cell(format!("{}/{}", source.namespace, source.name), Tone::Neutral),
        paint.cell(commit.map_or_else(|| "-".to_owned(), short), Tone::Neutral),
        paint.cell(ready, tone),
        paint.cell(&source.url, Tone::Neutral),
    ]);
}

/// What somebody should look at, a paragraph each.
fn troubles(source: &SourceView) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(message) = source.message.as_ref().filter(|_| !source.ready && source.problems.is_empty()) {
        told.push(format!("  {message}\n"));
    }
    for problem in &source.problems {
        let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
        told.push(format!("  {}{line}: {}\n", problem.path, indented(&problem.message)));
    }
    for entry in &source.removed {
        let place = entry.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        told.push(format!("  {}: {} {place}{} was removed from Git and is kept\n", entry.path, entry.kind, entry.name));
    }
    told.extend(source.hint.map(|hint| format!("  next: {hint}\n")));
    told
}

/// A snippet stays below its problem.
pub fn indented(message: &str) -> String {
    message.trim_end().replace('\n', "\n    ")
}
