//! `pods/resize`: cpu and memory of containers, by name, and nothing else; by the rules measured on a real server.
//! Pure.

use reef_api::Quantity;
use serde_json::Value;

use super::{Write, pod, resources};
use crate::store::{ApiError, At, Cause, ResourceId, meta};

const RULE: &str = "Forbidden: only cpu and memory resources are mutable";

/// Reduces a new state to what a resize may change, and refuses what it may not.
///
/// # Errors
/// 422 for containers that are not the Pod's or in another order, for init containers, for resources other than cpu and memory, removed
/// amounts, a request above its limit, and a change of the QoS class; 403 where the node could never hold it and admission is to say so.
pub(super) fn admit(write: &Write<'_>, after: &mut Value) -> Result<(), ApiError> {
    let Some(before) = write.before else { return Ok(()) };
    pod::fill_in(after)?;
    let (old, new) = (ordinary(before), ordinary(after));
    let mut faults = if old.len() == new.len() { Vec::new() } else { count_faults(&new) };
    let resized = if faults.is_empty() { resized(before, after) } else { after.clone() };
    faults.extend(name_faults(&old, &new));
    for (path, container) in resources::containers(&resized) {
        faults.extend(resources::faults(&path, container));
    }
    faults.extend(class_fault(before, &resized));
    if old.len() == new.len() {
        faults
            .extend(old.iter().zip(&new).enumerate().flat_map(|(index, (old, new))| container_faults(index, old, new)));
    }
    faults.extend(init_fault(before, after));
    if !faults.is_empty() {
        return Err(ApiError::invalid("", "Pod", meta::name(before), faults));
    }
    refuse_beyond_node(write, before, &resized)?;
    let fields = after.at("/metadata/managedFields").cloned();
    *after = resized;
    if let Some(fields) = fields {
        meta::set(after, "managedFields", fields);
    }
    Ok(())
}

fn ordinary(pod: &Value) -> Vec<&Value> {
    pod.at("/spec/containers").and_then(Value::as_array).into_iter().flatten().collect()
}

fn count_faults(new: &[&Value]) -> Vec<Cause> {
    let message = "Forbidden: containers may not be added or removed on resize";
    let mut faults = vec![Cause::new("FieldValueForbidden", "spec.containers", message)];
    let bare = new.iter().enumerate().filter(|(_, container)| container.get("image").is_none());
    faults.extend(bare.map(|(index, _)| {
        Cause::new("FieldValueRequired", format!("spec.containers[{index}].image"), "Required value")
    }));
    faults
}

fn name_faults(old: &[&Value], new: &[&Value]) -> Vec<Cause> {
    if old.len() != new.len() {
        return Vec::new();
    }
    let message = "Forbidden: containers may not be renamed or reordered on resize";
    let moved = old.iter().zip(new).enumerate().filter(|(_, (old, new))| old.get("name") != new.get("name"));
    moved
        .map(|(index, _)| Cause::new("FieldValueForbidden", format!("spec.containers[{index}].name"), message))
        .collect()
}

fn init_fault(before: &Value, after: &Value) -> Option<Cause> {
    let amounts = |pod: &Value| -> Vec<(resources::Amounts, resources::Amounts)> {
        let list = pod.at("/spec/initContainers").and_then(Value::as_array);
        let both =
            |container: &Value| (resources::amounts(container, "requests"), resources::amounts(container, "limits"));
        list.into_iter().flatten().map(both).collect()
    };
    let message = "Forbidden: resources for non-sidecar init containers are immutable";
    (amounts(before) != amounts(after)).then(|| Cause::new("FieldValueForbidden", "spec", message))
}

fn container_faults(index: usize, old: &Value, new: &Value) -> Vec<Cause> {
    let mut faults = amount_faults(&format!("spec.containers[{index}]"), old, new);
    let policy = |container: &Value| container.get("resizePolicy").cloned().unwrap_or_default();
    let stated = new.get("resizePolicy").is_some();
    if stated && policy(old) != policy(new) && old.get("name") == new.get("name") {
        faults.push(Cause::new("FieldValueForbidden", "spec", RULE));
    }
    faults
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
    let old = out.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
    for (old, new) in old.into_iter().flatten().zip(ordinary(after)) {
        if let (Some(old), Some(amounts)) = (old.as_object_mut(), new.get("resources")) {
            old.insert("resources".to_owned(), amounts.clone());
        }
    }
    out
}

fn class_fault(before: &Value, after: &Value) -> Option<Cause> {
    let (old, new) = (resources::qos_class(before), resources::qos_class(after));
    let message = format!("Invalid value: \"{old}\": Pod QOS Class may not change as a result of resizing");
    (old != new).then(|| Cause::new("FieldValueInvalid", "spec", message))
}

fn refuse_beyond_node(write: &Write<'_>, before: &Value, after: &Value) -> Result<(), ApiError> {
    let Some(allocatable) = write.allocatable else { return Ok(()) };
    for name in ["cpu", "memory"] {
        let (old, new) = (resources::requested(before, name), resources::requested(after, name));
        let room = allocatable.get(name).and_then(Value::as_str).and_then(|text| text.parse::<Quantity>().ok());
        let Some(room) = room.filter(|room| new > old && new > room.nanos()) else { continue };
        let said = shown(name, new, room);
        let cause = Cause::new("NodeCapacity", "", "");
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
