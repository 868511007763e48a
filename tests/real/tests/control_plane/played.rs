//! Scheduler, kubelet and daemon of a node that always do as they are told: what is wished is allocated and in effect, what is granted is there.
//!
//! It knows the API and the words of the VM's status, and nothing of how a controller decides.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use reef_api::{BootLayout, VirtualMachine};
use serde_json::{Value, json};

const NODE: &str = "node-1";
const PAUSE: Duration = Duration::from_millis(100);

/// Plays a node for ever. What fails is tried again: the API server may be away.
pub async fn node(client: Client) {
    loop {
        let _ = pass(&client).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn pass(client: &Client) -> Result<()> {
    register(client).await?;
    let of_vms = ListParams::default().labels("reef.dev/vm");
    for pod in Api::<Pod>::all(client.clone()).list(&of_vms).await? {
        // One Pod that cannot be served must not keep the others from it.
        let _ = serve(client, &pod).await;
    }
    Ok(())
}

async fn register(client: &Client) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    if nodes.get_opt(NODE).await?.is_some() {
        return Ok(());
    }
    nodes.create(&PostParams::default(), &serde_json::from_value(json!({ "metadata": { "name": NODE } }))?).await?;
    let amounts = json!({ "cpu": "64", "memory": "256Gi", "pods": "100" });
    let ready = json!({ "type": "Ready", "status": "True", "reason": "Played", "message": "" });
    let status = json!({ "status": { "capacity": amounts, "allocatable": amounts, "conditions": [ready] } });
    nodes.patch_status(NODE, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

async fn serve(client: &Client, pod: &Pod) -> Result<()> {
    let (name, namespace) = (pod.name_any(), pod.namespace().context("a Pod has a namespace")?);
    let pods = Api::<Pod>::namespaced(client.clone(), &namespace);
    if pod.metadata.deletion_timestamp.is_some() {
        pods.delete(&name, &DeleteParams::default().grace_period(0)).await?;
        return Ok(());
    }
    let spec = pod.spec.as_ref().context("a Pod has a spec")?;
    if spec.node_name.is_none() {
        let target = json!({ "apiVersion": "v1", "kind": "Node", "name": NODE });
        let binding = json!({ "metadata": { "name": name }, "target": target });
        let _: Value = pods.create_subresource("binding", &name, &PostParams::default(), &binding).await?;
        return Ok(());
    }
    if pod.status.as_ref().and_then(|status| status.observed_generation) != pod.metadata.generation {
        let status = json!({ "status": status(pod)? });
        pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await?;
    }
    report(client, pod).await
}

/// All that is wished is allocated and in effect.
fn status(pod: &Pod) -> Result<Value> {
    let spec = pod.spec.as_ref().context("a Pod has a spec")?;
    let containers = spec.containers.iter().map(|container| {
        let resources = container.resources.clone().unwrap_or_default();
        json!({
            "name": container.name, "image": "played", "imageID": "", "ready": true, "restartCount": 0, "started": true,
            "allocatedResources": resources.requests, "resources": resources,
            "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } },
        })
    });
    let ready = json!({ "type": "Ready", "status": "True" });
    Ok(json!({
        "phase": "Running", "observedGeneration": pod.metadata.generation, "conditions": [ready],
        "containerStatuses": containers.collect::<Vec<_>>(),
    }))
}

/// What the daemon would tell of a VMM that does at once as it is told.
async fn report(client: &Client, pod: &Pod) -> Result<()> {
    let namespace = pod.namespace().context("a Pod has a namespace")?;
    let name = pod.labels().get("reef.dev/vm").context("the label")?;
    let vms = Api::<VirtualMachine>::namespaced(client.clone(), &namespace);
    let vm = vms.get(name).await?;
    let status = vm.status.unwrap_or_default();
    let uid = pod.uid().context("a Pod has a UID")?;
    let grant = status.resize.and_then(|resize| resize.grant).filter(|grant| grant.pod_uid == uid);
    let before = status.vmm.filter(|report| report.pod_uid == uid);
    let layout = layout(pod)?;
    let (seq, vcpus, memory) = match (&grant, &before) {
        (Some(grant), _) => (grant.seq, grant.vcpus, grant.memory),
        (None, Some(before)) => (before.ack_seq, before.vcpus_requested, before.memory_requested),
        (None, None) => (0, layout.vcpus, layout.memory),
    };
    let report = json!({
        "podUID": uid, "process": { "pid": 1, "startTime": 1 }, "ackSeq": seq,
        "vcpusRequested": vcpus, "vcpusPresent": vcpus, "memoryRequested": memory, "memoryActual": memory,
        "boot": {
            "minVcpus": layout.min_vcpus, "maxVcpus": layout.max_vcpus,
            "minMemory": layout.min_memory, "maxMemory": layout.max_memory,
        },
    });
    if before.map(serde_json::to_value).transpose()?.as_ref() == Some(&report) {
        return Ok(());
    }
    let object = json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": { "name": name, "resourceVersion": vm.metadata.resource_version }, "status": { "vmm": report },
    });
    vms.patch_status(name, &PatchParams::apply("reef-daemon"), &Patch::Apply(object)).await?;
    Ok(())
}

fn layout(pod: &Pod) -> Result<BootLayout> {
    let arguments = pod.spec.as_ref().and_then(|spec| spec.containers.first()?.args.clone()).unwrap_or_default();
    let text = arguments.get(2).context("the Pod carries its boot layout")?;
    Ok(serde_json::from_str(text)?)
}
