//! Admission on values.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::store::{ResourceId, Store, StoreOptions};

fn kind(plural: &str) -> Arc<ResourceKind> {
    let store = Store::new(StoreOptions::new(1, Arc::new(jiff::Timestamp::default)));
    store.kind(&ResourceId::core(plural)).unwrap()
}

fn run(
    subresource: Option<&str>,
    before: Option<&Value>,
    mut after: Value,
    allocatable: Option<&Value>,
) -> Result<Value, ApiError> {
    let kind = kind("pods");
    let now = jiff::Timestamp::default();
    let write = Write {
        kind: &kind,
        subresource,
        before,
        validation: FieldValidation::Warn,
        source: Source::Body,
        allocatable,
        now,
    };
    admit(&write, &mut after).map(|_| after)
}

fn pod(cpu: &str, memory: &str) -> Value {
    let amounts = json!({ "cpu": cpu, "memory": memory });
    json!({ "metadata": { "name": "p" }, "spec": { "restartPolicy": "Never", "containers": [
        { "name": "vm-manager", "image": "vmm:1", "resources": { "limits": amounts, "requests": amounts } },
    ] } })
}

fn stored() -> Value {
    run(None, None, pod("1", "1Gi"), None).unwrap()
}

fn resized(change: impl FnOnce(&mut Value)) -> Result<Value, ApiError> {
    let before = stored();
    let mut after = before.clone();
    change(&mut after);
    run(Some("resize"), Some(&before), after, None)
}

fn set(pod: &mut Value, which: &str, name: &str, amount: &str) {
    pod["spec"]["containers"][0]["resources"][which][name] = json!(amount);
}

#[test]
fn a_new_pod_gets_its_defaults_class_and_phase() {
    let made = run(None, None, pod("1000m", "1024Mi"), None).unwrap();
    assert_eq!(made["status"], json!({ "phase": "Pending", "qosClass": "Guaranteed" }));
    let container = &made["spec"]["containers"][0];
    assert_eq!(container["resources"]["limits"], json!({ "cpu": "1", "memory": "1Gi" }));
    assert_eq!(container["resizePolicy"], Value::Null);
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
}

#[test]
fn requests_come_from_limits_and_decide_the_class() {
    let class = |resources: Value| {
        let mut pod = pod("1", "1Gi");
        pod["spec"]["containers"][0]["resources"] = resources;
        run(None, None, pod, None).unwrap()["status"]["qosClass"].clone()
    };
    assert_eq!(class(json!({ "limits": { "cpu": "1", "memory": "1Gi" } })), "Guaranteed");
    assert_eq!(class(json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "500m" } })), "Burstable");
    assert_eq!(class(json!({})), "BestEffort");
}

#[test]
fn a_broken_pod_is_refused_at_the_field() {
    let fault = |change: fn(&mut Value)| {
        let mut pod = pod("1", "1Gi");
        change(&mut pod);
        let refused = run(None, None, pod, None).unwrap_err();
        (
            refused.code(),
            refused.details.map(|details| details.causes.into_iter().map(|cause| cause.field).collect::<Vec<_>>()),
        )
    };
    let at = |field: &str| (422, Some(vec![field.to_owned()]));
    assert_eq!(fault(|pod| pod["spec"]["containers"] = json!([])), at("spec.containers"));
    assert_eq!(fault(|pod| pod["spec"]["containers"][0]["image"] = json!("")), at("spec.containers[0].image"));
    assert_eq!(fault(|pod| set(pod, "requests", "cpu", "2")), at("spec.containers[0].resources.requests"));
    assert_eq!(fault(|pod| set(pod, "requests", "cpu", "two")), (400, None));
    let restarts = json!([{ "resourceName": "cpu", "restartPolicy": "RestartContainer" }]);
    let mut pod = pod("1", "1Gi");
    pod["spec"]["containers"][0]["resizePolicy"] = restarts;
    assert_eq!(run(None, None, pod, None).unwrap_err().code(), 422);
}

#[test]
fn an_update_cannot_change_resources_and_never_touches_status() {
    let before = stored();
    let mut after = before.clone();
    set(&mut after, "limits", "cpu", "2");
    let refused = run(None, Some(&before), after, None).unwrap_err();
    assert_eq!(refused.code(), 422);
    assert!(refused.message.contains("pod updates may not change fields other than `spec.containers[*].image`"));
    let mut after = before.clone();
    after["spec"]["containers"][0]["image"] = json!("vmm:2");
    after["status"] = json!({ "phase": "Failed" });
    let stored = run(None, Some(&before), after, None).unwrap();
    assert_eq!((&stored["spec"]["containers"][0]["image"], &stored["status"]), (&json!("vmm:2"), &before["status"]));
}

#[test]
fn a_resize_changes_amounts_and_silently_ignores_the_rest() {
    let after = resized(|pod| {
        for which in ["requests", "limits"] {
            set(pod, which, "cpu", "2000m");
            set(pod, which, "memory", "2Gi");
        }
        pod["metadata"]["labels"] = json!({ "a": "b" });
        pod["spec"]["containers"][0]["image"] = json!("other:1");
    });
    let mut expected = stored();
    for which in ["requests", "limits"] {
        set(&mut expected, which, "cpu", "2");
        set(&mut expected, which, "memory", "2Gi");
    }
    assert_eq!(after, Ok(expected));
}

#[test]
fn a_resize_keeps_class_containers_and_other_resources() {
    let message = |change: fn(&mut Value)| {
        let refused = resized(change).unwrap_err();
        assert_eq!(refused.code(), 422);
        refused.message
    };
    assert!(
        message(|pod| set(pod, "requests", "cpu", "500m"))
            .contains("Pod QOS Class may not change as a result of resizing")
    );
    assert!(
        message(|pod| pod["spec"]["containers"] = json!([{ "name": "vm-manager" }]))
            .contains("limits cannot be removed")
    );
    assert!(
        message(|pod| pod["spec"]["containers"] = json!([]))
            .contains("containers may not be added or removed on resize")
    );
    assert!(
        message(|pod| pod["spec"]["containers"][0]["name"] = json!("other"))
            .contains("containers may not be renamed or reordered on resize")
    );
    assert!(
        message(|pod| {
            set(pod, "limits", "hugepages-2Mi", "2Mi");
            set(pod, "requests", "hugepages-2Mi", "2Mi");
        })
        .contains("only cpu and memory resources are mutable")
    );
    assert!(
        message(|pod| {
            pod["spec"]["containers"][0]["resources"] =
                json!({ "limits": { "memory": "1Gi" }, "requests": { "memory": "1Gi" } });
        })
        .contains("cannot be removed")
    );
}

#[test]
fn at_admission_more_than_the_node_has_is_forbidden() {
    let before = stored();
    let mut after = before.clone();
    set(&mut after, "requests", "cpu", "3");
    set(&mut after, "limits", "cpu", "3");
    let node = json!({ "cpu": "2", "memory": "8Gi" });
    let refused = run(Some("resize"), Some(&before), after, Some(&node)).unwrap_err();
    assert_eq!(refused.code(), 403);
    let said = "node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000";
    assert_eq!(refused.message, format!("pods \"p\" is forbidden: {said}"));
    assert_eq!(refused.details.unwrap().causes, vec![crate::store::Cause::new("NodeCapacity", "", "")]);
}
