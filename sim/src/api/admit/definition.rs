//! CustomResourceDefinitions: names filled in, the few rules without which nothing could be served, and the
//! conditions that say that it is. Pure.

use serde_json::{Value, json};

use super::Write;
use crate::store::{ApiError, At, Cause, meta};

pub(super) fn admit(write: &Write<'_>, after: &mut Value) -> Result<(), ApiError> {
    fill_in(after);
    let faults = faults(after);
    if !faults.is_empty() {
        return Err(ApiError::invalid(&write.kind.group, &write.kind.kind, meta::name(after), faults));
    }
    if write.subresource.is_none() {
        let status = status(write, after);
        super::replace(after, "status", Some(status));
    }
    Ok(())
}

fn text<'a>(definition: &'a Value, pointer: &str) -> &'a str {
    definition.at(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn fill_in(definition: &mut Value) {
    let kind = text(definition, "/spec/names/kind").to_owned();
    let mut fill = |pointer: &str, field: &str, value: Value| {
        if let Some(map) = definition.pointer_mut(pointer).and_then(Value::as_object_mut) {
            map.entry(field).or_insert(value);
        }
    };
    fill("/spec/names", "singular", json!(kind.to_lowercase()));
    fill("/spec/names", "listKind", json!(format!("{kind}List")));
    fill("/spec", "conversion", json!({ "strategy": "None" }));
}

fn faults(definition: &Value) -> Vec<Cause> {
    let mut faults = Vec::new();
    for (pointer, field) in [
        ("/spec/group", "spec.group"),
        ("/spec/scope", "spec.scope"),
        ("/spec/names/plural", "spec.names.plural"),
        ("/spec/names/kind", "spec.names.kind"),
    ] {
        if text(definition, pointer).is_empty() {
            faults.push(Cause::new("FieldValueRequired", field, "Required value"));
        }
    }
    let expected = format!("{}.{}", text(definition, "/spec/names/plural"), text(definition, "/spec/group"));
    let name = meta::name(definition);
    if name != expected {
        let message = format!("Invalid value: \"{name}\": must be spec.names.plural+\".\"+spec.group");
        faults.push(Cause::new("FieldValueInvalid", "metadata.name", message));
    }
    let versions = definition.at("/spec/versions").and_then(Value::as_array);
    let stored = versions.into_iter().flatten().filter(|version| version.get("storage") == Some(&json!(true))).count();
    if stored != 1 {
        let message = "Invalid value: must have exactly one version marked as storage version";
        faults.push(Cause::new("FieldValueInvalid", "spec.versions", message));
    }
    faults.extend(schema_faults(definition));
    faults
}

/// Each version has a schema, and each part of a schema a type.
fn schema_faults(definition: &Value) -> Vec<Cause> {
    let versions = definition.at("/spec/versions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut faults = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let own = format!("spec.versions[{index}].schema.openAPIV3Schema");
        // What holds for every version is said of the definition.
        let path = if versions.len() == 1 { "spec.validation.openAPIV3Schema" } else { own.as_str() };
        match version.at("/schema/openAPIV3Schema").filter(|schema| schema.is_object()) {
            None => faults.push(Cause::new("FieldValueRequired", own, "Required value")),
            Some(schema) => untyped(schema, path, &mut faults),
        }
    }
    faults
}

fn untyped(schema: &Value, path: &str, faults: &mut Vec<Cause>) {
    let free = ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"];
    let typed = schema.get("type").is_some() || free.iter().any(|flag| schema.get(*flag) == Some(&json!(true)));
    if !typed {
        let message = "Required value: must not be empty for specified object fields";
        faults.push(Cause::new("FieldValueRequired", format!("{path}.type"), message));
    }
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        untyped(inner, &format!("{path}.properties[{name}]"), faults);
    }
    for field in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(field).filter(|inner| inner.is_object()) {
            untyped(inner, &format!("{path}.{field}"), faults);
        }
    }
}

/// The conditions keep the time at which the definition was first served.
fn status(write: &Write<'_>, definition: &Value) -> Value {
    let since = write.before.and_then(|before| before.at("/status/conditions/0/lastTransitionTime")).cloned();
    let since = since.unwrap_or_else(|| meta::time(write.now));
    let condition = |kind: &str, reason: &str, message: &str| json!({ "type": kind, "status": "True", "lastTransitionTime": since, "reason": reason, "message": message });
    let versions = definition.at("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    let stored = versions.filter(|version| version.get("storage") == Some(&json!(true)));
    let stored: Vec<Value> = stored.filter_map(|version| version.get("name").cloned()).collect();
    json!({
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "acceptedNames": definition.at("/spec/names").cloned().unwrap_or_default(),
        "storedVersions": stored,
    })
}
