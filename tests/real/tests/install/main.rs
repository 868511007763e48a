//! An installation as a platform team does it: one `kubectl apply -f` of what `reef manifests` prints, an image, a GitSource; a push reaches the guest; and
//! everything but the kinds is taken away again, while the VM runs on. Nothing is refused to the roles meanwhile, and no secret is told.
//!
//! What is changed of the manifests is what this cluster lacks: its Pods have the node's network and no other, no Service leads anywhere, its kubelet has a
//! folder of its own, and the repository is a folder of the node.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod changed;
mod secrets;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, LogParams, Patch, PatchParams};
use reef::demo::repository::{Change, Repository};
use reef::demo::tour::changes::sized;
use reef_api::{Bytes, Size, Vcpus, VirtualMachine, filled};
use reef_real::stage::accounts::Account;
use reef_real::stage::{apply, beside, images, rights, told};
use reef_real::{Cluster, Options, Shape};
use tokio::time::Instant;

const VM: &str = include_str!("../../src/stage/vm.yaml");
const FILE: &str = "vms/one.yaml";
const PATIENCE: Duration = Duration::from_secs(240);
const PAUSE: Duration = Duration::from_millis(200);

/// A repository on the node that the controller's user owns: libgit2 opens no other's.
fn repository(folder: &Path) -> Result<Repository> {
    let path = folder.join("vms.git");
    let repository = Repository::create(&path, &[])?;
    repository.push("a VM", &[Change::Write { path: FILE.to_owned(), text: VM.to_owned() }])?;
    owned(&path)?;
    Ok(repository)
}

fn owned(path: &Path) -> Result<()> {
    told(Command::new("chown").args(["-R", "65532:65532"]).arg(path)).map(drop)
}

