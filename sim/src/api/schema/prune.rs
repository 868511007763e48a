//! Removing what a schema does not know, and filling in what it has a default for. Pure.

use serde_json::{Map, Value};

use super::{flag, property};

/// Fields that every object has, whatever its schema says.
const ALWAYS: &[&str] = &["apiVersion", "kind", "metadata"];

/// Removes unknown fields of a whole object, and names each one that it removed.
pub fn prune(schema: &Value, object: &mut Value) -> Vec<String> {
    let mut removed = Vec::new();
    if let Some(map) = object.as_object_mut() {
        prune_map(schema, map, "", &mut removed, ALWAYS);
    }
    removed
}

fn prune_value(schema: &Value, value: &mut Value, path: &str, removed: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let always = if flag(schema, "x-kubernetes-embedded-resource") { ALWAYS } else { &[] };
            prune_map(schema, map, path, removed, always);
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            for (index, item) in items.iter_mut().enumerate() {
                prune_value(schema, item, &format!("{path}[{index}]"), removed);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn prune_map(schema: &Value, map: &mut Map<String, Value>, path: &str, removed: &mut Vec<String>, always: &[&str]) {
    let keeps_unknown = flag(schema, "x-kubernetes-preserve-unknown-fields");
    let names: Vec<String> = map.keys().filter(|name| !always.contains(&name.as_str())).cloned().collect();
    for name in names {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (property(schema, &name), map.get_mut(&name)) {
            (Some(Value::Bool(true)), _) => {}
            (Some(schema @ Value::Object(_)), Some(value)) => prune_value(schema, value, &inner, removed),
            (_, _) if keeps_unknown => {}
            _ => {
                map.remove(&name);
                removed.push(inner);
            }
        }
    }
}

/// The first field that no part of the schema declares. Other than for pruning, what preserves unknown fields does so for all that is
/// below it.
pub fn undeclared(schema: &Value, object: &Value) -> Option<String> {
    let map = object.as_object()?;
    map.iter()
        .filter(|(name, _)| !ALWAYS.contains(&name.as_str()))
        .find_map(|(name, value)| stray(schema, name, value, name))
}

fn stray(schema: &Value, name: &str, value: &Value, path: &str) -> Option<String> {
    if flag(schema, "x-kubernetes-preserve-unknown-fields") {
        return None;
    }
    match property(schema, name) {
        Some(Value::Bool(true)) => None,
        Some(inner @ Value::Object(_)) => stray_below(inner, value, path),
        Some(_) | None => Some(path.to_owned()),
    }
}

fn stray_below(schema: &Value, value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Object(map) if !flag(schema, "x-kubernetes-preserve-unknown-fields") => {
            map.iter().find_map(|(name, value)| stray(schema, name, value, &format!("{path}.{name}")))
        }
        Value::Array(items) => {
            let schema = schema.get("items")?;
            items.iter().enumerate().find_map(|(index, item)| stray_below(schema, item, &format!("{path}[{index}]")))
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Removes nulls from where the schema allows none and has no default for them.
pub fn drop_nulls(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            let kept = |name: &String| {
                property(schema, name).is_none_or(|schema| flag(schema, "nullable") || schema.get("default").is_some())
            };
            map.retain(|name, value| !value.is_null() || kept(name));
            for (name, value) in map.iter_mut() {
                if let Some(schema) = property(schema, name) {
                    drop_nulls(schema, value);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            items.iter_mut().for_each(|item| drop_nulls(schema, item));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Fills in defaults, from the outside in; a null where the schema allows none counts as absent.
pub fn fill_defaults(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => fill_map(schema, map),
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            items.iter_mut().for_each(|item| fill_defaults(schema, item));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fill_map(schema: &Value, map: &mut Map<String, Value>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        let absent = map.get(name).is_none_or(|value| value.is_null() && !flag(schema, "nullable"));
        if let (true, Some(default)) = (absent, schema.get("default")) {
            map.insert(name.clone(), default.clone());
        }
    }
    for (name, value) in map.iter_mut() {
        if let Some(schema) = property(schema, name) {
            fill_defaults(schema, value);
        }
    }
}
