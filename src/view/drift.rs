//! What differs between a repository and a cluster, as a unified diff for each object, the way `kubectl diff` shows it.

use anstyle::{AnsiColor, Style};
use reef_reconciler::review::{ObjectChange, ObjectDrift};
use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use super::text::{Paint, harmless};

/// Lines around each that differs.
const AROUND: usize = 3;

/// An object that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftView {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// File and line, as `FILE:LINE`.
    pub origin: String,
    /// `create`, `update`, `otherSource` or `kept`.
    pub change: &'static str,
    /// What is to be known of it, where nothing would be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What would be written, as a unified diff; empty where nothing would.
    pub diff: String,
}

impl DriftView {
    /// The object and its lines.
    pub fn of(drift: &ObjectDrift) -> Self {
        let name = &drift.name;
        let (change, note) = match &drift.change {
            ObjectChange::Missing => ("create", None),
            ObjectChange::Fields => ("update", None),
            ObjectChange::OtherSource(other) => {
                ("otherSource", Some(format!("GitSource {} applies it, so it is not compared", harmless(other))))
            }
            ObjectChange::Kept => ("kept", Some("it is no longer stated; it is kept as it is".to_owned())),
        };
        let origin = harmless(&drift.origin);
        Self {
            kind: name.kind.to_string(),
            namespace: name.namespace.clone(),
            name: name.name.clone(),
            diff: if note.is_none() { unified(drift, &origin) } else { String::new() },
            origin,
            change,
            note,
        }
    }

    /// Whether an apply would write something.
    pub const fn differs(&self) -> bool {
        !self.diff.is_empty()
    }

    /// One line about an object of which nothing is written.
    pub fn remark(&self) -> Option<String> {
        let note = self.note.as_ref()?;
        let place = if self.origin.is_empty() { String::new() } else { format!(" ({})", self.origin) };
        Some(format!("{} {}/{}{place}: {note}", self.kind, self.namespace, self.name))
    }
}

fn unified(drift: &ObjectDrift, origin: &str) -> String {
    let (live, merged) = (yaml(&drift.live), yaml(&drift.merged));
    let name = &drift.name;
    let object = format!("{} {}/{}", name.kind, name.namespace, name.name);
    let before = if drift.live.is_null() { "(not in the cluster)".to_owned() } else { format!("cluster: {object}") };
    let after = format!("{origin}: {object}");
    let text =
        TextDiff::from_lines(&live, &merged).unified_diff().context_radius(AROUND).header(&before, &after).to_string();
    harmless(&text)
}

fn yaml(value: &Value) -> String {
    if value.is_null() { String::new() } else { serde_yaml::to_string(value).unwrap_or_default() }
}

/// The diffs of all objects, one after another.
pub fn text(drifts: &[DriftView], paint: Paint) -> String {
    let lines = drifts.iter().flat_map(|drift| drift.diff.lines());
    lines.map(|line| format!("{}\n", coloured(line, paint))).collect()
}

fn coloured(line: &str, paint: Paint) -> String {
    let style = match line.get(..1) {
        _ if line.starts_with("---") || line.starts_with("+++") => Style::new().bold(),
        Some("-") => AnsiColor::Red.on_default(),
        Some("+") => AnsiColor::Green.on_default(),
        Some("@") => AnsiColor::Cyan.on_default(),
        _ => Style::new(),
    };
    match paint {
        Paint::Colours => format!("{style}{line}{style:#}"),
        Paint::Plain => line.to_owned(),
    }
}
