//! Strategic merge patches: objects are merged, lists of named things by their key, all else is replaced. Pure.

use serde_json::{Map, Value};

use crate::store::ApiError;
use crate::store::fields::{ListKind, Shape};

const DIRECTIVE: &str = "$patch";
const DELETE_VALUES: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";
const RETAIN: &str = "$retainKeys";

/// Merges a patch into a value of the given shape.
///
/// # Errors
/// 400 for directives that mean nothing.
pub fn merge(value: &mut Value, patch: &Value, shape: &Shape) -> Result<(), ApiError> {
    let Value::Object(changes) = patch else {
        *value = patch.clone();
        return Ok(());
    };
    match directive(changes)? {
        Directive::Replace => {
            *value = without_directives(changes);
            return Ok(());
        }
        Directive::Delete => {
            *value = Value::Null;
            return Ok(());
        }
        Directive::Merge => {}
    }
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(map) = value else { return Ok(()) };
    retain_keys(map, changes);
    for (name, change) in changes {
        merge_field(map, name, change, changes, shape)?;
    }
    Ok(())
}

fn merge_field(
    map: &mut Map<String, Value>,
    name: &str,
    change: &Value,
    changes: &Map<String, Value>,
    shape: &Shape,
) -> Result<(), ApiError> {
    if let Some(list) = name.strip_prefix(DELETE_VALUES) {
        delete_values(map, list, change);
        return Ok(());
    }
    if let Some(list) = name.strip_prefix(ORDER) {
        // With changes beside it, the list is put in order when those are merged.
        if !changes.contains_key(list) {
            reorder(map.get_mut(list), change, shape.field(list));
        }
        return Ok(());
    }
    if name.starts_with('$') {
        return Ok(());
    }
    if change.is_null() {
        map.remove(name);
        return Ok(());
    }
    let inner = shape.field(name);
    let slot = map.entry(name).or_insert(Value::Null);
    match change {
        Value::Array(items) => merge_list(slot, items, inner)?,
        Value::Object(_) if !inner.atomic => merge(slot, change, inner)?,
        _ => *slot = change.clone(),
    }
    if let Some(order) = changes.get(&format!("{ORDER}{name}")) {
        reorder(Some(slot), order, inner);
    }
    if slot.is_null() {
        map.remove(name);
    }
    Ok(())
}

enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(changes: &Map<String, Value>) -> Result<Directive, ApiError> {
    match changes.get(DIRECTIVE).map(|value| value.as_str().unwrap_or_default()) {
        None | Some("merge") => Ok(Directive::Merge),
        Some("replace") => Ok(Directive::Replace),
        Some("delete") => Ok(Directive::Delete),
        Some(other) => Err(ApiError::bad_request(format!("Unknown patch type found: {other}"))),
    }
}

fn without_directives(changes: &Map<String, Value>) -> Value {
    let kept = changes.iter().filter(|(name, _)| !name.starts_with('$'));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn retain_keys(map: &mut Map<String, Value>, changes: &Map<String, Value>) {
    let Some(keys) = changes.get(RETAIN).and_then(Value::as_array) else { return };
    map.retain(|name, _| keys.iter().any(|key| key.as_str() == Some(name)));
}

fn delete_values(map: &mut Map<String, Value>, list: &str, gone: &Value) {
    let gone = gone.as_array().cloned().unwrap_or_default();
    if let Some(items) = map.get_mut(list).and_then(Value::as_array_mut) {
        items.retain(|item| !gone.contains(item));
    }
}

fn merge_list(slot: &mut Value, changes: &[Value], shape: &Shape) -> Result<(), ApiError> {
    let replaces = changes.iter().any(|item| item.get(DIRECTIVE).and_then(Value::as_str) == Some("replace"));
    let old = slot.as_array().cloned().unwrap_or_default();
    let merged = match &shape.list {
        _ if replaces => changes.iter().filter(|item| item.get(DIRECTIVE).is_none()).cloned().collect(),
        ListKind::Atomic => changes.to_vec(),
        ListKind::Set => in_order(union(old.clone(), changes), changes, &old, &|item| Some(item.clone())),
        ListKind::Map(keys) => {
            let key = shape.merge_key(keys);
            let merged = merge_by_key(old.clone(), changes, key, shape)?;
            in_order(merged, changes, &old, &|item| item.get(key).cloned())
        }
    };
    *slot = Value::Array(merged);
    Ok(())
}

/// Puts merged items in order: those of the patch stand as the patch has them, and each of the others before the first of those that
/// followed it so far.
fn in_order(
    merged: Vec<Value>,
    changes: &[Value],
    old: &[Value],
    identity: &dyn Fn(&Value) -> Option<Value>,
) -> Vec<Value> {
    let place = |items: &[Value], item: &Value| items.iter().position(|other| identity(other) == identity(item));
    let (mut out, others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| place(changes, item).is_some());
    out.sort_by_key(|item| place(changes, item));
    let mut from = 0_usize;
    for item in others {
        let own = place(old, &item);
        let later = |other: &Value| place(old, other).is_some_and(|there| Some(there) > own);
        let at = out.iter().skip(from).position(later).map_or(out.len(), |offset| from.saturating_add(offset));
        out.insert(at, item);
        from = at.saturating_add(1);
    }
    out
}

fn union(mut old: Vec<Value>, changes: &[Value]) -> Vec<Value> {
    for item in changes {
        if !old.contains(item) {
            old.push(item.clone());
        }
    }
    old
}

fn merge_by_key(mut items: Vec<Value>, changes: &[Value], key: &str, shape: &Shape) -> Result<Vec<Value>, ApiError> {
    for change in changes {
        let Some(identity) = change.get(key) else {
            return Err(ApiError::bad_request(format!("map: {change} does not contain declared merge key: {key}")));
        };
        let found = items.iter().position(|item| item.get(key) == Some(identity));
        if change.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
            items.retain(|item| item.get(key) != Some(identity));
            continue;
        }
        match found.and_then(|index| items.get_mut(index)) {
            Some(item) => merge(item, change, shape.item())?,
            None => {
                let mut item = Value::Null;
                merge(&mut item, change, shape.item())?;
                items.push(item);
            }
        }
    }
    Ok(items)
}

/// Puts the items that the order names in that order; the others keep their places behind what they followed.
fn reorder(list: Option<&mut Value>, order: &Value, shape: &Shape) {
    let (Some(items), Some(order)) = (list.and_then(Value::as_array_mut), order.as_array()) else { return };
    let key = match &shape.list {
        ListKind::Map(keys) => Some(shape.merge_key(keys).to_owned()),
        ListKind::Set | ListKind::Atomic => None,
    };
    let identity = |item: &Value| key.as_ref().map_or_else(|| Some(item.clone()), |key| item.get(key).cloned());
    let wanted: Vec<Option<Value>> = order.iter().map(identity).collect();
    let rank = |item: &Value| {
        let own = identity(item);
        wanted.iter().position(|other| *other == own)
    };
    let mut last = 0;
    let mut ranked: Vec<(usize, Value)> = Vec::new();
    for item in items.iter() {
        last = rank(item).unwrap_or(last);
        ranked.push((last, item.clone()));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    *items = ranked.into_iter().map(|(_, item)| item).collect();
}
