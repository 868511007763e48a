//! Pods: defaults at creation, and what an update may change. Resizes have a file of their own. Pure.

use serde_json::{Map, Value, json};

use super::{Write, resources};
use crate::store::{ApiError, At, Cause, meta};

const UPDATE_RULE: &str = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub(super) fn admit(write: &Write<'_>, after: &mut Value) -> Result<(), ApiError> {
    if write.subresource == Some("status") {
        return Ok(());
    }
    fill_in(after)?;
    let faults = match write.before {
        None => faults(after),
        Some(before) if same_but_for_changeable(before, after) => Vec::new(),
        Some(_) => vec![Cause::new("FieldValueForbidden", "spec", UPDATE_RULE)],
    };
    if !faults.is_empty() {
        return Err(ApiError::invalid("", "Pod", meta::name(after), faults));
    }
    if write.before.is_none() {
        let class = resources::qos_class(after);
        super::replace(after, "status", Some(json!({ "phase": "Pending", "qosClass": class })));
    }
    Ok(())
}

/// What admission adds to a new Pod, and nobody owns: its account, its priority, and how long it stays on a node that is lost.
pub(super) fn complete(pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let account = spec.get("serviceAccountName").cloned().unwrap_or_else(|| json!("default"));
    for (field, default) in [
        ("serviceAccountName", account.clone()),
        ("serviceAccount", account),
        ("priority", json!(0)),
        ("preemptionPolicy", json!("PreemptLowerPriority")),
        ("tolerations", json!([])),
    ] {
        spec.entry(field).or_insert(default);
    }
    let Some(tolerations) = spec.get_mut("tolerations").and_then(Value::as_array_mut) else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let known = |toleration: &Value| toleration.get("key").is_none_or(|found| found == key);
        if !tolerations.iter().any(known) {
            let toleration =
                json!({ "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 });
            tolerations.push(toleration);
        }
    }
}

/// Fills in what clients leave out.
///
/// # Errors
/// 400 for amounts that do not parse.
pub(super) fn fill_in(pod: &mut Value) -> Result<(), ApiError> {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return Ok(()) };
    for (field, default) in [
        ("restartPolicy", json!("Always")),
        ("dnsPolicy", json!("ClusterFirst")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("enableServiceLinks", json!(true)),
    ] {
        spec.entry(field).or_insert(default);
    }
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            fill_container(container)?;
        }
    }
    Ok(())
}

fn fill_container(container: &mut Value) -> Result<(), ApiError> {
    let pull = pull_policy(container.get("image").and_then(Value::as_str).unwrap_or_default());
    if let Some(map) = container.as_object_mut() {
        map.entry("resources").or_insert_with(|| json!({}));
        map.entry("imagePullPolicy").or_insert_with(|| json!(pull));
        map.entry("terminationMessagePath").or_insert_with(|| json!("/dev/termination-log"));
        map.entry("terminationMessagePolicy").or_insert_with(|| json!("File"));
    }
    resources::settle(container)?;
    Ok(())
}

fn pull_policy(image: &str) -> &'static str {
    let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
    if image.contains('@') || tag.is_some_and(|tag| tag != "latest") { "IfNotPresent" } else { "Always" }
}

fn faults(pod: &Value) -> Vec<Cause> {
    let mut faults = Vec::new();
    if pod.at("/spec/containers").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        faults.push(Cause::new("FieldValueRequired", "spec.containers", "Required value"));
    }
    let mut names: Vec<&str> = Vec::new();
    for (path, container) in resources::containers(pod) {
        let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() {
            faults.push(Cause::new("FieldValueRequired", format!("{path}.name"), "Required value"));
        } else if names.contains(&name) {
            faults.push(Cause::new(
                "FieldValueDuplicate",
                format!("{path}.name"),
                format!("Duplicate value: \"{name}\""),
            ));
        }
        names.push(name);
        if container.get("image").and_then(Value::as_str).unwrap_or_default().is_empty() {
            faults.push(Cause::new("FieldValueRequired", format!("{path}.image"), "Required value"));
        }
        faults.extend(resources::faults(&path, container));
        faults.extend(restart_faults(pod, &path, container));
    }
    faults
}

fn restart_faults(pod: &Value, path: &str, container: &Value) -> Option<Cause> {
    let never = pod.at("/spec/restartPolicy").and_then(Value::as_str) == Some("Never");
    let policies = container.get("resizePolicy").and_then(Value::as_array)?;
    let restarts =
        policies.iter().any(|policy| policy.get("restartPolicy").and_then(Value::as_str) == Some("RestartContainer"));
    let message = "Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'";
    (never && restarts).then(|| Cause::new("FieldValueInvalid", format!("{path}.resizePolicy"), message))
}

fn same_but_for_changeable(before: &Value, after: &Value) -> bool {
    fixed(before) == fixed(after) && keeps_tolerations(before, after)
}

fn fixed(pod: &Value) -> Map<String, Value> {
    let mut spec = pod.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
    for field in ["activeDeadlineSeconds", "tolerations"] {
        spec.remove(field);
    }
    for list in ["containers", "initContainers"] {
        let items = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for container in items.filter_map(Value::as_object_mut) {
            container.remove("image");
        }
    }
    spec
}

fn keeps_tolerations(before: &Value, after: &Value) -> bool {
    let list = |pod: &Value| pod.at("/spec/tolerations").and_then(Value::as_array).cloned().unwrap_or_default();
    let now = list(after);
    list(before).iter().all(|toleration| now.contains(toleration))
}
