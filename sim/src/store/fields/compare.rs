//! What changed between two states of an object, as sets of fields. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::{FieldSet, Step};
use super::shape::{ListKind, Shape};
use super::walk::step_to;

/// Fields by what happened to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Only in the new state.
    pub added: FieldSet,
    /// In both, and different.
    pub modified: FieldSet,
    /// Only in the old state.
    pub removed: FieldSet,
}

impl Comparison {
    /// Fields that the new state brought.
    pub fn written(&self) -> FieldSet {
        self.added.union(&self.modified)
    }
}

/// Compares two states.
pub fn compare(old: &Value, new: &Value, shape: &Shape) -> Comparison {
    let mut out = Comparison::default();
    visit(Some(old), Some(new), shape, &mut Vec::new(), &mut out);
    out
}

fn visit(old: Option<&Value>, new: Option<&Value>, shape: &Shape, path: &mut Vec<Step>, out: &mut Comparison) {
    match (old, new) {
        (None, None) => return,
        (None, Some(_)) => out.added.insert(path),
        (Some(_), None) => out.removed.insert(path),
        (Some(old), Some(new)) if old == new => return,
        (Some(_), Some(_)) => {}
    }
    if let Some((old, new)) = objects(old, new).filter(|_| !shape.atomic) {
        visit_fields(old, new, shape, path, out);
    } else if let Some((old, new)) = lists(old, new).filter(|_| shape.list != ListKind::Atomic) {
        visit_items(old, new, shape, path, out);
    } else if old.is_some() && new.is_some() {
        out.modified.insert(path);
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

fn visit_fields(
    old: Option<&Map<String, Value>>,
    new: Option<&Map<String, Value>>,
    shape: &Shape,
    path: &mut Vec<Step>,
    out: &mut Comparison,
) {
    let mut names: Vec<&String> = old.into_iter().chain(new).flat_map(Map::keys).collect();
    names.sort();
    names.dedup();
    for name in names {
        path.push(Step::Field(name.clone()));
        visit(old.and_then(|map| map.get(name)), new.and_then(|map| map.get(name)), shape.field(name), path, out);
        path.pop();
    }
}

fn visit_items(
    old: Option<&Vec<Value>>,
    new: Option<&Vec<Value>>,
    shape: &Shape,
    path: &mut Vec<Step>,
    out: &mut Comparison,
) {
    let mut items: BTreeMap<Step, Both<&Value>> = BTreeMap::new();
    for item in old.into_iter().flatten() {
        items.entry(step_to(item, &shape.list)).or_default().0 = Some(item);
    }
    for item in new.into_iter().flatten() {
        items.entry(step_to(item, &shape.list)).or_default().1 = Some(item);
    }
    for (step, (old, new)) in items {
        path.push(step);
        visit(old, new, shape.item(), path, out);
        path.pop();
    }
}
