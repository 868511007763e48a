//! What the server itself writes into an object at creation, change and deletion. Pure: no store, no clock of its own.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::{ApiError, Cause};
use super::kind::ResourceKind;
use super::meta;
use super::names;
use crate::store::At;

type Fields = serde_json::Map<String, Value>;

/// Fields of `metadata` that no client can change.
const SERVER_OWNED: &[&str] =
    &["name", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"];

/// Fills in the type, and refuses an object of another type.
pub(super) fn check_type(kind: &ResourceKind, object: &mut Value) -> Result<(), ApiError> {
    let Some(map) = object.as_object_mut() else {
        return Err(ApiError::bad_request("the object is not a JSON object"));
    };
    for (field, called, expected) in
        [("apiVersion", "API version", kind.api_version()), ("kind", "kind", kind.kind.clone())]
    {
        match map.get(field).and_then(Value::as_str) {
            None | Some("") => {
                map.insert(field.to_owned(), json!(expected));
            }
            Some(found) if found == expected => {}
            Some(found) => {
                let message =
                    format!("the {called} in the data ({found}) does not match the expected {called} ({expected})");
                return Err(ApiError::bad_request(message));
            }
        }
    }
    Ok(())
}

/// Refuses a name that breaks DNS rules.
pub(super) fn check_name(kind: &ResourceKind, object: &Value) -> Result<(), ApiError> {
    let name = meta::name(object);
    if name.is_empty() {
        let cause =
            Cause::new("FieldValueRequired", "metadata.name", "Required value: name or generateName is required");
        return Err(ApiError::invalid(&kind.group, &kind.kind, name, vec![cause]));
    }
    let fault = if kind.plural == "namespaces" { names::label_fault(name) } else { names::subdomain_fault(name) };
    match fault {
        None => Ok(()),
        Some(why) => {
            let cause = Cause::new("FieldValueInvalid", "metadata.name", format!("Invalid value: \"{name}\": {why}"));
            Err(ApiError::invalid(&kind.group, &kind.kind, name, vec![cause]))
        }
    }
}

/// Writes what a new object gets from the server.
pub(super) fn begin(kind: &ResourceKind, object: &mut Value, uid: String, now: Timestamp) {
    meta::set(object, "uid", json!(uid));
    meta::set(object, "creationTimestamp", meta::time(now));
    meta::unset(object, "deletionTimestamp");
    meta::unset(object, "deletionGracePeriodSeconds");
    if kind.generation {
        meta::set(object, "generation", json!(1));
    } else {
        meta::unset(object, "generation");
    }
    if kind.plural == "namespaces" && kind.group.is_empty() {
        begin_namespace(object);
    }
}

fn begin_namespace(object: &mut Value) {
    let name = meta::name(object).to_owned();
    if let Some(metadata) = meta::metadata_mut(object) {
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        if let Some(labels) = labels.as_object_mut() {
            labels.insert("kubernetes.io/metadata.name".to_owned(), json!(name));
        }
    }
    if let Some(map) = object.as_object_mut() {
        map.insert("spec".to_owned(), json!({ "finalizers": ["kubernetes"] }));
        map.insert("status".to_owned(), json!({ "phase": "Active" }));
    }
}

/// Settles a changed object against its former self: what clients cannot change comes back, and the generation
/// grows by one where the object's wish changed.
pub(super) fn settle(kind: &ResourceKind, before: &Value, after: &mut Value) {
    meta::carry(after, before, SERVER_OWNED);
    if kind.generation && wish_differs(kind, before, after) {
        let next = meta::generation(before).saturating_add(1);
        meta::set(after, "generation", json!(next));
    }
}

/// What an object wishes for. Where a Pod was placed is no wish of its own.
fn without_place(object: &Value) -> Option<Vec<(&String, &Value)>> {
    let spec = object.get("spec")?.as_object()?;
    Some(spec.iter().filter(|(name, _)| *name != "nodeName").collect())
}

fn wish_differs(kind: &ResourceKind, before: &Value, after: &Value) -> bool {
    if !kind.custom {
        return without_place(before) != without_place(after);
    }
    // A custom resource without a status subresource has no part that is not a wish.
    let aside =
        |field: &String| field.as_str() == "metadata" || (field.as_str() == "status" && kind.has_subresource("status"));
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else {
        return true;
    };
    let differs = |field: &String| !aside(field) && before.get(field) != after.get(field);
    before.keys().chain(after.keys()).any(differs)
}

/// Whether two states differ in anything but their version.
pub(in crate::store) fn differs(before: &Value, after: &Value) -> bool {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else { return before != after };
    if differ_beside(old, new, "metadata") {
        return true;
    }
    let nothing = serde_json::Map::new();
    let old = before.get("metadata").and_then(Value::as_object).unwrap_or(&nothing);
    let new = after.get("metadata").and_then(Value::as_object).unwrap_or(&nothing);
    differ_beside(old, new, "resourceVersion")
}

/// Whether two maps differ in anything but one field.
fn differ_beside(old: &Fields, new: &Fields, aside: &str) -> bool {
    let counted = |map: &Fields| map.len().saturating_sub(usize::from(map.contains_key(aside)));
    let other = |(name, value): (&String, &Value)| name != aside && new.get(name) != Some(value);
    counted(old) != counted(new) || old.iter().any(other)
}

/// Marks an object as being deleted.
pub(super) fn mark_terminating(object: &mut Value, now: Timestamp, grace_seconds: i64) {
    let at = now.checked_add(jiff::SignedDuration::from_secs(grace_seconds)).unwrap_or(now);
    meta::set(object, "deletionTimestamp", meta::time(at));
    meta::set(object, "deletionGracePeriodSeconds", json!(grace_seconds));
    if object.at("/metadata/generation").is_some() {
        let next = meta::generation(object).saturating_add(1);
        meta::set(object, "generation", json!(next));
    }
}

/// Whether nothing keeps a terminating object any more.
pub(super) fn may_go(kind: &ResourceKind, object: &Value) -> bool {
    let granted = |field: &str| object.at(&format!("/metadata/{field}")).and_then(Value::as_i64).unwrap_or(0);
    let node_is_done = !kind.graceful_deletion || granted("deletionGracePeriodSeconds") == 0;
    meta::is_terminating(object) && meta::finalizers(object).is_empty() && node_is_done
}
