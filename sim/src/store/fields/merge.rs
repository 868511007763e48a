//! Merging an applied configuration into an object, and taking fields out of it. Pure.

use serde_json::{Map, Value};

use super::set::Step;
use super::shape::{ListKind, Shape};
use super::walk::{is_same, step_to};

/// Lays a configuration over an object: objects field by field, keyed lists item by item, all else as a whole.
///
/// What is there already is left as it is: comparing costs less than copying.
pub fn merge(live: &mut Value, config: &Value, shape: &Shape) {
    match (live, config) {
        (Value::Object(live), Value::Object(config)) if !shape.atomic => merge_fields(live, config, shape),
        (Value::Array(live), Value::Array(config)) if shape.list != ListKind::Atomic => {
            merge_items(live, config, shape)
        }
        (live, config) if live == config => {}
        (live, config) => *live = config.clone(),
    }
}

fn merge_fields(live: &mut Map<String, Value>, config: &Map<String, Value>, shape: &Shape) {
    for (name, wanted) in config {
        match live.get_mut(name) {
            Some(found) => merge(found, wanted, shape.field(name)),
            None => {
                live.insert(name.clone(), wanted.clone());
            }
        }
    }
}

fn merge_items(live: &mut Vec<Value>, config: &[Value], shape: &Shape) {
    for wanted in config {
        match live.iter_mut().find(|item| is_same(item, wanted, &shape.list)) {
            Some(found) => merge(found, wanted, shape.item()),
            None => live.push(wanted.clone()),
        }
    }
}

/// Takes the value at a path out of an object.
pub fn remove(value: &mut Value, path: &[Step], shape: &Shape) {
    let Some((first, rest)) = path.split_first() else { return };
    match (first, value) {
        (Step::Field(name), Value::Object(map)) => {
            if rest.is_empty() {
                map.remove(&**name);
            } else if let Some(inner) = map.get_mut(&**name) {
                remove(inner, rest, shape.field(name));
            }
        }
        (step, Value::Array(items)) => {
            let same = |item: &Value| step_to(item, &shape.list) == *step;
            if rest.is_empty() {
                items.retain(|item| !same(item));
            } else if let Some(inner) = items.iter_mut().find(|item| same(item))
                && !names_key(rest, &shape.list)
            {
                remove(inner, rest, shape.item());
            }
        }
        _ => {}
    }
}

/// An item that stays keeps the fields that it is told apart by.
fn names_key(rest: &[Step], kind: &ListKind) -> bool {
    match (rest, kind) {
        ([Step::Field(name)], ListKind::Map(keys)) => keys.iter().any(|(key, _)| **key == **name),
        _ => false,
    }
}

/// Whether an empty object or list is at a path.
pub fn is_empty_at(value: &Value, path: &[Step], shape: &Shape) -> bool {
    match (path.split_first(), value) {
        (None, Value::Object(map)) => map.is_empty(),
        (None, Value::Array(items)) => items.is_empty(),
        (Some((Step::Field(name), rest)), Value::Object(map)) => {
            map.get(&**name).is_some_and(|inner| is_empty_at(inner, rest, shape.field(name)))
        }
        (Some((step, rest)), Value::Array(items)) => {
            let found = items.iter().find(|item| step_to(item, &shape.list) == *step);
            found.is_some_and(|inner| is_empty_at(inner, rest, shape.item()))
        }
        _ => false,
    }
}

/// An object without its nulls: in a configuration they state nothing.
pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
