//! Reading and writing `metadata` of an object that is a JSON value. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::store::At;

/// A string field of `metadata`.
pub fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get("metadata")?.get(field)?.as_str()
}

/// The object's name, empty where it has none.
pub fn name(object: &Value) -> &str {
    text(object, "name").unwrap_or_default()
}

/// The object's UID, empty where it has none.
pub fn uid(object: &Value) -> &str {
    text(object, "uid").unwrap_or_default()
}

/// The object's resource version as the number it is.
pub fn resource_version(object: &Value) -> Option<u64> {
    text(object, "resourceVersion")?.parse().ok()
}

/// `metadata.generation`, 0 where it is not counted.
pub fn generation(object: &Value) -> i64 {
    object.get("metadata").and_then(|metadata| metadata.get("generation")).and_then(Value::as_i64).unwrap_or(0)
}

/// Whether deletion was asked for.
pub fn is_terminating(object: &Value) -> bool {
    object.at("/metadata/deletionTimestamp").is_some_and(|value| !value.is_null())
}

/// The finalizers that are still there.
pub fn finalizers(object: &Value) -> Vec<&str> {
    let items = object.at("/metadata/finalizers").and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Sets one field of `metadata`, making `metadata` where it is missing.
pub fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(metadata) = metadata_mut(object) {
        metadata.insert(field.to_owned(), value);
    }
}

/// Removes one field of `metadata`.
pub fn unset(object: &mut Value, field: &str) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove(field);
    }
}

/// Copies fields of `metadata` from `source`, removing those that `source` lacks.
pub fn carry(object: &mut Value, source: &Value, fields: &[&str]) {
    for field in fields {
        match source.get("metadata").and_then(|metadata| metadata.get(*field)) {
            Some(value) => set(object, field, value.clone()),
            None => unset(object, field),
        }
    }
}

/// Brings everything but the status back to what it was before.
///
/// Most of it is the same: comparing costs less than copying.
pub fn keep_all_but_status(before: &Value, after: &mut Value) {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object_mut()) else {
        *after = before.clone();
        return;
    };
    new.retain(|name, _| name == "status" || old.contains_key(name));
    for (name, value) in old.iter().filter(|(name, _)| *name != "status") {
        match new.get_mut(name) {
            Some(found) if found == value => {}
            Some(found) => *found = value.clone(),
            None => drop(new.insert(name.clone(), value.clone())),
        }
    }
}

/// `metadata` as a map, made where it is missing; `None` where the object is no map.
pub fn metadata_mut(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let map = object.as_object_mut()?;
    let slot = map.entry("metadata").or_insert_with(|| json!({}));
    if !slot.is_object() {
        *slot = json!({});
    }
    slot.as_object_mut()
}

/// Whether a field of `metadata` is there.
pub fn has(object: &Value, field: &str) -> bool {
    object.get("metadata").is_some_and(|metadata| metadata.get(field).is_some())
}

/// A time as `metav1.Time` prints it: whole seconds, UTC.
pub fn time(at: Timestamp) -> Value {
    Value::String(printed(at))
}

/// The same as a text.
pub fn printed(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// One entry of `metadata.ownerReferences`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The owner's UID.
    pub uid: String,
    /// Whether the owner waits for this object in a foreground deletion.
    pub blocks: bool,
}

/// Every owner of the object.
pub fn owners(object: &Value) -> Vec<Owner> {
    let items = object.at("/metadata/ownerReferences").and_then(Value::as_array);
    items.into_iter().flatten().filter_map(owner).collect()
}

fn owner(reference: &Value) -> Option<Owner> {
    let blocks = reference.get("blockOwnerDeletion").and_then(Value::as_bool).unwrap_or(false);
    Some(Owner { uid: reference.get("uid")?.as_str()?.to_owned(), blocks })
}
