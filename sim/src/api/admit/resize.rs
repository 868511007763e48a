//! `pods/resize`: cpu and memory of containers, by name, and nothing else; by the rules measured on a real server.
//! Pure.

use reef_api::Quantity;
use serde_json::Value;

use super::{Write, pod, resources};
use crate::store::{ApiError, Cause, ResourceId, meta};

const RULE: &str = "Forbidden: only cpu and memory resources are mutable";

/// Reduces a new state to what a resize may change, and refuses what it may not.
///
/// # Errors
/// 422 for containers that are not the Pod's, resources other than cpu and memory, removed amounts, a request above
/// its limit, and a change of the QoS class; 403 where the node could never hold it and admission is to say so.
pub(super) fn admit(write: &Write<'_>, after: &mut Value) -> Result<(), ApiError> {
    let Some(before) = write.before else { return Ok(()) };
    pod::fill_in(after)?;
    let mut faults = container_faults(before, after);
    let resized = resized(before, after);
    for (path, container) in resources::containers(&resized) {
        faults.extend(resources::faults(&path, container));
    }
    faults.extend(class_fault(before, &resized));
    if !faults.is_empty() {
        return Err(ApiError::invalid("", "Pod", meta::name(before), faults));
    }
    refuse_beyond_node(write, before, &resized)?;
    let fields = after.pointer("/metadata/managedFields").cloned();
    *after = resized;
    if let Some(fields) = fields {
        meta::set(after, "managedFields", fields);
    }
    Ok(())
}

fn container_faults(before: &Value, after: &Value) -> Vec<Cause> {
    let (old, new) = (resources::containers(before), resources::containers(after));
    let name = |container: &Value| container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let names = |all: &[(String, &Value)]| {
        all.iter().map(|(path, container)| (path.clone(), name(container))).collect::<Vec<_>>()
    };
    let emptied = new.iter().any(|(_, container)| container.get("image").is_none());
    if emptied || names(&old) != names(&new) {
        return vec![Cause::new("FieldValueForbidden", "spec", RULE)];
    }
    old.iter().zip(&new).flat_map(|((path, old), (_, new))| amount_faults(path, old, new)).collect()
}

fn amount_faults(path: &str, old: &Value, new: &Value) -> Vec<Cause> {
    let mut faults = Vec::new();
    for which in ["requests", "limits"] {
        let (old, new) = (resources::amounts(old, which), resources::amounts(new, which));
        let others_differ =
            old.iter().chain(&new).any(|(name, _)| !is_resizable(name) && old.get(name) != new.get(name));
        if others_differ {
            faults.push(Cause::new("FieldValueForbidden", "spec", RULE));
        }
        if old.keys().any(|name| is_resizable(name) && !new.contains_key(name)) {
            let message = format!("Forbidden: resource {which} cannot be removed");
            faults.push(Cause::new("FieldValueForbidden", format!("{path}.resources.{which}"), message));
        }
    }
    faults
}

fn is_resizable(name: &str) -> bool {
    matches!(name, "cpu" | "memory")
}

/// The stored Pod with the new amounts, container by container.
fn resized(before: &Value, after: &Value) -> Value {
    let mut out = before.clone();
    for list in ["containers", "initContainers"] {
        let new =
            after.get("spec").and_then(|spec| spec.get(list)).and_then(Value::as_array).cloned().unwrap_or_default();
        let old = out.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Value::as_array_mut);
        for (old, new) in old.into_iter().flatten().zip(new) {
            if let (Some(old), Some(amounts)) = (old.as_object_mut(), new.get("resources")) {
                old.insert("resources".to_owned(), amounts.clone());
            }
        }
    }
    out
}

fn class_fault(before: &Value, after: &Value) -> Option<Cause> {
    let (old, new) = (resources::qos_class(before), resources::qos_class(after));
    let message = format!("Invalid value: \"{new}\": Pod QOS Class may not change as a result of resizing");
    (old != new).then(|| Cause::new("FieldValueInvalid", "spec", message))
}

fn refuse_beyond_node(write: &Write<'_>, before: &Value, after: &Value) -> Result<(), ApiError> {
    let Some(allocatable) = write.allocatable else { return Ok(()) };
    for name in ["cpu", "memory"] {
        let (old, new) = (resources::requested(before, name), resources::requested(after, name));
        let room = allocatable.get(name).and_then(Value::as_str).and_then(|text| text.parse::<Quantity>().ok());
        let Some(room) = room.filter(|room| new > old && new > room.nanos()) else { continue };
        let said = shown(name, new, room);
        let cause = Cause::new("NodeCapacity", "", said.clone());
        return Err(ApiError::forbidden(&ResourceId::core("pods"), meta::name(before), &said).with_causes(vec![cause]));
    }
    Ok(())
}

/// Thousandths of CPUs, and bytes: as the kubelet's own messages count.
fn shown(name: &str, wanted: i128, room: Quantity) -> String {
    const NANOS: i128 = 1_000_000_000;
    let unit = if name == "cpu" { NANOS / 1000 } else { NANOS };
    let (wanted, room) = (wanted / unit, room.nanos() / unit);
    format!("node didn't have enough allocatable resources: {name}, requested: {wanted}, allocatable: {room}")
}
