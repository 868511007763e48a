//! A release of the chart on a real API server: refused beside ch-vmm, installed, upgraded, watched, taken away and installed again, while the kinds and
//! every VM stay.
//!
//! Nobody runs Pods here: that the objects are those of `reef manifests`, which `install` runs, is told in `chart`.

use anyhow::{Context, Result, ensure};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use reef_api::VirtualMachine;
use reef_real::stage::{apply, beside, told};
use reef_real::{Cluster, Options, Shape};
use serde_json::json;

use crate::helm::{Helm, tool};
use crate::stand::soon;

const OPERATOR: [&str; 2] = ["podmonitors", "prometheusrules"];
const CH_VMM: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: ch-vmm-system }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: ch-vmm-daemon, namespace: ch-vmm-system }
spec:
  selector: { matchLabels: { name: ch-vmm-daemon } }
  template:
    metadata: { labels: { name: ch-vmm-daemon } }
    spec: { containers: [{ name: ch-vmm-daemon, image: none }] }
";

/// The chart on a cluster.
struct Release {
    cluster: Cluster,
    client: Client,
    helm: Helm,
    chart: String,
}

impl Release {
    async fn stand() -> Result<Self> {
        let cluster = Cluster::start(Options::of(Shape::ControlPlane)).await?;
        let client = cluster.client().await?;
        let helm = Helm::with(Some(cluster.kubeconfig().to_owned()))?;
        let chart = helm.chart()?.display().to_string();
        Ok(Self { cluster, client, helm, chart })
    }

    fn words<'a>(&'a self, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&[verb, "reef", &self.chart, "-n", "reef-system"][..], more].concat()
    }

    fn install(&self, more: &[&str]) -> Result<String> {
        self.helm.told(&self.words("install", &[&["--create-namespace"][..], more].concat()))
    }

    fn upgrade(&self, more: &[&str]) -> Result<String> {
        self.helm.told(&self.words("upgrade", more))
    }

    fn uninstall(&self) -> Result<String> {
        self.helm.told(&["uninstall", "reef", "-n", "reef-system"])
    }

    async fn replicas(&self) -> Result<Option<i32>> {
        let roles = Api::<Deployment>::namespaced(self.client.clone(), "reef-system");
        let controller = roles.get_opt("reef-controller").await?;
        Ok(controller.and_then(|controller| controller.spec?.replicas))
    }

    /// The kinds and the VM are as they were, and the roles are there or not.
    async fn stays(&self, vm: &VirtualMachine, replicas: Option<i32>) -> Result<()> {
        let kinds = Api::<CustomResourceDefinition>::all(self.client.clone()).list(&ListParams::default()).await?;
        let ours =
            kinds.items.iter().filter(|kind| ["reef.dev", "cloudhypervisor.quill.today"].contains(&&*kind.spec.group));
        ensure!(ours.count() == 4, "all four kinds are there");
        let now = vms(&self.client).get("kept").await?;
        ensure!(now.metadata.uid == vm.metadata.uid && now.metadata.deletion_timestamp.is_none(), "the VM is the same");
        ensure!(self.replicas().await? == replicas, "the controller's Deployment: {:?}", self.replicas().await?);
        Ok(())
    }
}

fn vms(client: &Client) -> Api<VirtualMachine> {
    Api::namespaced(client.clone(), "default")
}

