//! Reef's own kinds, by the definitions that are installed in real clusters.

use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, CustomResourceExt, ResourceExt};
use reef_api::{GitSource, SizingPolicy, VirtualMachine};
use serde_json::{Value, json};

use super::setup::{refusal, server};

async fn defined() -> (Client, Api<VirtualMachine>) {
    let client = server().client();
    for definition in [VirtualMachine::crd(), GitSource::crd(), SizingPolicy::crd()] {
        Api::all(client.clone()).create(&PostParams::default(), &definition).await.unwrap();
    }
    (client.clone(), Api::default_namespaced(client))
}

fn vm(body: Value) -> Patch<Value> {
    let mut object = json!({ "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine", "metadata": { "name": "web-1" } });
    object.as_object_mut().unwrap().extend(body.as_object().cloned().unwrap());
    Patch::Apply(object)
}

fn size(cores: i32, memory: &str) -> Patch<Value> {
    vm(
        json!({ "spec": { "runPolicy": "Always", "instance": { "cpu": { "coresPerSocket": cores }, "memory": { "size": memory }, "kernel": { "image": "k", "cmdline": "" }, "disks": [] } } }),
    )
}

#[tokio::test(start_paused = true)]
async fn a_vm_is_applied_and_its_status_has_two_writers() {
    let (_, api) = defined().await;
    let controller = PatchParams::apply("reef-controller");
    let made = api.patch("web-1", &controller, &size(2, "2Gi")).await.unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    let phase = vm(json!({ "status": { "phase": "Running", "conditions": [
        { "type": "Ready", "status": "True", "reason": "Settled", "message": "", "lastTransitionTime": "2026-11-21T12:00:00Z" },
    ] } }));
    api.patch_status("web-1", &controller, &phase).await.unwrap();
    let report = vm(json!({ "status": { "vmm": {
        "podUID": "u", "ackSeq": 1, "process": { "pid": 7, "startTime": 9 }, "version": "v53.0", "paused": false,
        "vcpusRequested": 2, "vcpusPresent": 2, "memoryRequested": "2Gi", "memoryActual": "2Gi",
        "boot": { "minVcpus": 1, "maxVcpus": 4, "minMemory": "1Gi", "maxMemory": "8Gi" },
    } } }));
    let daemon = PatchParams::apply("reef-daemon");
    let both = api.patch_status("web-1", &daemon, &report).await.unwrap();
    assert_eq!(both.metadata.generation, Some(1));
    let status = serde_json::to_value(both.status.clone().unwrap()).unwrap();
    assert_eq!((&status["phase"], &status["vmm"]["ackSeq"]), (&json!("Running"), &json!(1)));
    let again = api.patch_status("web-1", &daemon, &report).await.unwrap();
    assert_eq!(again.resource_version(), both.resource_version());
    let grown = api.patch("web-1", &controller, &size(4, "2Gi")).await.unwrap();
    assert_eq!((grown.metadata.generation, grown.status), (Some(2), both.status));
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_is_no_vm_is_refused() {
    let (_, api) = defined().await;
    let controller = PatchParams::apply("reef-controller");
    let refused = refusal(
        api.patch("web-1", &controller, &vm(json!({ "spec": { "instance": { "cpu": { "sockets": "two" } } } }))).await,
    );
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
}
