//! The fields that a value states, as a set. Pure.

use serde_json::Value;

use super::set::{Branch, FieldSet, Step};
use super::shape::{ListKind, Shape};

/// Every field that an applied configuration states.
pub fn fields_of(value: &Value, shape: &Shape) -> FieldSet {
    branch(value, shape).below
}

fn branch(value: &Value, shape: &Shape) -> Branch {
    match value {
        Value::Object(map) if !shape.atomic && !map.is_empty() => {
            let inner = map.iter().map(|(name, inner)| {
                let mut below = branch(inner, shape.field(name));
                below.member |= !shape.is_named(name);
                (Step::field(name), below)
            });
            Branch { member: false, below: FieldSet::of(inner.collect()) }
        }
        Value::Array(items) if shape.list != ListKind::Atomic => {
            let inner = items.iter().map(|item| {
                let below = branch(item, shape.item());
                (step_to(item, &shape.list), Branch { member: true, ..below })
            });
            Branch { member: false, below: FieldSet::of(inner.collect()) }
        }
        _ => Branch::leaf(),
    }
}

/// The step from a list to one of its items.
pub fn step_to(item: &Value, kind: &ListKind) -> Step {
    match kind {
        ListKind::Map(keys) => Step::Key(key_text(item, keys).into()),
        ListKind::Set | ListKind::Atomic => Step::value(item),
    }
}

/// Whether two items of a list are one and the same.
pub fn is_same(one: &Value, other: &Value, kind: &ListKind) -> bool {
    match kind {
        ListKind::Map(keys) => keys.iter().all(|key| key_field(one, key) == key_field(other, key)),
        ListKind::Set | ListKind::Atomic => one == other,
    }
}

type Key = (String, Option<Value>);

fn key_field<'a>(item: &'a Value, (name, default): &'a Key) -> &'a Value {
    item.get(name).or(default.as_ref()).unwrap_or(&Value::Null)
}

/// The key fields of an item as canonical JSON.
fn key_text(item: &Value, keys: &[Key]) -> String {
    let mut fields: Vec<(&str, &Value)> = keys.iter().map(|key| (key.0.as_str(), key_field(item, key))).collect();
    fields.sort_by_key(|(name, _)| *name);
    let mut out = String::from("{");
    for (place, (name, value)) in fields.into_iter().enumerate() {
        let glue = if place == 0 { "" } else { "," };
        out.push_str(glue);
        push_text(&mut out, name);
        out.push(':');
        match value {
            Value::String(text) => push_text(&mut out, text),
            other => out.push_str(&other.to_string()),
        }
    }
    out.push('}');
    out
}

/// Adds a text as JSON; most keys are words, in which nothing is escaped.
fn push_text(out: &mut String, text: &str) {
    if text.bytes().all(|letter| letter.is_ascii_alphanumeric()) {
        ["\"", text, "\""].into_iter().for_each(|part| out.push_str(part));
    } else {
        out.push_str(&Value::from(text).to_string());
    }
}
