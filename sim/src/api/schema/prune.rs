//! Removing what a schema does not know, and filling in what it has a default for. Pure.

use serde_json::{Map, Value};

use super::{Path, Schema};
use crate::store::Rest;

/// Fields that every object has, whatever its schema says.
const ALWAYS: &[&str] = &["apiVersion", "kind", "metadata"];

/// Removes unknown fields of a whole object, and names each one that it removed.
pub fn prune(schema: &Schema, object: &mut Value) -> Vec<String> {
    let mut removed = Vec::new();
    if let Some(map) = object.as_object_mut() {
        prune_map(schema, map, Path::Root(""), &mut removed, ALWAYS);
    }
    removed
}

fn prune_value(schema: &Schema, value: &mut Value, path: Path<'_>, removed: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let always = if schema.embedded { ALWAYS } else { &[] };
            prune_map(schema, map, path, removed, always);
        }
        Value::Array(items) => {
            let Some(schema) = &schema.items else { return };
            for (index, item) in items.iter_mut().enumerate() {
                prune_value(schema, item, Path::Item(&path, index), removed);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn prune_map(
    schema: &Schema,
    map: &mut Map<String, Value>,
    path: Path<'_>,
    removed: &mut Vec<String>,
    always: &[&str],
) {
    map.retain(|name, value| {
        if always.contains(&name.as_str()) {
            return true;
        }
        let inner = Path::Field(&path, name);
        match schema.property(name) {
            Some(schema) => prune_value(schema, value, inner, removed),
            None if schema.rest == Rest::Any || schema.keeps_unknown => {}
            None => {
                removed.push(inner.to_string());
                return false;
            }
        }
        true
    });
}

/// The first field that no part of the schema declares. Other than for pruning, what preserves unknown fields does so for all that is
/// below it.
pub fn undeclared(schema: &Schema, object: &Value) -> Option<String> {
    let map = object.as_object()?;
    map.iter()
        .filter(|(name, _)| !ALWAYS.contains(&name.as_str()))
        .find_map(|(name, value)| stray(schema, name, value, Path::Root("")))
}

fn stray(schema: &Schema, name: &str, value: &Value, above: Path<'_>) -> Option<String> {
    let path = Path::Field(&above, name);
    match schema.property(name) {
        _ if schema.keeps_unknown => None,
        Some(inner) => stray_below(inner, value, path),
        None if schema.rest == Rest::Any => None,
        None => Some(path.to_string()),
    }
}

fn stray_below(schema: &Schema, value: &Value, path: Path<'_>) -> Option<String> {
    match value {
        Value::Object(map) if !schema.keeps_unknown => {
            map.iter().find_map(|(name, value)| stray(schema, name, value, path))
        }
        Value::Array(items) => {
            let schema = schema.items.as_deref()?;
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| stray_below(schema, item, Path::Item(&path, index)))
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Removes nulls from where the schema allows none and has no default for them.
pub fn drop_nulls(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(map) => {
            let kept =
                |name: &String| schema.property(name).is_none_or(|schema| schema.nullable || schema.default.is_some());
            map.retain(|name, value| !value.is_null() || kept(name));
            for (name, value) in map.iter_mut() {
                if let Some(schema) = schema.property(name) {
                    drop_nulls(schema, value);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = &schema.items else { return };
            items.iter_mut().for_each(|item| drop_nulls(schema, item));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Fills in defaults, from the outside in; a null where the schema allows none counts as absent.
pub fn fill_defaults(schema: &Schema, value: &mut Value) {
    match value {
        _ if !schema.fills => {}
        Value::Object(map) => fill_map(schema, map),
        Value::Array(items) => {
            let Some(schema) = &schema.items else { return };
            items.iter_mut().for_each(|item| fill_defaults(schema, item));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fill_map(schema: &Schema, map: &mut Map<String, Value>) {
    for (name, schema) in &schema.properties {
        let Some(default) = &schema.default else { continue };
        if map.get(name).is_none_or(|value| value.is_null() && !schema.nullable) {
            map.insert(name.clone(), default.clone());
        }
    }
    for (name, value) in map.iter_mut() {
        if let Some(schema) = schema.property(name) {
            fill_defaults(schema, value);
        }
    }
}
