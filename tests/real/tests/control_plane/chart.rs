//! The chart as Helm renders it: with its defaults it is what `reef manifests` prints, and each value is seen where it belongs. Needs no cluster.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::helm::{Helm, Objects, documents, printed};

#[test]
fn helm_renders_the_defaults_to_what_is_printed_and_each_value_is_seen() -> Result<()> {
    let helm = Helm::with(None)?;
    let chart = helm.chart()?;
    let linted = helm.told(&["lint", "--strict", &chart.display().to_string()])?;
    ensure!(linted.contains("0 chart(s) failed") && !linted.contains("WARNING"), "{linted}");
    let defaults = helm.rendered(&chart, &[])?;
    ensure!(defaults == expected(&[])?, "with its defaults the chart is not what is printed");
    ensure!(helm.rendered(&chart, &["monitoring.enabled=true"])? == expected(&["--monitoring"])?, "monitoring differs");
    each_value_is_seen(&helm, &chart)?;
    let without = helm.rendered(&chart, &["crds.enabled=false"])?;
    ensure!(
        without.keys().all(|(kind, _)| kind != "CustomResourceDefinition") && !without.is_empty(),
        "kinds are left out"
    );
    let text = chart.display().to_string();
    let refused =
        helm.refused(&["template", "reef", &text, "--kube-version", "1.35.4", "--set", "controler.replicas=1"])?;
    ensure!(refused.contains("controler"), "{refused}");
    let refused = helm.refused(&["template", "reef", &text, "--kube-version", "1.34.0"])?;
    ensure!(refused.contains("1.35"), "{refused}");
    elsewhere(&helm, &chart)
}

/// What is printed, as the chart has it: the namespace is Helm's matter, and kinds are kept.
fn expected(more: &[&str]) -> Result<Objects> {
    let mut printed = printed(more)?;
    printed.retain(|(kind, _), _| kind != "Namespace");
    for ((kind, _), object) in &mut printed {
        if kind == "CustomResourceDefinition" {
            object["metadata"]["annotations"] = json!({ "helm.sh/resource-policy": "keep" });
        }
    }
    Ok(printed)
}

