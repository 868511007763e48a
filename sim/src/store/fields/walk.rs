//! The fields that a value states, as a set. Pure.

use serde_json::Value;

use super::set::{FieldSet, Step, key_of};
use super::shape::{ListKind, Shape};

/// Every field that an applied configuration states.
pub fn fields_of(value: &Value, shape: &Shape) -> FieldSet {
    let mut out = FieldSet::default();
    visit(value, shape, &mut Vec::new(), &mut out);
    out
}

fn visit(value: &Value, shape: &Shape, path: &mut Vec<Step>, out: &mut FieldSet) {
    match value {
        Value::Object(map) if !shape.atomic && !map.is_empty() => {
            for (name, inner) in map {
                path.push(Step::Field(name.clone()));
                visit(inner, shape.field(name), path, out);
                if !shape.is_named(name) {
                    out.insert(path);
                }
                path.pop();
            }
        }
        Value::Array(items) if shape.list != ListKind::Atomic => {
            for item in items {
                path.push(step_to(item, &shape.list));
                out.insert(path);
                visit(item, shape.item(), path, out);
                path.pop();
            }
        }
        _ => out.insert(path),
    }
}

/// The step from a list to one of its items.
pub fn step_to(item: &Value, kind: &ListKind) -> Step {
    match kind {
        ListKind::Map(keys) => key_of(item, keys),
        ListKind::Set | ListKind::Atomic => Step::value(item),
    }
}
