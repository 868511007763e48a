//! Server-side apply: a manager states the fields that it wants, and owns exactly those. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::compare::compare;
use super::managed::{Entry, Operation, Owners};
use super::merge::{is_empty_at, merge, remove, without_nulls};
use super::printed::Fields;
use super::set::{FieldSet, Step, shown};
use super::strip::strip;
use super::track;
use super::walk::fields_of;
use super::{Force, Writer};
use crate::store::lifecycle;
use crate::store::{ApiError, Cause, Reason, ResourceKind, meta};

/// The manager that owns what was there before anybody applied.
const BEFORE: &str = "before-first-apply";

/// What an apply makes of the owners, while its object still has to pass admission.
#[derive(Debug)]
pub struct Claim {
    entries: Vec<Entry>,
    writer: Writer,
    owned_before: Fields,
}

/// Merges a configuration into the live object, or into nothing, and says who is to own what.
///
/// # Errors
/// 409 naming each field and manager, where others own what would change and force is not used.
pub fn apply(
    kind: &ResourceKind,
    live: Option<(&Value, &Owners)>,
    config: &Value,
    writer: &Writer,
    force: Force,
    now: jiff::Timestamp,
) -> Result<(Value, Claim), ApiError> {
    let config = if kind.custom { Cow::Borrowed(config) } else { Cow::Owned(without_nulls(config.clone())) };
    let wanted = strip(fields_of(&config, &kind.shape), kind, writer);
    let mut entries = live.map(|(live, owners)| owners_of(kind, live, owners, now)).unwrap_or_default();
    let own = entries.iter().position(|entry| entry.belongs_to(writer, Operation::Apply));
    let own = own.map(|index| entries.remove(index)).unwrap_or_else(|| Entry::of(writer, Operation::Apply, now));

    let nothing = json!({ "metadata": {} });
    let live = live.map_or(&nothing, |(live, _)| live);
    let mut object = live.clone();
    give_up(&mut object, &own.fields, &Kept { wanted: &wanted, others: &entries }, kind);
    merge(&mut object, &config, &kind.shape);

    let changes = compare(live, &object, &kind.shape);
    let written = strip(changes.written, kind, writer);
    if force == Force::Refuse && entries.iter().any(|entry| entry.fields.meets(&written)) {
        let taken = entries.iter().map(|entry| (entry, entry.fields.intersection(&written)));
        return Err(refusal(&taken.collect::<Vec<_>>()));
    }
    for entry in &mut entries {
        entry.lose(&written);
        entry.lose(&changes.removed);
    }
    let owned_before = own.fields.clone();
    let fields = if *own.fields == wanted { own.fields.clone() } else { wanted.into() };
    entries.push(Entry { fields, ..own });
    Ok((object, Claim { entries, writer: writer.clone(), owned_before }))
}

/// Who owns what of a live object. What nobody owns, because it was forgotten, belongs from the first apply on to nobody in particular.
fn owners_of(kind: &ResourceKind, live: &Value, owners: &Owners, now: jiff::Timestamp) -> Vec<Entry> {
    if !owners.is_empty() {
        return owners.entries().to_vec();
    }
    let writer = Writer { manager: BEFORE.to_owned(), api_version: kind.api_version(), subresource: None };
    let all = compare(&track::empty(kind), live, &kind.shape).written;
    vec![Entry { fields: strip(all, kind, &writer).into(), ..Entry::of(&writer, Operation::Update, now) }]
}

impl Claim {
    /// Who owns what of the admitted object. An apply that changes neither object nor owners leaves the old
    /// entries as they are, times included.
    pub fn finish(mut self, before: Option<&Value>, admitted: &Value, now: jiff::Timestamp) -> Owners {
        let changed = before.is_none_or(|before| lifecycle::differs(before, admitted));
        let writer = self.writer;
        for entry in self.entries.iter_mut().filter(|entry| entry.belongs_to(&writer, Operation::Apply)) {
            if changed || entry.fields != self.owned_before {
                entry.time = meta::printed(now);
            }
        }
        Owners::of(self.entries)
    }
}

/// What stays because somebody states it: the manager itself, or others.
struct Kept<'a> {
    wanted: &'a FieldSet,
    others: &'a [Entry],
}

impl Kept<'_> {
    fn touches(&self, path: &[Step]) -> bool {
        self.wanted.touches(path) || self.others.iter().any(|entry| entry.fields.touches(path))
    }

    fn contains(&self, path: &[Step]) -> bool {
        self.wanted.contains(path) || self.others.iter().any(|entry| entry.fields.contains(path))
    }
}

/// Takes out what the manager stated last time and does not state any more, unless somebody else owns it.
fn give_up(object: &mut Value, last: &FieldSet, kept: &Kept<'_>, kind: &ResourceKind) {
    for path in last.minus(kept.wanted).paths() {
        if !kept.touches(&path) {
            remove(object, &path, &kind.shape);
            drop_emptied(object, &path, kept, kind);
        }
    }
}

/// What held the removed field goes with it where nothing is left in it, unless somebody states it for itself.
fn drop_emptied(object: &mut Value, path: &[Step], kept: &Kept<'_>, kind: &ResourceKind) {
    let mut path = path;
    while let Some((_, above)) = path.split_last() {
        if above.is_empty() || kept.contains(above) || !is_empty_at(object, above, &kind.shape) {
            return;
        }
        remove(object, above, &kind.shape);
        path = above;
    }
}

fn refusal(conflicts: &[(&Entry, FieldSet)]) -> ApiError {
    let mut causes = Vec::new();
    let mut by_manager: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (entry, fields) in conflicts {
        for path in fields.paths() {
            let (who, field) = (who(entry), shown(&path));
            causes.push(Cause::new("FieldManagerConflict", field.clone(), format!("conflict with {who}")));
            by_manager.entry(who).or_default().push(field);
        }
    }
    let message = match causes.as_slice() {
        [one] => format!("Apply failed with 1 conflict: {}: {}", one.message, one.field),
        many => format!("Apply failed with {} conflicts: {}", many.len(), listed(&by_manager)),
    };
    ApiError::new(Reason::Conflict, message).with_causes(causes)
}

fn listed(by_manager: &BTreeMap<String, Vec<String>>) -> String {
    let lines = by_manager.iter().flat_map(|(who, fields)| {
        let head = format!("conflicts with {who}:");
        std::iter::once(head).chain(fields.iter().map(|field| format!("- {field}")))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn who(entry: &Entry) -> String {
    let mut out = format!("\"{}\"", entry.manager);
    if !entry.subresource.is_empty() {
        out.push_str(&format!(" with subresource \"{}\"", entry.subresource));
    }
    match entry.operation {
        Operation::Apply => out,
        Operation::Update => format!("{out} using {}", entry.api_version),
    }
}
