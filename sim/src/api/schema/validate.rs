//! Validation of a value against a structural schema, with every fault at its path in the server's words. Pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde_json::Value;

use super::{Path, Schema};
use crate::store::{Bound, Cause, Count, Identity};

/// Every fault of the value.
pub fn validate(schema: &Schema, value: &Value, path: Path<'_>) -> Vec<Cause> {
    let mut faults = Vec::new();
    check(schema, value, path, &mut faults);
    faults
}

fn check(schema: &Schema, value: &Value, path: Path<'_>, faults: &mut Vec<Cause>) {
    if value.is_null() && schema.nullable {
        return;
    }
    if let Some(fault) = wrong_type(schema, value, path) {
        faults.push(fault);
        return;
    }
    check_enum(schema, value, path, faults);
    match value {
        Value::Object(map) => {
            check_required(schema, map, path, faults);
            count(schema.fields_count, map.len(), path, "properties", faults);
            for (name, inner) in map {
                if let Some(schema) = schema.property(name) {
                    check(schema, inner, Path::Field(&path, name), faults);
                }
            }
        }
        Value::Array(items) => {
            count(schema.items_count, items.len(), path, "items", faults);
            check_duplicates(schema, items, path, faults);
            if let Some(schema) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    check(schema, item, Path::Item(&path, index), faults);
                }
            }
        }
        Value::String(text) => check_text(schema, text, path, faults),
        Value::Number(_) => check_number(schema, value, path, faults),
        Value::Null | Value::Bool(_) => {}
    }
    check_combined(schema, value, path, faults);
}

fn invalid(path: Path<'_>, value: &Value, why: &str) -> Cause {
    Cause::new("FieldValueInvalid", path.to_string(), format!("Invalid value: {value}: {path} in body {why}"))
}

fn wrong_type(schema: &Schema, value: &Value, path: Path<'_>) -> Option<Cause> {
    if schema.int_or_string {
        let fits = value.is_i64() || value.is_u64() || value.is_string();
        return (!fits).then(|| type_fault(path, value, "integer,string"));
    }
    // Nearly every value is of the type that is stated, and one comparison tells.
    if schema.kind == type_name(value) {
        return None;
    }
    let fits = match schema.kind.as_str() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => true,
    };
    (!fits).then(|| type_fault(path, value, &schema.kind))
}

