//! The controller and the webhook beside ch-vmm, by their own accounts: each component is found by name with the rights that ship, and when the last one is
//! gone they start.
//!
//! What stands for ch-vmm are objects of the names that its manifests give, without its programs.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use reef::wiring::clock::SystemClock;
use reef_api::Clock;
use reef_real::stage::{accounts::Account, apply, beside, told};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::stand::{Stand, size};

const LEASE: &str = "4d5ad620.cloudhypervisor.quill.today";
/// What is taken away in turn, and what a role says as long as it is there.
const COMPONENTS: [(&str, &str); 5] = [
    ("deployment/virtmanager-controller-manager", "Deployment ch-vmm-system/virtmanager-controller-manager wants 1"),
    ("daemonset/ch-vmm-daemon", "DaemonSet ch-vmm-system/ch-vmm-daemon"),
    ("pod/vm-old-x1", "Pods that ch-vmm made run VMs (ch-vmm-system/vm-old-x1)"),
    (
        "mutatingwebhookconfiguration/virtmanager-mutating-webhook-configuration",
        "MutatingWebhookConfiguration virtmanager-mutating-webhook-configuration asks",
    ),
    (
        "validatingwebhookconfiguration/virtmanager-validating-webhook-configuration",
        "ValidatingWebhookConfiguration virtmanager-validating-webhook-configuration asks",
    ),
];

const CH_VMM: &str = r#"
apiVersion: v1
kind: Namespace
metadata: { name: ch-vmm-system }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: virtmanager-controller-manager, namespace: ch-vmm-system }
spec:
  selector: { matchLabels: { control-plane: controller-manager } }
  template:
    metadata: { labels: { control-plane: controller-manager } }
    spec: { containers: [{ name: manager, image: none }] }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: ch-vmm-daemon, namespace: ch-vmm-system }
spec:
  selector: { matchLabels: { name: ch-vmm-daemon } }
  template:
    metadata: { labels: { name: ch-vmm-daemon } }
    spec: { containers: [{ name: ch-vmm-daemon, image: none }] }
---
apiVersion: v1
kind: Pod
metadata: { name: vm-old-x1, namespace: ch-vmm-system, labels: { quill.today/vm.name: old } }
spec: { containers: [{ name: vm-manager, image: none }] }
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: { name: virtmanager-mutating-webhook-configuration }
webhooks: []
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: { name: virtmanager-validating-webhook-configuration }
webhooks: []
"#;

/// What a role says that does not start.
fn refused(account: &Account, arguments: &[&str]) -> Result<String> {
    let role = Command::new("timeout")
        .arg("60")
        .arg(beside("reef")?)
        .args(arguments)
        .env("KUBECONFIG", &account.kubeconfig)
        .output()?;
    let told = String::from_utf8_lossy(&role.stderr).into_owned();
    ensure!(role.status.code() == Some(1), "{arguments:?} ended with {}: {told}", role.status);
    ensure!(!told.contains("cannot be asked"), "a right is missing: {told}");
    Ok(told)
}

fn says(told: &str, words: &[&str]) -> Result<()> {
    ensure!(told.contains("ch-vmm is at work in the cluster"), "{told}");
    for (_, sentence) in COMPONENTS {
        ensure!(told.contains(sentence) == words.contains(&sentence), "{sentence:?}: {told}");
    }
    Ok(())
}

/// Renews ch-vmm's lease as its controller does, until it is dropped.
async fn renewed(stand: &Stand) -> Result<JoinHandle<()>> {
    let leases = Api::<Lease>::namespaced(stand.client.clone(), "ch-vmm-system");
    let renew = async move |leases: &Api<Lease>| {
        let spec = json!({ "holderIdentity": "manager-1", "renewTime": format!("{:.6}", SystemClock.now()) });
        let patch = json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": LEASE }, "spec": spec });
        leases.patch(LEASE, &PatchParams::apply("ch-vmm").force(), &Patch::Apply(patch)).await.map(drop)
    };
    renew(&leases).await?;
    Ok(tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let _ = renew(&leases).await;
        }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_names_each_component_of_ch_vmm_that_it_finds_and_starts_when_the_last_is_gone() -> Result<()> {
    let mut stand = Stand::bare(&[]).await?;
    apply(&stand.cluster, &stand.cluster.folder().join("ch-vmm.yaml"), CH_VMM)?;
    let webhook = Account::of(&stand.cluster, "webhook").await?;
    let cache = stand.cluster.folder().join("cache").display().to_string();
    let controller = ["controller", "--health-addr", "127.0.0.1:0", "--cache-dir", &cache];
    let admission = ["webhook", "--listen", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"];
    let sentences = COMPONENTS.map(|(_, sentence)| sentence);
    says(&refused(&webhook, &admission)?, &sentences[3..])?;
    for (gone, (component, _)) in COMPONENTS.iter().enumerate() {
        says(&refused(&stand.account, &controller)?, &sentences[gone..])?;
        told(stand.cluster.kubectl().args(["-n", "ch-vmm-system", "delete", "--now", component]))?;
    }
    let renewing = renewed(&stand).await?;
    let told = refused(&stand.account, &controller)?;
    ensure!(
        told.contains("renews its lease ch-vmm-system/4d5ad620.cloudhypervisor.quill.today as manager-1"),
        "{told}"
    );
    renewing.abort();
    // The lease is left behind, and holds nobody up.
    stand.controller("controller", &[]).await?;
    stand.story("moved", size(1, 1)).await?;
    stand.controller_lives().await
}
