//! Reef's own image on a real node: containerd takes it, and the roles run from it as Pods.
//!
//! The program in it is the one that the tests have built; `make image` packs the optimised one by the same functions.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{ListParams, LogParams, PostParams};
use reef_real::stage::accounts::{self, Account};
use reef_real::stage::{apply, beside, images, told};
use reef_real::{Cluster, Options, Shape};
use serde_json::{Value, json};

const VM: &str = include_str!("../../src/stage/vm.yaml");
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);

/// A role as a Pod, in the node's network: the Pods of this cluster have no other.
fn role(cluster: &Cluster, name: &str, arguments: &[&str], beyond: &Value) -> Pod {
    let folder = cluster.folder();
    let words: Vec<&str> = [&[name, "--health-addr", "127.0.0.1:0"], arguments].concat();
    let mut container = json!({
        "name": name,
        "image": images::ROLES,
        "imagePullPolicy": "Never",
        "args": words,
        "env": [{ "name": "KUBECONFIG", "value": folder.join(format!("{name}.kubeconfig")) }],
        "volumeMounts": [{ "name": "account", "mountPath": folder, "readOnly": true }],
    });
    let mut volumes = vec![json!({ "name": "account", "hostPath": { "path": folder } })];
    container["securityContext"] = beyond["securityContext"].clone();
    container["volumeMounts"].as_array_mut().unwrap().extend(beyond["mounts"].as_array().unwrap().clone());
    volumes.extend(beyond["volumes"].as_array().unwrap().clone());
    serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": {
            "hostNetwork": true, "hostPID": beyond["hostPID"], "automountServiceAccountToken": false,
            "containers": [container], "volumes": volumes,
        },
    }))
    .unwrap()
}

/// As a user who is not root, without any right, on a root that cannot be written.
fn controller(cluster: &Cluster) -> Pod {
    let beyond = json!({
        "securityContext": {
            "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] }
        },
        "mounts": [{ "name": "cache", "mountPath": "/var/cache/reef" }],
        "volumes": [{ "name": "cache", "emptyDir": {} }],
    });
    role(cluster, "controller", &["--vm-devices", "kvm"], &beyond)
}

/// As root, who alone may look at others' processes and write in the kubelet's folder. The rest of the node it can only read.
fn daemon(cluster: &Cluster) -> Pod {
    let plugins = "/var/lib/kubelet/device-plugins";
    let beyond = json!({
        "hostPID": true,
        "securityContext": { "runAsUser": 0, "readOnlyRootFilesystem": true },
        "mounts": [
            { "name": "node", "mountPath": "/host", "readOnly": true },
            { "name": "plugins", "mountPath": format!("/host{plugins}") }
        ],
        "volumes": [
            { "name": "node", "hostPath": { "path": "/" } },
            { "name": "plugins", "hostPath": { "path": plugins } }
        ],
    });
    let kubelet = cluster.kubelet_dir().display().to_string();
    let arguments = [
        ["--node", cluster.node_name()],
        ["--host-root", "/host"],
        ["--kubelet-dir", &kubelet],
        ["--devices", "kvm=/dev/full"],
    ];
    role(cluster, "daemon", &arguments.concat(), &beyond)
}

async fn until(cluster: &Cluster, what: &str, mut there: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let looking = async {
        while !there().await? {
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(found) => found,
        Err(_) => {
            let pods = Api::<Pod>::default_namespaced(cluster.client().await?);
            let mut said = String::new();
            for role in ["controller", "daemon"] {
                said += &pods.logs(role, &LogParams::default()).await.unwrap_or_else(|why| why.to_string());
            }
            anyhow::bail!("it never came to pass that {what}\n{said}")
        }
    }
}

#[tokio::test]
async fn the_roles_run_from_the_image_as_pods() -> Result<()> {
    let cluster = Cluster::start(Options::of(Shape::Node)).await?;
    images::import_roles(&cluster, cluster.folder())?;
    let kinds = told(Command::new(beside("reef")?).args(["manifests", "--crds"]))?;
    apply(&cluster, &cluster.folder().join("kinds.yaml"), &kinds)?;
    told(cluster.kubectl().args(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]))?;
    accounts::install(&cluster)?;
    let client = cluster.client().await?;
    let pods = Api::<Pod>::default_namespaced(client.clone());
    for (role, pod) in [("controller", controller(&cluster)), ("daemon", daemon(&cluster))] {
        Account::of(&cluster, role).await?;
        pods.create(&PostParams::default(), &pod).await?;
    }
    let nodes = Api::<Node>::all(client);
    until(&cluster, "the daemon offers its device", async || {
        let status = nodes.get(cluster.node_name()).await?.status.unwrap_or_default();
        let offered = status.allocatable.unwrap_or_default();
        Ok(offered.get("devices.reef.dev/kvm").is_some_and(|count| count.0 == "1k"))
    })
    .await?;
    apply(&cluster, &cluster.folder().join("vm.yaml"), VM)?;
    until(&cluster, "the controller makes the Pod of a VM", async || {
        let made = pods.list(&ListParams::default().labels("reef.dev/vm=one")).await?.items;
        let spec = made.first().and_then(|pod| pod.spec.as_ref());
        let limits = spec.and_then(|spec| spec.containers.first()?.resources.as_ref()?.limits.clone());
        Ok(limits.unwrap_or_default().contains_key("devices.reef.dev/kvm"))
    })
    .await?;
    for role in ["controller", "daemon"] {
        let status = pods.get(role).await?.status.context("a Pod has a status")?;
        let containers = status.container_statuses.unwrap_or_default();
        ensure!(
            containers.iter().all(|container| container.restart_count == 0),
            "{role} was started anew: {containers:?}"
        );
    }
    Ok(())
}
