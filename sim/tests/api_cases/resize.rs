//! `pods/resize` through a real client.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use reef_sim::api::{ApiOptions, ApiServer, InfeasibleMode};
use reef_sim::store::{ObjectKey, ResourceId};
use serde_json::{Value, json};

use super::setup::{refusal, server, server_with};

fn amounts(cpu: &str) -> Value {
    json!({ "requests": { "cpu": cpu, "memory": "1Gi" }, "limits": { "cpu": cpu, "memory": "1Gi" } })
}

fn wish(cpu: &str) -> Value {
    json!({ "spec": { "containers": [{ "name": "vm-manager", "resources": amounts(cpu) }] } })
}

async fn pod_on(server: &ApiServer) -> Api<Pod> {
    let pods: Api<Pod> = Api::default_namespaced(server.client());
    let pod = json!({ "metadata": { "name": "p" }, "spec": { "restartPolicy": "Never", "nodeName": "n", "containers": [
        { "name": "vm-manager", "image": "vmm:1", "volumeMounts": [{ "name": "s", "mountPath": "/run" }], "resources": amounts("1") },
    ] } });
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    pods
}

#[tokio::test(start_paused = true)]
async fn a_strategic_patch_resizes_and_counts_a_generation() {
    let pods = pod_on(&server()).await;
    let resized = pods.patch_resize("p", &PatchParams::default(), &Patch::Strategic(wish("2"))).await.unwrap();
    let container = serde_json::to_value(&resized.spec.unwrap().containers[0]).unwrap();
    assert_eq!(container["resources"], amounts("2"));
    assert_eq!(container["volumeMounts"], json!([{ "name": "s", "mountPath": "/run" }]));
    assert_eq!(resized.metadata.generation, Some(2));
    let same = pods.patch_resize("p", &PatchParams::default(), &Patch::Strategic(wish("2000m"))).await.unwrap();
    assert_eq!(same.metadata.resource_version, resized.metadata.resource_version);
}

#[tokio::test(start_paused = true)]
async fn an_apply_resizes_and_a_merge_patch_that_names_every_container_does_too() {
    let pods = pod_on(&server()).await;
    let mut config = wish("2");
    config["apiVersion"] = json!("v1");
    config["kind"] = json!("Pod");
    let params = PatchParams::apply("reef-controller").force();
    let resized = pods.patch_resize("p", &params, &Patch::Apply(config)).await.unwrap();
    assert_eq!(resized.metadata.generation, Some(2));
    let merged = pods.patch_resize("p", &PatchParams::default(), &Patch::Merge(wish("3"))).await.unwrap();
    assert_eq!(merged.metadata.generation, Some(3));
}

#[tokio::test(start_paused = true)]
async fn preconditions_and_other_ways_are_refused() {
    let pods = pod_on(&server()).await;
    let with = |metadata: Value| {
        let mut patch = wish("2");
        patch["metadata"] = metadata;
        patch
    };
    let params = PatchParams::default();
    let other = with(json!({ "uid": "other" }));
    let refused = refusal(pods.patch_resize("p", &params, &Patch::Strategic(other)).await);
    assert_eq!((refused.code, refused.message.contains("field is immutable")), (422, true));
    let stale = with(json!({ "resourceVersion": "1" }));
    assert_eq!(refusal(pods.patch_resize("p", &params, &Patch::Strategic(stale)).await).code, 409);
    assert_eq!(refusal(pods.patch("p", &params, &Patch::Strategic(wish("2"))).await).code, 422);
}

#[tokio::test(start_paused = true)]
async fn a_newer_server_refuses_what_the_node_can_never_hold() {
    let server = server_with(ApiOptions { infeasible: InfeasibleMode::AtAdmission, ..ApiOptions::default() });
    let nodes = ResourceId::core("nodes");
    let node = json!({ "metadata": { "name": "n" }, "status": { "allocatable": { "cpu": "2", "memory": "8Gi" } } });
    server.store().create(&nodes, node).unwrap();
    let pods = pod_on(&server).await;
    let refused = refusal(pods.patch_resize("p", &PatchParams::default(), &Patch::Strategic(wish("3"))).await);
    assert_eq!((refused.code, refused.reason.as_str()), (403, "Forbidden"));
    assert_eq!(refused.details.unwrap().causes[0].reason, "NodeCapacity");
    let key = ObjectKey::namespaced(ResourceId::core("pods"), "default", "p");
    assert_eq!(server.store().get(&key).unwrap()["metadata"]["generation"], 1);
    pods.patch_resize("p", &PatchParams::default(), &Patch::Strategic(wish("2"))).await.unwrap();
}
