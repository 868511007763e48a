//! Ownership by writes other than apply: who changes a field owns it from then on. Pure.

use serde_json::{Value, json};

use super::Writer;
use super::compare::compare;
use super::managed::{Entry, Operation, Owners};
use super::strip::strip;
use crate::store::lifecycle;
use crate::store::{At, ResourceKind, meta};

/// Says who owns what after a write, given the state before with its owners and who made the change.
///
/// Owners that the request itself states in `after` are taken out of it, and replace those that were there, so that somebody can be taken
/// out; an object whose owners were all forgotten has none until the next apply.
pub fn track(
    kind: &ResourceKind,
    before: Option<(&Value, &Owners)>,
    after: &mut Value,
    writer: &Writer,
    now: jiff::Timestamp,
) -> Owners {
    let nothing = (empty(kind), Owners::default());
    let (old, owned) = before.unwrap_or((&nothing.0, &nothing.1));
    let states = writer.subresource.is_none() && meta::has(after, "managedFields");
    let reset = states && asks_for_reset(after);
    let stated = if states && before.is_some() { Owners::stated_in(after) } else { Owners::default() };
    meta::unset(after, "managedFields");
    if reset || (before.is_some() && owned.is_empty()) {
        return Owners::default();
    }
    let restated = !stated.is_empty() && stated != *owned;
    if before.is_some() && !restated && !lifecycle::differs(old, after) {
        return owned.clone();
    }
    let changes = compare(old, after, &kind.shape);
    let mut entries = if stated.is_empty() { owned.entries() } else { stated.entries() }.to_vec();
    let written = strip(changes.written, kind, writer);
    let mine = |entry: &Entry| entry.belongs_to(writer, Operation::Update);
    for entry in &mut entries {
        entry.lose(&changes.removed);
        if !mine(entry) {
            entry.lose(&written);
        }
    }
    if !written.is_empty() {
        let own = entries.iter().position(mine).map(|index| entries.remove(index));
        let mut own = own.unwrap_or_else(|| Entry::of(writer, Operation::Update, now));
        own.fields.change(|fields| fields.extend(&written));
        entries.push(Entry { time: meta::printed(now), ..own });
    }
    Owners::of(entries)
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
    after.at("/metadata/managedFields") == Some(&json!([{}]))
}
