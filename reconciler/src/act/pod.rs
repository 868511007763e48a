//! Requests about the Pod of a VM, and what the server made of a wish. Pure.

use k8s_openapi::api::core::v1::Pod;
use reef_api::PodSize;
use reef_api::names::VMM_CONTAINER;
use serde_json::{Value, json};

use super::outcome::Refused;
use super::request::{Request, Verb};
use crate::decide::observed::RefusalKind;
use crate::observe::{Object, pod_observed};

/// The path of a Pod.
pub(super) fn path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods/{name}")
}

/// Creates a Pod.
pub(super) fn create(namespace: &str, pod: &Pod) -> Request {
    let uri = format!("/api/v1/namespaces/{namespace}/pods?fieldManager={}", reef_api::names::CONTROLLER_MANAGER);
    Request { verb: Verb::Create, uri, body: serde_json::to_value(pod).unwrap_or(Value::Null) }
}

/// Deletes a Pod, and no other of the same name; where a version is named, only if nothing has happened to it since.
pub(super) fn delete(namespace: &str, name: &str, uid: &str, resource_version: Option<&str>) -> Request {
    let preconditions = match resource_version {
        Some(version) => json!({"uid": uid, "resourceVersion": version}),
        None => json!({"uid": uid}),
    };
    let body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
    Request { verb: Verb::Delete, uri: path(namespace, name), body }
}

/// Wishes other resources for the container that runs the VMM, if the Pod is still the one that was looked at.
///
/// Requests and limits both, by container name: a strategic merge leaves every other container as it is.
pub(super) fn resize(namespace: &str, name: &str, uid: &str, resource_version: &str, wish: PodSize) -> Request {
    let PodSize { cpu_request, cpu_limit, memory } = wish;
    let resources = json!({
        "requests": {"cpu": cpu_request, "memory": memory},
        "limits": {"cpu": cpu_limit, "memory": memory},
    });
    let body = json!({
        "metadata": {"uid": uid, "resourceVersion": resource_version},
        "spec": {"containers": [{"name": VMM_CONTAINER, "resources": resources}]},
    });
    let manager = reef_api::names::CONTROLLER_MANAGER;
    let uri = format!("{}/resize?fieldManager={manager}", path(namespace, name));
    Request { verb: Verb::Patch, uri, body }
}

/// A refusal where the server took a wish and made something else of it, as webhooks and policies of others do. Asking again would not help.
pub(super) fn made_otherwise(wish: PodSize, answer: &Object) -> Option<Refused> {
    let pod: Pod = answer.read().ok()?;
    let made = pod_observed(&pod).ok()?.spec;
    let message = format!(
        "it made {made} of the wish for {wish}; an admission webhook or policy changes it, and has to let it pass"
    );
    (made != wish).then_some(Refused { kind: RefusalKind::Admission, message })
}