fn type_fault(path: Path<'_>, value: &Value, wanted: &str) -> Cause {
    let found = type_name(value);
    let message = format!("Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\"");
    Cause::new("FieldValueTypeInvalid", path.to_string(), message)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_enum(schema: &Schema, value: &Value, path: Path<'_>, faults: &mut Vec<Cause>) {
    let Some(allowed) = &schema.allowed else { return };
    if !allowed.contains(value) {
        let list: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", list.join(", "));
        faults.push(Cause::new("FieldValueNotSupported", path.to_string(), message));
    }
}

fn check_required(schema: &Schema, map: &serde_json::Map<String, Value>, path: Path<'_>, faults: &mut Vec<Cause>) {
    for name in schema.required.iter().filter(|name| !map.contains_key(*name)) {
        faults.push(Cause::new("FieldValueRequired", Path::Field(&path, name).to_string(), "Required value"));
    }
}

fn count(Count { least, most }: Count, found: usize, path: Path<'_>, what: &str, faults: &mut Vec<Cause>) {
    if let Some(limit) = least.filter(|limit| found < *limit) {
        let message = format!("Invalid value: {found}: {path} in body should have at least {limit} {what}");
        faults.push(Cause::new("FieldValueInvalid", path.to_string(), message));
    }
    if let Some(limit) = most.filter(|limit| found > *limit) {
        let message = format!("Too many: {found}: must have at most {limit} {what}");
        faults.push(Cause::new("FieldValueTooMany", path.to_string(), message));
    }
}

fn check_duplicates(schema: &Schema, items: &[Value], path: Path<'_>, faults: &mut Vec<Cause>) {
    let field = |item: &Value, key: &String| item.get(key).cloned().unwrap_or_default();
    let same = |one: &Value, other: &Value| match &schema.identity {
        Identity::None => false,
        Identity::Value => one == other,
        Identity::Keys(keys) => keys.iter().all(|key| field(one, key) == field(other, key)),
    };
    for (index, item) in items.iter().enumerate() {
        if items.iter().take(index).any(|before| same(before, item)) {
            faults.push(Cause::new(
                "FieldValueDuplicate",
                Path::Item(&path, index).to_string(),
                format!("Duplicate value: {}", shown_identity(schema, item)),
            ));
        }
    }
}

/// An item as a refusal names it: by its keys, where it has some.
fn shown_identity(schema: &Schema, item: &Value) -> Value {
    match &schema.identity {
        Identity::None | Identity::Value => item.clone(),
        Identity::Keys(keys) => keys.iter().filter_map(|key| Some((key.clone(), item.get(key)?.clone()))).collect(),
    }
}

fn check_text(schema: &Schema, found: &str, path: Path<'_>, faults: &mut Vec<Cause>) {
    let Count { least, most } = schema.length;
    if least.is_some() || most.is_some() {
        let length = found.chars().count();
        if let Some(limit) = least.filter(|limit| length < *limit) {
            faults.push(invalid(path, &Value::from(found), &format!("should be at least {limit} chars long")));
        }
        if let Some(limit) = most.filter(|limit| length > *limit) {
            let message = format!("Too long: may not be more than {limit} bytes");
            faults.push(Cause::new("FieldValueTooLong", path.to_string(), message));
        }
    }
    let pattern = schema.pattern.as_str();
    // A pattern that does not compile here holds nothing up: the definition's author meant another dialect.
    if !pattern.is_empty() && compiled(pattern).is_some_and(|regex| !regex.is_match(found)) {
        faults.push(invalid(path, &Value::from(found), &format!("should match '{pattern}'")));
    }
}

/// Patterns that were compiled before: a definition has few, and each is met by every write.
///
/// Shared and not cloned: a clone of a `Regex` begins with empty caches, which costs more than the match.
static PATTERNS: LazyLock<Mutex<BTreeMap<String, Option<Arc<Regex>>>>> = LazyLock::new(Mutex::default);

fn compiled(pattern: &str) -> Option<Arc<Regex>> {
    let mut patterns = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = patterns.get(pattern) {
        return known.clone();
    }
    patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok().map(Arc::new)).clone()
}

fn check_number(schema: &Schema, value: &Value, path: Path<'_>, faults: &mut Vec<Cause>) {
    if let Some(Bound { limit, exclusive }) = &schema.minimum {
        let order = compare(value, limit);
        match exclusive {
            false if order == Some(Ordering::Less) => {
                faults.push(invalid(path, value, &format!("should be greater than or equal to {limit}")))
            }
            true if order != Some(Ordering::Greater) => {
                faults.push(invalid(path, value, &format!("should be greater than {limit}")))
            }
            _ => {}
        }
    }
    if let Some(Bound { limit, exclusive }) = &schema.maximum {
        let order = compare(value, limit);
        match exclusive {
            false if order == Some(Ordering::Greater) => {
                faults.push(invalid(path, value, &format!("should be less than or equal to {limit}")))
            }
            true if order != Some(Ordering::Less) => {
                faults.push(invalid(path, value, &format!("should be less than {limit}")))
            }
            _ => {}
        }
    }
    if let (Some(step), Some(found)) = (schema.multiple_of, value.as_i64())
        && step > 0
        && found % step != 0
    {
        faults.push(invalid(path, value, &format!("should be a multiple of {step}")));
    }
}

/// Integers are compared exactly. Schemas print limits such as `1.0` too, for which the nearest float is enough.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn check_combined(schema: &Schema, value: &Value, path: Path<'_>, faults: &mut Vec<Cause>) {
    let fits = |schema: &Schema| validate(schema, value, path).is_empty();
    for part in &schema.all_of {
        check(part, value, path, faults);
    }
    let shown = || if value.is_object() || value.is_array() { Value::from("object") } else { value.clone() };
    if schema.any_of.as_ref().is_some_and(|parts| !parts.iter().any(fits)) {
        faults.push(invalid(path, &shown(), "must validate at least one schema (anyOf)"));
    }
    if schema.one_of.as_ref().is_some_and(|parts| parts.iter().filter(|part| fits(part)).count() != 1) {
        faults.push(invalid(path, &shown(), "must validate one and only one schema (oneOf)"));
    }
    if schema.not.as_deref().is_some_and(fits) {
        faults.push(invalid(path, &shown(), "must not validate the schema (not)"));
    }
}
