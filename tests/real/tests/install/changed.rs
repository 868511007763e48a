//! The manifests as they are changed for a cluster whose Pods have the node's network alone, as a kustomization would.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use reef_real::Cluster;
use serde::Deserialize;
use serde_json::{Value, json};

fn documents(text: &str) -> Result<Vec<Value>> {
    let all = serde_yaml::Deserializer::from_str(text).map(Value::deserialize).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|document| !document.is_null()).collect())
}

fn written(documents: &[Value]) -> Result<String> {
    let each = documents.iter().map(serde_yaml::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(each.iter().map(|document| format!("---\n{document}")).collect())
}

/// What is applied.
pub fn for_this_cluster(cluster: &Cluster, folder: &Path, printed: &str) -> Result<String> {
    // Ports of the cluster that none of its parties has, and no outgoing connection gets: one that was free a moment ago may be another's by now.
    let mut spare = cluster.spare_port()..;
    let mut port = || spare.next().context("a port");
    let webhook = port()?;
    let mut all = documents(printed)?;
    for object in &mut all {
        match object["kind"].as_str() {
            Some("Deployment" | "DaemonSet") => workload(cluster, folder, object, (webhook, port()?))?,
            Some("MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => address(object, webhook)?,
            _ => {}
        }
    }
    written(&all)
}

/// The same without the kinds, which stay, and without the namespace's own deletion being waited for twice.
pub fn without_kinds(file: &Path) -> Result<PathBuf> {
    let mut all = documents(&std::fs::read_to_string(file)?)?;
    all.retain(|object| object["kind"] != "CustomResourceDefinition");
    let kept = file.with_extension("without-kinds.yaml");
    std::fs::write(&kept, written(&all)?)?;
    Ok(kept)
}

fn workload(cluster: &Cluster, folder: &Path, object: &mut Value, (webhook, health): (u16, u16)) -> Result<()> {
    let name = object["metadata"]["name"].as_str().context("a name")?.to_owned();
    if object["kind"] == "Deployment" {
        // Two of one port do not fit on one node's network.
        object["spec"]["replicas"] = json!(1);
    }
    let pod = &mut object["spec"]["template"]["spec"];
    pod["hostNetwork"] = json!(true);
    let container = &mut pod["containers"][0];
    for port in container["ports"].as_array_mut().context("ports")? {
        port["containerPort"] = json!(if port["name"] == "https" { webhook } else { health });
    }
    let arguments = container["args"].as_array_mut().context("arguments")?;
    for argument in arguments.iter_mut() {
        let text = argument.as_str().context("a word")?;
        let text =
            ["8081", "8082", "8083"].iter().fold(text.to_owned(), |text, port| text.replace(port, &health.to_string()));
        *argument = json!(text.replace("9443", &webhook.to_string()).replace("$(POD_IP)", "127.0.0.1"));
    }
    match name.as_str() {
        "reef-daemon" => {
            let folder = "--kubelet-dir=/var/lib/kubelet";
            let stated = arguments.iter_mut().find(|argument| **argument == folder).context("the kubelet's folder")?;
            *stated = json!(format!("--kubelet-dir={}", cluster.kubelet_dir().display()));
            arguments.push(json!(format!("--cgroup-root={}", cluster.cgroup_root())));
        }
        "reef-webhook" => arguments.extend([json!("--tls-host=127.0.0.1"), json!("--allow-file-urls")]),
        _ => arguments.push(json!("--allow-file-urls")),
    }
    for probe in ["livenessProbe", "readinessProbe"] {
        container[probe]["httpGet"]["host"] = json!("127.0.0.1");
    }
    let server = cluster.server();
    let environment = container["env"].as_array_mut().context("an environment")?;
    environment.push(json!({ "name": "KUBERNETES_SERVICE_HOST", "value": server.0 }));
    environment.push(json!({ "name": "KUBERNETES_SERVICE_PORT", "value": server.1 }));
    if name == "reef-controller" {
        container["volumeMounts"]
            .as_array_mut()
            .context("mounts")?
            .push(json!({ "name": "repository", "mountPath": folder }));
        pod["volumes"]
            .as_array_mut()
            .context("volumes")?
            .push(json!({ "name": "repository", "hostPath": { "path": folder } }));
    }
    if name == "reef-daemon" {
        kubelet_folder(cluster, pod)?;
    }
    Ok(())
}

fn kubelet_folder(cluster: &Cluster, pod: &mut Value) -> Result<()> {
    let there = cluster.kubelet_dir().join("pods");
    for mount in pod["containers"][0]["volumeMounts"].as_array_mut().context("mounts")? {
        if mount["name"] == "pods" {
            mount["mountPath"] = json!(format!("/host{}", there.display()));
        }
    }
    for volume in pod["volumes"].as_array_mut().context("volumes")? {
        if volume["name"] == "pods" {
            volume["hostPath"]["path"] = json!(there);
        }
    }
    Ok(())
}

/// The webhook's address instead of its Service.
fn address(object: &mut Value, port: u16) -> Result<()> {
    for hook in object["webhooks"].as_array_mut().context("webhooks")? {
        let path = hook["clientConfig"]["service"]["path"].as_str().context("a path")?.to_owned();
        hook["clientConfig"] = json!({ "url": format!("https://127.0.0.1:{port}{path}") });
    }
    Ok(())
}
