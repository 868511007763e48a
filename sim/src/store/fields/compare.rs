//! What changed between two states of an object, as sets of fields. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::{Branch, FieldSet, Step};
use super::shape::{ListKind, Shape};
use super::walk::step_to;

/// Fields by what happened to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// In the new state, and not or otherwise in the old one.
    pub written: FieldSet,
    /// Only in the old state.
    pub removed: FieldSet,
}

/// Compares two states.
pub fn compare(old: &Value, new: &Value, shape: &Shape) -> Comparison {
    // Two states of an object nearly always differ, and that they do does not tell where.
    let found = look_into(Some(old), Some(new), shape);
    Comparison { written: found.written.below, removed: found.removed.below }
}

/// What happened at one path and below it.
#[derive(Default)]
struct Found {
    written: Branch,
    removed: Branch,
}

fn visit(old: Option<&Value>, new: Option<&Value>, shape: &Shape) -> Found {
    if old == new { Found::default() } else { look_into(old, new, shape) }
}

fn look_into(old: Option<&Value>, new: Option<&Value>, shape: &Shape) -> Found {
    let mut found = match (old, new) {
        (None, Some(_)) => Found { written: Branch::leaf(), ..Found::default() },
        (Some(_), None) => Found { removed: Branch::leaf(), ..Found::default() },
        (Some(_), Some(_)) | (None, None) => Found::default(),
    };
    if let Some((old, new)) = objects(old, new).filter(|_| !shape.atomic) {
        found.take(fields(old, new, shape));
    } else if let Some((old, new)) = lists(old, new).filter(|_| shape.list != ListKind::Atomic) {
        found.take(items(old, new, shape));
    } else if old.is_some() && new.is_some() {
        found.written.member = true;
    }
    found
}

impl Found {
    fn take(&mut self, below: Vec<(Step, Found)>) {
        let (written, removed) = below
            .into_iter()
            .map(|(step, found)| ((step.clone(), found.written), (step, found.removed)))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        self.written.below = FieldSet::of(written);
        self.removed.below = FieldSet::of(removed);
    }

    fn is_empty(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty()
    }
}

type Both<T> = (Option<T>, Option<T>);

/// Both sides as objects, where neither is anything else.
fn objects<'a>(old: Option<&'a Value>, new: Option<&'a Value>) -> Option<Both<&'a Map<String, Value>>> {
    let pair = (old.and_then(Value::as_object), new.and_then(Value::as_object));
    (pair.0.is_some() == old.is_some() && pair.1.is_some() == new.is_some()).then_some(pair)
}

fn lists<'a>(old: Option<&'a Value>, new: Option<&'a Value>) -> Option<Both<&'a Vec<Value>>> {
    let pair = (old.and_then(Value::as_array), new.and_then(Value::as_array));
    (pair.0.is_some() == old.is_some() && pair.1.is_some() == new.is_some()).then_some(pair)
}

fn fields(old: Option<&Map<String, Value>>, new: Option<&Map<String, Value>>, shape: &Shape) -> Vec<(Step, Found)> {
    let at = |map: Option<&'_ Map<String, Value>>, name: &String| map.and_then(|map| map.get(name)).is_some();
    let gone = old.into_iter().flatten().filter(|(name, _)| !at(new, name)).map(|(name, old)| (name, Some(old), None));
    let here = new.into_iter().flatten().map(|(name, new)| (name, old.and_then(|old| old.get(name)), Some(new)));
    let found = gone.chain(here).filter_map(|(name, old, new)| {
        let found = visit(old, new, shape.field(name));
        (!found.is_empty()).then(|| (Step::field(name), found))
    });
    found.collect()
}

fn items(old: Option<&Vec<Value>>, new: Option<&Vec<Value>>, shape: &Shape) -> Vec<(Step, Found)> {
    let mut items: BTreeMap<Step, Both<&Value>> = BTreeMap::new();
    for item in old.into_iter().flatten() {
        items.entry(step_to(item, &shape.list)).or_default().0 = Some(item);
    }
    for item in new.into_iter().flatten() {
        items.entry(step_to(item, &shape.list)).or_default().1 = Some(item);
    }
    let found = items.into_iter().map(|(step, (old, new))| (step, visit(old, new, shape.item())));
    found.filter(|(_, found)| !found.is_empty()).collect()
}
