//! Which bytes of a document become which others, so that a field has a value. Adds a line where the field is absent.

use serde_json::Value;

use super::error::EditError;
use super::{Document, Field};
use crate::desired::node::{Key, Kind, Node};

/// A piece of a document's text and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) text: String,
    pub(super) reach: Reach,
}

/// What a patch does to lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// One line becomes another.
    Within,
    /// One line is added.
    Line,
}

/// The patch that gives a field its value.
pub(super) fn of(document: &Document<'_>, field: &Field) -> Result<Patch, EditError> {
    let parent = document.root.at_path(field.parent);
    let found = match parent.and_then(|parent| parent.get(field.name)) {
        Some(node) => replaced(document.chunk.text, node, &field.value),
        None => parent.and_then(|parent| added(document, parent, field)),
    };
    found.ok_or_else(|| absent(document, field))
}

/// The text of a file with its patches, which lie in the document that begins at `start`.
pub(super) fn applied(file: &str, start: usize, patches: &[Patch]) -> Option<String> {
    let mut patches: Vec<&Patch> = patches.iter().collect();
    patches.sort_by_key(|patch| patch.start);
    let (mut text, mut done) = (String::new(), 0);
    for patch in patches {
        let from = start.checked_add(patch.start)?;
        text.push_str(file.get(done..from)?);
        text.push_str(&patch.text);
        done = from.checked_add(patch.length)?;
    }
    text.push_str(file.get(done..)?);
    Some(text)
}

/// The value in the place of the old one, in its quotes.
fn replaced(text: &str, node: &Node, value: &Value) -> Option<Patch> {
    let (start, length) = node.span.filter(|_| !matches!(node.kind, Kind::Null))?;
    // What a reader takes for a block of text ends with its line.
    let written = text.get(start..start.checked_add(length)?)?.trim_end();
    let text = quoted(value, quote(written));
    Some(Patch { start, length: written.len(), text, reach: Reach::Within })
}

/// The field as the first of its parent.
fn added(document: &Document<'_>, parent: &Node, field: &Field) -> Option<Patch> {
    let text = document.chunk.text;
    let (first, _) = parent.entries().next()?;
    let (at, _) = first.span?;
    let line = text.get(..at)?.rfind('\n').map_or(0, |end| end.saturating_add(1));
    let indent = text.get(line..at)?;
    let entry = entry(first, text, field)?;
    let is_alone = indent.chars().all(|character| character == ' ');
    let flow = parent.span.and_then(|(start, _)| text.get(start..)).is_some_and(|rest| rest.starts_with('{'));
    match (flow, is_alone) {
        (true, false) => Some(Patch { start: at, length: 0, text: format!("{entry}, "), reach: Reach::Within }),
        (true, true) => {
            let end = line_end(text.get(..line)?);
            Some(Patch { start: line, length: 0, text: format!("{indent}{entry},{end}"), reach: Reach::Line })
        }
        (false, true) => {
            let start = below(text, document.root.keys(field.parent).last()?)?;
            let end = line_end(text.get(..start)?);
            Some(Patch { start, length: 0, text: format!("{indent}{entry}{end}"), reach: Reach::Line })
        }
        (false, false) => None,
    }
}

/// The beginning of the line below a key that has nothing but a comment beside it: what is said of the first entry stays with it.
fn below(text: &str, key: &Key) -> Option<usize> {
    let (start, length) = key.span?;
    let rest = text.get(start.checked_add(length)?..)?;
    let line = rest.split_inclusive('\n').next()?;
    let beside = line.trim_start().strip_prefix(':')?.trim();
    let is_open = line.ends_with('\n') && (beside.is_empty() || beside.starts_with('#'));
    is_open.then(|| text.len().saturating_sub(rest.len()).saturating_add(line.len()))
}

/// Key and value, in the quotes that the first key of the block has.
fn entry(first: &Key, text: &str, field: &Field) -> Option<String> {
    let (start, length) = first.span?;
    let quote = quote(text.get(start..start.checked_add(length)?)?);
    let value = if field.value.is_string() { quoted(&field.value, quote) } else { quoted(&field.value, "") };
    Some(format!("{quote}{}{quote}: {value}", field.name))
}

fn quoted(value: &Value, quote: &str) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("{quote}{text}{quote}")
}

fn quote(written: &str) -> &'static str {
    match written.as_bytes().first() {
        Some(b'"') => "\"",
        Some(b'\'') => "'",
        _ => "",
    }
}

fn line_end(before: &str) -> &'static str {
    if before.ends_with("\r\n") { "\r\n" } else { "\n" }
}

/// What a person would have to write, in one line that YAML and JSON both read.
fn absent(document: &Document<'_>, field: &Field) -> EditError {
    let quote = if document.chunk.text.trim_start().starts_with('{') { "\"" } else { "" };
    let value = if field.value.is_string() { quoted(&field.value, quote) } else { quoted(&field.value, "") };
    let inner = format!("{quote}{}{quote}: {value}", field.name);
    let (above, last) = field.parent.rsplit_once('.').unwrap_or(("", field.parent));
    let has_entries = document.root.at_path(field.parent).is_some_and(|parent| parent.entries().next().is_some());
    let (write, below) = match has_entries {
        true => (inner, field.parent),
        false => (format!("{quote}{last}{quote}: {{ {inner} }}"), above),
    };
    let at = document.place(field.parent);
    EditError::Absent { at, field: format!("{}.{}", field.parent, field.name), write, below: below.to_owned() }
}