async fn until(cluster: &Cluster, what: &str, mut there: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    let mut last = None;
    while Instant::now() < end {
        match there().await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(why) => last = Some(why),
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("it never came to pass that {what}: {last:?}\n{}", said(cluster).await?)
}

/// What the roles and their Pods tell.
async fn said(cluster: &Cluster) -> Result<String> {
    let pods = Api::<Pod>::namespaced(cluster.client().await?, "reef-system");
    let mut said = told(cluster.kubectl().args(["get", "pods,vm,gitsource", "-A", "-o", "wide"]))?;
    for pod in pods.list(&ListParams::default()).await?.items {
        let name = pod.metadata.name.unwrap_or_default();
        let log = pods.logs(&name, &LogParams { tail_lines: Some(20), ..LogParams::default() }).await;
        said += &format!(
            "{name}: {}\n{}\n",
            serde_json::to_string(&pod.status)?,
            log.unwrap_or_else(|why| why.to_string())
        );
    }
    Ok(said)
}

#[tokio::test]
async fn one_apply_and_a_source_lead_to_a_guest_that_is_resized_by_a_push_and_what_is_taken_away_leaves_it_running()
-> Result<()> {
    let cluster = Cluster::start(Options::of(Shape::Node)).await?;
    let folder = cluster.folder().join("install");
    std::fs::create_dir(&folder)?;
    images::import(&cluster, &folder)?;
    images::import_roles(&cluster, &folder)?;
    let begun = Instant::now();
    let arguments = ["manifests", "--image", images::ROLES, "--vmm-image", images::REEF];
    let printed = told(Command::new(beside("reef")?).args(arguments))?;
    let manifests = changed::for_this_cluster(&cluster, &folder, &printed)?;
    let file = folder.join("manifests.yaml");
    apply(&cluster, &file, &manifests)?;
    told(cluster.kubectl().args([
        "-n",
        "reef-system",
        "rollout",
        "status",
        "--timeout=120s",
        "daemonset/reef-daemon",
    ]))?;
    for role in ["deployment/reef-controller", "deployment/reef-webhook"] {
        told(cluster.kubectl().args(["-n", "reef-system", "rollout", "status", "--timeout=120s", role]))?;
    }
    let installed = begun.elapsed();
    let repository = repository(&folder)?;
    apply(&cluster, &folder.join("source.yaml"), &source(&repository))?;
    let vms = Api::<VirtualMachine>::namespaced(cluster.client().await?, "default");
    let has = async |size: Size| {
        let vm = vms.get("one").await?;
        Ok(vm.is_settled() && vm.actual() == Some(size))
    };
    // The node of two processors has no room for another vCPU beside the roles.
    let (small, large) = (Size::new(Vcpus(1), Bytes(512 << 20)), Size::new(Vcpus(1), Bytes(1 << 30)));
    until(&cluster, "the VM runs with its first size", async || has(small).await).await?;
    println!(
        "installed after {:.0} s, the first VM settled after {:.0} s",
        installed.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    until(&cluster, "the API server asks the webhook, and trusts it", async || asked(&cluster)).await?;
    let canaries = secrets::plant(&cluster).await?;
    let text = sized(FILE, &repository.read(FILE)?, "one", large)?;
    repository.push("larger", &[Change::Write { path: FILE.to_owned(), text }])?;
    owned(&folder.join("vms.git"))?;
    until(&cluster, "the guest has its second size", async || has(large).await).await?;
    ensure!(filled::is_filled(&vms.get("one").await?), "the webhook has filled it in");
    refused(&cluster)?;
    limited(&cluster, &vms).await?;
    secrets::searched(&cluster, canaries).await?;
    allowed(&cluster)?;
    uninstalled(&cluster, &file, &vms, large).await
}

/// A source that denies changes by hand, and is written as its account: the webhook takes that for Git's own hand.
fn source(repository: &Repository) -> String {
    SOURCE.replace("URL", &repository.url())
}

const SOURCE: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: { name: reef-source, namespace: default }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: reef-source, namespace: default }
rules:
  - { apiGroups: [cloudhypervisor.quill.today], resources: [virtualmachines], verbs: [create, patch] }
  - { apiGroups: [reef.dev], resources: [sizingpolicies], verbs: [create, patch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: reef-source, namespace: default }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: reef-source }
subjects: [{ kind: ServiceAccount, name: reef-source, namespace: default }]
---
apiVersion: reef.dev/v1alpha1
kind: GitSource
metadata: { name: fleet, namespace: default }
spec: { url: URL, ref: main, interval: 5s, drift: Deny, serviceAccountName: reef-source }
";

/// A daemon's token that names no node writes nothing, and the policy that says so is one that the API server understands as a whole.
async fn limited(cluster: &Cluster, vms: &Api<VirtualMachine>) -> Result<()> {
    let account = Account::of(cluster, "daemon").await?.client().await?;
    let report = Patch::Merge(serde_json::json!({ "status": { "vmm": { "ackSeq": 1000 } } }));
    let vm = Api::<VirtualMachine>::namespaced(account, "default");
    let told = vm.patch_status("one", &PatchParams::default(), &report).await;
    let told = told.err().context("a token without a node is of no use")?.to_string();
    ensure!(told.contains("must name its node"), "{told}");
    ensure!(vms.get("one").await?.is_settled(), "the daemon in its Pod goes on");
    let checked = ["get", "validatingadmissionpolicy", "reef-daemon", "-o", "jsonpath={.status.typeChecking}"];
    let warnings = reef_real::stage::told(cluster.kubectl().args(checked))?;
    ensure!(!warnings.contains("expressionWarnings"), "{warnings}");
    Ok(())
}

/// By the API server's own log, which names who asked: the rights of an installation are enough.
fn allowed(cluster: &Cluster) -> Result<()> {
    for role in rights::ROLES {
        let asked = rights::asked(cluster.logs(), role)?;
        // What the test itself has tried by a token that names no node.
        let refused: Vec<&String> = asked.refused.iter().filter(|told| !told.contains("must name its node")).collect();
        ensure!(refused.is_empty(), "the account of the {role} was refused: {refused:#?}");
        let unused: Vec<String> = rights::granted(role)?.difference(&asked.used).map(ToString::to_string).collect();
        println!("reef-{role} was refused nothing; unused here: {unused:?}");
    }
    Ok(())
}

/// Whether a VM that cannot work is refused.
fn asked(cluster: &Cluster) -> Result<bool> {
    let file = cluster.folder().join("wrong.yaml");
    std::fs::write(&file, VM.replace("name: one", "name: wrong").replace("512Mi", "500Mi"))?;
    let output = cluster.kubectl().args(["create", "--dry-run=server", "-f"]).arg(&file).output()?;
    Ok(String::from_utf8_lossy(&output.stderr).contains("blocks of 128Mi"))
}

/// By the webhook that runs in the cluster: below what the VM holds its Pod is not cut.
fn refused(cluster: &Cluster) -> Result<()> {
    let pod = told(cluster.kubectl().args(["get", "pods", "-l", "reef.dev/vm=one", "-o", "name"]))?;
    let patch = r#"{"spec":{"containers":[{"name":"vm-manager","resources":{"requests":{"memory":"640Mi"},"limits":{"memory":"640Mi"}}}]}}"#;
    let output = cluster
        .kubectl()
        .args(["patch", pod.trim(), "--subresource=resize", "--dry-run=server", "-p", patch])
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && told.contains("VM default/one may hold 1Gi"), "{told}");
    Ok(())
}

/// Everything but the kinds goes, and no VM notices.
async fn uninstalled(cluster: &Cluster, file: &Path, vms: &Api<VirtualMachine>, size: Size) -> Result<()> {
    let pods = Api::<Pod>::namespaced(cluster.client().await?, "default");
    let pod = async || {
        let found = pods.list(&ListParams::default().labels("reef.dev/vm=one")).await?.items;
        found.into_iter().next().context("the VM has a Pod")
    };
    let before = pod().await?;
    told(cluster.kubectl().args(["delete", "--wait=true", "--timeout=120s", "-f"]).arg(changed::without_kinds(file)?))?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = pod().await?;
    ensure!(before.metadata.uid == after.metadata.uid, "it is the same Pod");
    let running = after.status.and_then(|status| status.phase);
    ensure!(running.as_deref() == Some("Running"), "its Pod is {running:?}");
    ensure!(vms.get("one").await?.actual() == Some(size), "the VM is still there");
    // Nothing holds it: whoever wants to take the VM away, or the kinds, can.
    told(cluster.kubectl().args(["delete", "--timeout=60s", "gitsource/fleet", "vm/one"])).map(drop)
}
