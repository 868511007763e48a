//! What every object's metadata must be, whatever its kind. Pure.

use serde_json::{Value, json};

use super::{Write, replace};
use crate::store::{At, Cause, meta};

/// Maps and lists that are left out where they are empty.
const OPTIONAL: &[&str] = &["labels", "annotations", "finalizers", "ownerReferences"];

/// How many bytes the values of a ConfigMap or Secret may have together.
const LARGEST_CONFIG: usize = 1024 * 1024;

/// Leaves out what is empty, and what nobody can set.
pub(super) fn tidy(object: &mut Value) {
    meta::unset(object, "selfLink");
    for field in OPTIONAL {
        let empty = match object.get("metadata").and_then(|metadata| metadata.get(*field)) {
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Null) => true,
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => false,
        };
        if empty {
            meta::unset(object, field);
        }
    }
}

/// Every fault of the metadata. A write to the status of a custom resource takes nothing of it, so that nothing is judged.
pub(super) fn faults(write: &Write<'_>, after: &Value) -> Vec<Cause> {
    let mut faults = owner_faults(after);
    if let Some(before) = write.before {
        faults.extend(["uid", "deletionTimestamp", "deletionGracePeriodSeconds"].iter().filter_map(|field| {
            let wanted = after.get("metadata")?.get(*field).filter(|value| !value.is_null() && **value != json!(""))?;
            let kept = before.get("metadata").and_then(|metadata| metadata.get(*field)) == Some(wanted);
            let message = format!("Invalid value: {wanted}: field is immutable");
            (!kept).then(|| Cause::new("FieldValueInvalid", format!("metadata.{field}"), message))
        }));
        faults.extend(finalizer_fault(before, after));
    }
    faults
}

fn finalizer_fault(before: &Value, after: &Value) -> Option<Cause> {
    let old = meta::finalizers(before);
    let new: Vec<&str> = meta::finalizers(after).into_iter().filter(|name| !old.contains(name)).collect();
    if !meta::is_terminating(before) || new.is_empty() {
        return None;
    }
    let list = new.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let message = format!(
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}"
    );
    Some(Cause::new("FieldValueForbidden", "metadata.finalizers", message))
}

fn owner_faults(object: &Value) -> Vec<Cause> {
    let Some(references) = object.at("/metadata/ownerReferences") else { return Vec::new() };
    let all = references.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut faults: Vec<Cause> = all.iter().flat_map(reference_faults).collect();
    let controllers: Vec<&Value> =
        all.iter().filter(|reference| reference.get("controller") == Some(&json!(true))).collect();
    if let [first, second, ..] = controllers.as_slice() {
        let named = |reference: &Value| format!("{}/{}", text(reference, "kind"), text(reference, "name"));
        let message = format!(
            "Invalid value: {references}: Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
            named(first),
            named(second)
        );
        faults.push(Cause::new("FieldValueInvalid", "metadata.ownerReferences", message));
    }
    faults
}

fn reference_faults(reference: &Value) -> Vec<Cause> {
    let rows = [
        ("apiVersion", "version must not be empty"),
        ("kind", "must not be empty"),
        ("name", "must not be empty"),
        ("uid", "must not be empty"),
    ];
    let missing = rows.iter().filter(|(field, _)| text(reference, field).is_empty());
    let fault = |(field, why): &(&str, &str)| {
        Cause::new(
            "FieldValueInvalid",
            format!("metadata.ownerReferences.{field}"),
            format!("Invalid value: \"\": {why}"),
        )
    };
    missing.map(fault).collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// ConfigMaps and Secrets have a largest size, and stay as they are once they were declared immutable.
pub(super) fn frozen_faults(before: Option<&Value>, after: &mut Value) -> Vec<Cause> {
    for field in ["data", "binaryData", "stringData"] {
        if after.get(field).is_some_and(|value| value.as_object().is_some_and(serde_json::Map::is_empty)) {
            replace(after, field, None);
        }
    }
    let texts = after.get("data").and_then(Value::as_object).into_iter().flat_map(serde_json::Map::values);
    if texts.filter_map(Value::as_str).map(str::len).sum::<usize>() > LARGEST_CONFIG {
        let message = format!("Too long: may not be more than {LARGEST_CONFIG} bytes");
        return vec![Cause::new("FieldValueTooLong", "[]", message)];
    }
    let Some(before) = before.filter(|before| before.get("immutable") == Some(&json!(true))) else { return Vec::new() };
    let message = "Forbidden: field is immutable when `immutable` is set";
    ["immutable", "data", "binaryData"]
        .into_iter()
        .filter(|field| before.get(*field) != after.get(*field))
        .map(|field| Cause::new("FieldValueForbidden", field, message))
        .collect()
}
