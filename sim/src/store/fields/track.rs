//! Ownership by writes other than apply: who changes a field owns it from then on. Pure.

use serde_json::{Value, json};

use super::Writer;
use super::compare::compare;
use super::managed::{self, Entry, Operation};
use super::strip::strip;
use crate::store::lifecycle;
use crate::store::{ResourceKind, meta};

/// Writes into `after` who owns what, given the state before and who made the change.
///
/// Owners that the request itself states replace those that were there, so that somebody can be taken out; an object whose owners
/// were all forgotten has none until the next apply.
pub fn track(kind: &ResourceKind, before: Option<&Value>, after: &mut Value, writer: &Writer, now: jiff::Timestamp) {
    let nothing = empty(kind);
    let old = before.unwrap_or(&nothing);
    let reset = writer.subresource.is_none() && asks_for_reset(after);
    let stated = if writer.subresource.is_none() && before.is_some() { managed::read(after) } else { Vec::new() };
    let owned = managed::read(old);
    meta::carry(after, old, &["managedFields"]);
    if reset || (before.is_some() && owned.is_empty()) {
        meta::unset(after, "managedFields");
        return;
    }
    let restated = !stated.is_empty() && stated != owned;
    if !lifecycle::differs_in_content(old, after) && before.is_some() && !restated {
        return;
    }
    let mut entries = if stated.is_empty() { owned } else { stated };
    let changes = compare(old, after, &kind.shape);
    let written = strip(changes.written(), kind, writer);
    let mine = |entry: &Entry| entry.belongs_to(writer, Operation::Update);
    for entry in &mut entries {
        entry.fields = entry.fields.minus(&changes.removed);
        if !mine(entry) {
            entry.fields = entry.fields.minus(&written);
        }
    }
    if !written.is_empty() {
        let own = entries.iter().position(mine).map(|index| entries.remove(index));
        let own = own.unwrap_or_else(|| Entry::of(writer, Operation::Update, now));
        let fields = own.fields.union(&written);
        entries.push(Entry { fields, time: managed::printed(now), ..own });
    }
    managed::write(after, entries);
}

/// What a new object is compared with: parts that every typed object has do not count as written.
pub(super) fn empty(kind: &ResourceKind) -> Value {
    match kind.plural.as_str() {
        _ if kind.custom => json!({ "metadata": {} }),
        "pods" => json!({ "metadata": {}, "spec": { "containers": [] }, "status": {} }),
        _ => json!({ "metadata": {}, "spec": {}, "status": {} }),
    }
}

/// A client that sends one empty entry wants all of them gone.
fn asks_for_reset(after: &Value) -> bool {
    after.pointer("/metadata/managedFields") == Some(&json!([{}]))
}
