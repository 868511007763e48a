//! Validation of a value against a structural schema, with every fault at its path in the server's words. Pure.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde_json::Value;

use super::{flag, property, text};
use crate::store::Cause;

/// Every fault of the value.
pub fn validate(schema: &Value, value: &Value, path: &str) -> Vec<Cause> {
    let mut faults = Vec::new();
    check(schema, value, path, &mut faults);
    faults
}

fn check(schema: &Value, value: &Value, path: &str, faults: &mut Vec<Cause>) {
    if value.is_null() && flag(schema, "nullable") {
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
            count(schema, map.len(), path, ("minProperties", "maxProperties", "properties"), faults);
            for (name, inner) in map {
                if let Some(schema) = property(schema, name) {
                    check(schema, inner, &join(path, name), faults);
                }
            }
        }
        Value::Array(items) => {
            count(schema, items.len(), path, ("minItems", "maxItems", "items"), faults);
            check_duplicates(schema, items, path, faults);
            if let Some(schema) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    check(schema, item, &format!("{path}[{index}]"), faults);
                }
            }
        }
        Value::String(text) => check_text(schema, text, path, faults),
        Value::Number(_) => check_number(schema, value, path, faults),
        Value::Null | Value::Bool(_) => {}
    }
    check_combined(schema, value, path, faults);
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn invalid(path: &str, value: &Value, why: &str) -> Cause {
    Cause::new("FieldValueInvalid", path, format!("Invalid value: {value}: {path} in body {why}"))
}

fn wrong_type(schema: &Value, value: &Value, path: &str) -> Option<Cause> {
    if flag(schema, "x-kubernetes-int-or-string") {
        let fits = value.is_i64() || value.is_u64() || value.is_string();
        return (!fits).then(|| type_fault(path, value, "integer,string"));
    }
    let wanted = text(schema, "type");
    let fits = match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => true,
    };
    (!fits).then(|| type_fault(path, value, wanted))
}

fn type_fault(path: &str, value: &Value, wanted: &str) -> Cause {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let message = format!("Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\"");
    Cause::new("FieldValueTypeInvalid", path, message)
}

fn check_enum(schema: &Value, value: &Value, path: &str, faults: &mut Vec<Cause>) {
    let Some(allowed) = schema.get("enum").and_then(Value::as_array) else { return };
    if !allowed.contains(value) {
        let list: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", list.join(", "));
        faults.push(Cause::new("FieldValueNotSupported", path, message));
    }
}

fn check_required(schema: &Value, map: &serde_json::Map<String, Value>, path: &str, faults: &mut Vec<Cause>) {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str).filter(|name| !map.contains_key(*name)) {
        faults.push(Cause::new("FieldValueRequired", join(path, name), "Required value"));
    }
}

fn count(schema: &Value, found: usize, path: &str, names: (&str, &str, &str), faults: &mut Vec<Cause>) {
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    if let Some(limit) = limit(names.0).filter(|limit| found < *limit) {
        let message = format!("Invalid value: {found}: {path} in body should have at least {limit} {}", names.2);
        faults.push(Cause::new("FieldValueInvalid", path, message));
    }
    if let Some(limit) = limit(names.1).filter(|limit| found > *limit) {
        let message = format!("Too many: {found}: must have at most {limit} {}", names.2);
        faults.push(Cause::new("FieldValueTooMany", path, message));
    }
}

fn check_duplicates(schema: &Value, items: &[Value], path: &str, faults: &mut Vec<Cause>) {
    let keys: Vec<&str> = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let identity = |item: &Value| match text(schema, "x-kubernetes-list-type") {
        "set" => Some(item.clone()),
        "map" => Some(keys.iter().map(|key| item.get(*key).cloned().unwrap_or_default()).collect()),
        _ => None,
    };
    let mut seen: Vec<Value> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(found) = identity(item) else { return };
        if seen.contains(&found) {
            faults.push(Cause::new(
                "FieldValueDuplicate",
                format!("{path}[{index}]"),
                format!("Duplicate value: {}", shown_identity(schema, item, &keys)),
            ));
        }
        seen.push(found);
    }
}

/// An item as a refusal names it: by its keys, where it has some.
fn shown_identity(schema: &Value, item: &Value, keys: &[&str]) -> Value {
    if text(schema, "x-kubernetes-list-type") != "map" {
        return item.clone();
    }
    keys.iter().filter_map(|key| Some(((*key).to_owned(), item.get(*key)?.clone()))).collect()
}

fn check_text(schema: &Value, found: &str, path: &str, faults: &mut Vec<Cause>) {
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    let length = found.chars().count();
    if let Some(limit) = limit("minLength").filter(|limit| length < *limit) {
        faults.push(invalid(path, &Value::from(found), &format!("should be at least {limit} chars long")));
    }
    if let Some(limit) = limit("maxLength").filter(|limit| length > *limit) {
        faults.push(Cause::new("FieldValueTooLong", path, format!("Too long: may not be more than {limit} bytes")));
    }
    let pattern = text(schema, "pattern");
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

fn check_number(schema: &Value, value: &Value, path: &str, faults: &mut Vec<Cause>) {
    let number = |name: &str| schema.get(name).filter(|limit| limit.is_number());
    let below = |limit: &Value| compare(value, limit) == Some(std::cmp::Ordering::Less);
    let above = |limit: &Value| compare(value, limit) == Some(std::cmp::Ordering::Greater);
    if let Some(limit) = number("minimum") {
        match flag(schema, "exclusiveMinimum") {
            false if below(limit) => {
                faults.push(invalid(path, value, &format!("should be greater than or equal to {limit}")))
            }
            true if !above(limit) => faults.push(invalid(path, value, &format!("should be greater than {limit}"))),
            _ => {}
        }
    }
    if let Some(limit) = number("maximum") {
        match flag(schema, "exclusiveMaximum") {
            false if above(limit) => {
                faults.push(invalid(path, value, &format!("should be less than or equal to {limit}")))
            }
            true if !below(limit) => faults.push(invalid(path, value, &format!("should be less than {limit}"))),
            _ => {}
        }
    }
    if let (Some(step), Some(found)) = (number("multipleOf").and_then(Value::as_i64), value.as_i64())
        && step > 0
        && found % step != 0
    {
        faults.push(invalid(path, value, &format!("should be a multiple of {step}")));
    }
}

/// Integers are compared exactly. Schemas print limits such as `1.0` too, for which the nearest float is enough.
fn compare(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn check_combined(schema: &Value, value: &Value, path: &str, faults: &mut Vec<Cause>) {
    let list = |name: &str| schema.get(name).and_then(Value::as_array);
    let fits = |schema: &Value| validate(schema, value, path).is_empty();
    for part in list("allOf").into_iter().flatten() {
        check(part, value, path, faults);
    }
    let shown = || if value.is_object() || value.is_array() { Value::from("object") } else { value.clone() };
    if list("anyOf").is_some_and(|parts| !parts.iter().any(fits)) {
        faults.push(invalid(path, &shown(), "must validate at least one schema (anyOf)"));
    }
    if list("oneOf").is_some_and(|parts| parts.iter().filter(|part| fits(part)).count() != 1) {
        faults.push(invalid(path, &shown(), "must validate one and only one schema (oneOf)"));
    }
    if schema.get("not").is_some_and(fits) {
        faults.push(invalid(path, &shown(), "must not validate the schema (not)"));
    }
}