/// A value as it is set, the object in which it is seen, where (`@` is its container), and as what.
const SEEN: [(&str, &str, &str, &str); 26] = [
    (r#"image="x/y:2""#, "Deployment/reef-controller", "@/image", r#""x/y:2""#),
    (r#"image="x/y:2""#, "Deployment/reef-webhook", "@/image", r#""x/y:2""#),
    (r#"image="x/y:2""#, "DaemonSet/reef-daemon", "@/image", r#""x/y:2""#),
    (
        r#"vmmImage="h:5000/v@sha256:aa""#,
        "Deployment/reef-controller",
        "@/args/3",
        r#""--vmm-image=h:5000/v@sha256:aa""#,
    ),
    (r#"imagePullSecrets=[{"name":"s"}]"#, "DaemonSet/reef-daemon", "^/imagePullSecrets", r#"[{"name":"s"}]"#),
    (r#"log="warn,reef=debug""#, "Deployment/reef-controller", "@/env/0/value", r#""warn,reef=debug""#),
    ("controller.replicas=3", "Deployment/reef-controller", "/spec/replicas", "3"),
    (r#"controller.vmDevices="kvm,tun""#, "Deployment/reef-controller", "@/args/4", r#""--vm-devices=kvm,tun""#),
    (
        r#"controller.resources={"limits":{"memory":"2Gi"}}"#,
        "Deployment/reef-controller",
        "@/resources/limits/memory",
        r#""2Gi""#,
    ),
    (r#"controller.nodeSelector={"a":"b"}"#, "Deployment/reef-controller", "^/nodeSelector", r#"{"a":"b"}"#),
    (r#"controller.tolerations=[{"key":"a"}]"#, "Deployment/reef-controller", "^/tolerations", r#"[{"key":"a"}]"#),
    ("webhook.replicas=5", "Deployment/reef-webhook", "/spec/replicas", "5"),
    (
        r#"webhook.resources={"limits":{"memory":"2Gi"}}"#,
        "Deployment/reef-webhook",
        "@/resources/limits/memory",
        r#""2Gi""#,
    ),
    (r#"webhook.nodeSelector={"a":"b"}"#, "Deployment/reef-webhook", "^/nodeSelector", r#"{"a":"b"}"#),
    (r#"webhook.tolerations=[{"key":"a"}]"#, "Deployment/reef-webhook", "^/tolerations", r#"[{"key":"a"}]"#),
    (r#"daemon.kubeletDir="/data/kubelet""#, "DaemonSet/reef-daemon", "@/args/2", r#""--kubelet-dir=/data/kubelet""#),
    (
        r#"daemon.kubeletDir="/data/kubelet""#,
        "DaemonSet/reef-daemon",
        "^/volumes/2/hostPath/path",
        r#""/data/kubelet/pods""#,
    ),
    (
        r#"daemon.kubeletDir="/data/kubelet""#,
        "DaemonSet/reef-daemon",
        "@/volumeMounts/2/mountPath",
        r#""/host/data/kubelet/pods""#,
    ),
    (r#"daemon.devices="kvm""#, "DaemonSet/reef-daemon", "@/args/3", r#""--devices=kvm""#),
    (
        r#"daemon.resources={"limits":{"memory":"2Gi"}}"#,
        "DaemonSet/reef-daemon",
        "@/resources/limits/memory",
        r#""2Gi""#,
    ),
    (r#"daemon.nodeSelector={"a":"b"}"#, "DaemonSet/reef-daemon", "^/nodeSelector", r#"{"a":"b"}"#),
    (r#"daemon.tolerations=[{"key":"a"}]"#, "DaemonSet/reef-daemon", "^/tolerations", r#"[{"key":"a"}]"#),
    (r#"monitoring.labels={"release":"p"}"#, "PrometheusRule/reef", "/metadata/labels/release", r#""p""#),
    (r#"monitoring.interval="5s""#, "PodMonitor/reef", "/spec/podMetricsEndpoints/0/interval", r#""5s""#),
    (r#"monitoring.dashboardLabels={"g":"1"}"#, "ConfigMap/reef-dashboard", "/metadata/labels/g", r#""1""#),
    (
        r#"monitoring.runbooks="https://e.com/r""#,
        "PrometheusRule/reef",
        "/spec/groups/0/rules/0/annotations/runbook_url",
        r#""https://e.com/r#reefcontrollerdown""#,
    ),
];

/// Values that add or leave out whole objects.
const SWITCHES: [&str; 2] = ["crds.enabled", "monitoring.enabled"];

fn each_value_is_seen(helm: &Helm, chart: &Path) -> Result<()> {
    let defaults = expected(&["--monitoring"])?;
    for (value, object, pointer, there) in SEEN {
        let (kind, name) = object.split_once('/').context("a kind and a name")?;
        let key = (kind.to_owned(), name.to_owned());
        let pointer = pointer.replace('@', "^/containers/0").replace('^', "/spec/template/spec");
        let there: Value = serde_json::from_str(there)?;
        ensure!(defaults[&key].pointer(&pointer) != Some(&there), "{value} is the default");
        let changed = helm.rendered(chart, &["monitoring.enabled=true", value])?;
        let found = changed[&key].pointer(&pointer);
        ensure!(found == Some(&there), "{value}: {found:?} at {pointer} of {object}");
    }
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(chart.join("values.schema.json"))?)?;
    let tried =
        |name: &str| SWITCHES.contains(&name) || SEEN.iter().any(|(value, ..)| value.split('=').next() == Some(name));
    let untried: Vec<String> = names(&schema, "").into_iter().filter(|name| name != "global" && !tried(name)).collect();
    ensure!(untried.is_empty(), "no change of {untried:?} is tried");
    Ok(())
}

/// The names of all values.
fn names(schema: &Value, before: &str) -> Vec<String> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let each = properties.map(|(name, within)| match within["properties"].is_object() {
        true => names(within, &format!("{before}{name}.")),
        false => vec![format!("{before}{name}")],
    });
    each.flatten().collect()
}

/// In another namespace nothing points to the usual one.
fn elsewhere(helm: &Helm, chart: &Path) -> Result<()> {
    let chart = chart.display().to_string();
    let set = ["--set", "monitoring.enabled=true", "--kube-version", "1.35.4"];
    let there = helm.told(&[&["template", "reef", &chart, "-n", "vms"][..], &set].concat())?;
    ensure!(!there.contains("reef-system"), "something is still of the usual namespace");
    ensure!(there.contains(r#""system:serviceaccount:vms:reef-controller""#), "the controller is known there");
    let usual = helm.told(&[&["template", "reef", &chart, "-n", "reef-system"][..], &set].concat())?;
    ensure!(
        documents(&there.replace("namespace: vms", "namespace: reef-system").replace(":vms:", ":reef-system:"))?
            == documents(&usual)?,
        "more differs"
    );
    Ok(())
}