#[tokio::test]
async fn a_release_is_installed_upgraded_and_taken_away_while_kinds_and_vms_stay() -> Result<()> {
    let release = Release::stand().await?;
    beside_ch_vmm(&release)?;
    let notes = release.install(&[])?;
    ensure!(notes.contains("is applied to namespace reef-system"), "{notes}");
    let vm = soon("a VM can be made", async || {
        let object = json!({
            "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
            "metadata": { "name": "kept" }, "spec": { "instance": { "memory": { "size": "1Gi" } } },
        });
        Ok(vms(&release.client).create(&PostParams::default(), &serde_json::from_value(object)?).await.ok())
    })
    .await?;
    trusted(&release).await?;
    release.upgrade(&["--set", "controller.replicas=3"])?;
    ensure!(is_trusted(&release).await?, "an upgrade leaves what the webhook has written");
    release.stays(&vm, Some(3)).await?;
    watched(&release)?;
    release.uninstall()?;
    release.stays(&vm, None).await?;
    release.install(&["--set", "controller.replicas=1"]).context("what was kept is taken up again")?;
    release.stays(&vm, Some(1)).await?;
    release.uninstall()?;
    by_hand_before(&release)?;
    release.stays(&vm, Some(2)).await
}

fn beside_ch_vmm(release: &Release) -> Result<()> {
    let cluster = &release.cluster;
    apply(cluster, &cluster.folder().join("ch-vmm.yaml"), CH_VMM)?;
    let refused = release.helm.refused(&release.words("install", &["--create-namespace"]))?;
    ensure!(refused.contains("DaemonSet ch-vmm-system/ch-vmm-daemon is in this cluster"), "{refused}");
    told(cluster.kubectl().args(["-n", "ch-vmm-system", "delete", "daemonset/ch-vmm-daemon"])).map(drop)
}

/// The webhook writes its authority into what Helm has applied, as `reef webhook` does.
async fn trusted(release: &Release) -> Result<()> {
    let authority = ByteString(std::fs::read(release.cluster.authority())?);
    let patch = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "reef-webhook" },
        "webhooks": [{ "name": "pods.reef.dev", "clientConfig": { "caBundle": authority } }],
    });
    let hooks = Api::<ValidatingWebhookConfiguration>::all(release.client.clone());
    hooks.patch("reef-webhook", &PatchParams::apply("reef-webhook").force(), &Patch::Apply(patch)).await?;
    ensure!(is_trusted(release).await?, "it was written");
    Ok(())
}

async fn is_trusted(release: &Release) -> Result<bool> {
    let hooks = Api::<ValidatingWebhookConfiguration>::all(release.client.clone()).get("reef-webhook").await?;
    Ok(hooks.webhooks.iter().flatten().any(|hook| hook.client_config.ca_bundle.is_some()))
}

/// What watches the roles is as the Prometheus operator's own definitions want it, word for word.
fn watched(release: &Release) -> Result<()> {
    let (cluster, definitions) = (&release.cluster, tool("prometheus-operator")?);
    for kind in OPERATOR {
        let file = definitions.join(format!("monitoring.coreos.com_{kind}.yaml"));
        told(cluster.kubectl().args(["apply", "--server-side", "-f"]).arg(file))?;
    }
    told(cluster.kubectl().args(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]))?;
    let file = cluster.folder().join("watched.yaml");
    std::fs::write(&file, told(std::process::Command::new(beside("reef")?).args(["manifests", "--monitoring"]))?)?;
    told(cluster.kubectl().args(["create", "namespace", "elsewhere"]))?;
    told(
        cluster
            .kubectl()
            .args(["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f"])
            .arg(&file),
    )?;
    release.upgrade(&["--reuse-values", "--set", "monitoring.enabled=true"])?;
    let found = ["podmonitor/reef", "prometheusrule/reef", "configmap/reef-dashboard"];
    told(cluster.kubectl().args(["-n", "reef-system", "get"]).args(found)).map(drop)
}

/// What `kubectl apply` has made, Helm takes over when it is told to, and not otherwise.
fn by_hand_before(release: &Release) -> Result<()> {
    let file = release.cluster.folder().join("printed.yaml");
    apply(&release.cluster, &file, &told(std::process::Command::new(beside("reef")?).arg("manifests"))?)?;
    let refused = release.helm.refused(&release.words("install", &[]))?;
    ensure!(refused.contains("invalid ownership metadata"), "{refused}");
    release.install(&["--take-ownership"]).map(drop)
}
