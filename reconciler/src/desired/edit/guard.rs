//! The result is read again by the reader of the project: everything has to be as it was but for the fields that were meant.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};

use super::error::EditError;
use super::patch::{Patch, Reach};
use super::{Document, Field};
use crate::desired::document::{Content, read};
use crate::desired::text::{Chunk, decode, documents};
use crate::desired::yaml;

/// Checks the text of the whole file.
pub(super) fn check(before: &Document<'_>, fields: &[Field], patches: &[Patch], after: &str) -> Result<(), EditError> {
    let refused = |detail| EditError::Guard { at: before.origin.clone(), detail };
    let text = document(before, after).ok_or_else(|| refused("another document would change"))?;
    let valid = is_valid(before, text);
    // Whether it is valid tells more than where it differs, but only if it is what was meant.
    let root = yaml::parse(text).map_err(|_| refused("it could not be read any more"))?;
    if root.value() != meant(before, fields) {
        return Err(refused("something else would change"));
    }
    if lines(before.whole, after) != expected(before.chunk.text, patches) {
        return Err(refused("another line would change"));
    }
    valid
}

/// The document in the new text, where all others are as they were, letter by letter.
fn document<'t>(before: &Document<'_>, after: &'t str) -> Option<&'t str> {
    let length = before.start.checked_add(before.chunk.text.len())?;
    let (head, tail) = (before.whole.get(..before.start)?, before.whole.get(length..)?);
    let text = after.strip_prefix(head)?.strip_suffix(tail)?;
    let chunks = documents(decode(after.as_bytes()).ok()?).ok()?;
    let index = before.origin.document.checked_sub(1)?;
    let found: &Chunk<'_> = chunks.get(index)?;
    (found.text == text && chunks.len() == documents(decode(before.whole.as_bytes()).ok()?).ok()?.len()).then_some(text)
}

fn is_valid(before: &Document<'_>, text: &str) -> Result<(), EditError> {
    match read(text) {
        Content::Object(_) => Ok(()),
        Content::Broken { faults, .. } => {
            let detail: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
            let at = faults.first().and_then(|fault| fault.at).map(|at| before.origin_of(at));
            Err(EditError::Invalid { at: at.unwrap_or_else(|| before.origin.clone()), detail: detail.join("; ") })
        }
        Content::Empty | Content::Foreign(_) => {
            Err(EditError::Guard { at: before.origin.clone(), detail: "it would be no VM any more" })
        }
    }
}

/// What the document is to say.
fn meant(before: &Document<'_>, fields: &[Field]) -> Value {
    let mut value = before.root.value();
    for field in fields {
        let parent = field.parent.split('.').try_fold(&mut value, |value, name| value.get_mut(name));
        if let Some(parent) = parent.and_then(Value::as_object_mut) {
            Map::insert(parent, field.name.to_owned(), field.value.clone());
        }
    }
    value
}

/// How many lines went, and how many came.
fn lines(before: &str, after: &str) -> (usize, usize) {
    let diff = TextDiff::from_lines(before, after);
    let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    (count(ChangeTag::Delete), count(ChangeTag::Insert))
}

/// The same as the patches have it; two of them may be in one line.
fn expected(text: &str, patches: &[Patch]) -> (usize, usize) {
    let line = |patch: &Patch| text.get(..patch.start).map_or(0, |before| before.matches('\n').count());
    let within: BTreeSet<usize> = patches.iter().filter(|patch| patch.reach == Reach::Within).map(line).collect();
    let added = patches.iter().filter(|patch| patch.reach == Reach::Line).count();
    (within.len(), within.len().saturating_add(added))
}
