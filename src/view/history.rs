//! The sizes of one VM, one a line: who asked, how long each stage took, and what became of it; older ones as Git tells them.

use jiff::Timestamp;
use reef_api::vm::{HistoryEntry, Outcome};
use reef_api::{Size, VirtualMachine};
use reef_reconciler::review::PastSize;
use serde::Serialize;

use super::detail::tone;
use super::past::{CommitView, Past};
use super::text::{Paint, Tone, clock, fitted, harmless, short, span, table};

/// What a narrow terminal can do without, the first of them first.
const SPARE: [&str; 4] = ["GRANTED", "AUTHOR", "BEGAN", "TOOK"];

/// The sizes of a VM.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The sizes, the newest first.
    pub sizes: Vec<Row>,
    /// Whether there may be older ones that are not listed.
    pub cut: bool,
}

/// One size.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Who tells of it.
    pub from: Teller,
    /// The size.
    pub size: Size,
    /// Id of the commit that asked for it, where one did.
    pub revision: Option<String>,
    /// What the clone says of that commit.
    pub commit: Option<CommitView>,
    /// What became of it, as far as the cluster remembers.
    pub outcome: Option<Outcome>,
    /// When it was taken up.
    pub started_at: Option<Timestamp>,
    /// When the VMM could be asked for the whole of it.
    pub granted_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long it took.
    pub took_seconds: Option<f64>,
}

/// Who tells of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Teller {
    /// The VM's status.
    Cluster,
    /// The past of its file.
    Git,
}

impl History {
    /// Puts the status and Git's past together: of the latter what is older than the oldest size of the status.
    pub fn of(vm: &VirtualMachine, past: &Past) -> Self {
        let entries = vm.status.as_ref().map(|status| status.history.as_slice()).unwrap_or_default();
        let known = entries.iter().rev().map(|entry| remembered(entry, past));
        let older = older(entries, &past.sizes).iter().map(stated);
        Self {
            namespace: vm.metadata.namespace.clone().unwrap_or_default(),
            name: vm.metadata.name.clone().unwrap_or_default(),
            sizes: known.chain(older).collect(),
            cut: past.cut,
        }
    }
}

/// The sizes before the oldest that the status remembers: those below it in the past of the file. Where that has no commit of it, the sizes that are not
/// the same.
fn older<'p>(entries: &[HistoryEntry], sizes: &'p [PastSize]) -> &'p [PastSize] {
    let known =
        |past: &PastSize| entries.iter().any(|entry| entry.revision.as_deref() == Some(past.commit.id.as_str()));
    let after_known = sizes.iter().rposition(known).map(|at| at + 1);
    let from = after_known.unwrap_or_else(|| {
        // The status may name a later commit that left the size as it was.
        let same = |past: &&PastSize| entries.first().is_some_and(|oldest| oldest.target == past.size);
        sizes.iter().take_while(same).count()
    });
    sizes.get(from..).unwrap_or_default()
}

fn remembered(entry: &HistoryEntry, past: &Past) -> Row {
    let took = entry.finished_at.map(|end| end.duration_since(entry.started_at));
    Row {
        from: Teller::Cluster,
        size: entry.target,
        revision: entry.revision.as_deref().map(harmless),
        commit: entry.revision.as_deref().and_then(|id| past.commit(id)),
        outcome: Some(entry.outcome),
        started_at: Some(entry.started_at),
        granted_at: entry.granted_at,
        finished_at: entry.finished_at,
        took_seconds: took.map(|took| took.as_secs_f64()),
    }
}

fn stated(past: &PastSize) -> Row {
    Row {
        from: Teller::Git,
        size: past.size,
        revision: Some(past.commit.id.clone()),
        commit: Some(CommitView::from(&past.commit)),
        outcome: None,
        started_at: None,
        granted_at: None,
        finished_at: None,
        took_seconds: None,
    }
}

/// The sizes as a table, no wider than `width`. What Git tells is marked: it says when a size was committed, and not when the VM had it.
pub fn text(history: &History, past: &Past, paint: Paint, width: Option<u16>) -> String {
    let head = format!("{}/{}\n", history.namespace, history.name);
    if history.sizes.is_empty() {
        return format!("{head}  it has been asked for no size yet\n");
    }
    let mut lines = table(&["COMMIT", "SIZE", "OUTCOME", "BEGAN", "GRANTED", "TOOK", "AUTHOR", "SUBJECT"], paint);
    for row in &history.sizes {
        lines.add_row(cells(row).map(|(text, tone)| paint.cell(text, tone)));
    }
    let mut out = head + &fitted(lines, width, &SPARE);
    if history.sizes.iter().any(|row| row.from == Teller::Git) {
        out += "from Git: older than what the VM remembers; the time is that of the commit\n";
    }
    if history.cut {
        out += "older ones were not looked at: the clone is shallow, or its past very long\n";
    }
    let ids = history.sizes.iter().filter(|row| row.from == Teller::Cluster).filter_map(|row| row.revision.as_deref());
    out + &past.missing(ids).map(|why| format!("{why}\n")).unwrap_or_default()
}

fn cells(row: &Row) -> [(String, Tone); 8] {
    let dash = || "-".to_owned();
    let since = |from: Option<Timestamp>, to: Option<Timestamp>| from.zip(to).map(|(from, to)| to.duration_since(from));
    let commit = row.commit.as_ref();
    let began = row.started_at.or(commit.map(|commit| commit.time));
    let outcome = match row.outcome {
        Some(outcome) => (format!("{outcome:?}"), tone(outcome)),
        None => ("from Git".to_owned(), Tone::Neutral),
    };
    let plain = |text: Option<String>| (text.unwrap_or_else(dash), Tone::Neutral);
    [
        plain(row.revision.as_deref().map(short)),
        plain(Some(row.size.to_string())),
        outcome,
        plain(began.map(clock)),
        plain(since(row.started_at, row.granted_at).map(|granted| format!("+{}", span(granted)))),
        plain(since(row.started_at, row.finished_at).map(span)),
        plain(commit.map(|commit| commit.author.clone())),
        plain(commit.map(|commit| commit.subject.clone())),
    ]
}
