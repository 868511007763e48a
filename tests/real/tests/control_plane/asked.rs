//! How the API server is made to ask a webhook, and what people hear of it: shared by the stories of admission.

use std::process::Output;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use kube::Api;
use reef_real::Cluster;
use reef_real::stage::{accounts::Account, admission, apply};
use serde_json::{Value, json};

use crate::stand::{Stand, Story, soon};

/// Starts one more webhook, and tells its address.
pub async fn webhook(stand: &mut Stand, account: &Account, name: &str, flags: &[&str]) -> Result<String> {
    admission::start(&mut stand.cluster, account, name, flags).await?;
    let log = stand.cluster.logs().join(format!("{name}.log"));
    soon("the webhook listens", async || admission::address(&log)).await
}

/// Has the API server ask whoever is at this address. `change` is made to the configurations first.
pub fn configure(stand: &Stand, address: &str, change: impl Fn(&str) -> String) -> Result<()> {
    // The controller of these stories is known by the account that it ships with.
    let text = change(&admission::configurations(address));
    apply(&stand.cluster, &stand.cluster.folder().join("admission.yaml"), &text)
}

/// Has the API server ask the webhook at this address, and waits until it trusts its certificate. `change` is made to the configurations first.
pub async fn ask(stand: &Stand, address: &str, change: impl Fn(&str) -> String) -> Result<()> {
    configure(stand, address, change)?;
    let (mutating, validating) = (
        Api::<MutatingWebhookConfiguration>::all(stand.client.clone()),
        Api::<ValidatingWebhookConfiguration>::all(stand.client.clone()),
    );
    soon("both configurations trust the webhook", async || {
        let (one, other) = (mutating.get("reef-webhook").await?, validating.get("reef-webhook").await?);
        let of_one = one.webhooks.iter().flatten().map(|hook| hook.client_config.ca_bundle.is_some());
        let of_other = other.webhooks.iter().flatten().map(|hook| hook.client_config.ca_bundle.is_some());
        Ok(of_one.chain(of_other).all(|trusts| trusts).then_some(()))
    })
    .await?;
    is_asked(stand).await
}

/// Waits until what cannot work is refused: a configuration is in force a moment after it was written.
async fn is_asked(stand: &Stand) -> Result<()> {
    soon("the webhook is asked", async || {
        let refused =
            create(&stand.cluster, &vm("default", "probe", &json!({"instance": {"memory": {"size": "100Mi"}}})), true)?;
        Ok((!refused.status.success()).then_some(()))
    })
    .await
}

/// A VM of this spec.
pub fn vm(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    })
}

/// Creates an object as a person does, so that warnings are seen.
pub fn create(cluster: &Cluster, object: &Value, dry: bool) -> Result<Output> {
    let file = cluster.folder().join("object.json");
    std::fs::write(&file, object.to_string())?;
    let mut command = cluster.kubectl();
    command.args(["create", "-f"]).arg(&file);
    if dry {
        command.arg("--dry-run=server");
    }
    Ok(command.output()?)
}

/// Changes an object as a person does.
pub fn patch(cluster: &Cluster, namespace: &str, about: &[&str], patch: &Value) -> Result<Output> {
    let mut command = cluster.kubectl();
    command.args(["-n", namespace, "patch"]).args(about).args(["-p", &patch.to_string()]);
    Ok(command.output()?)
}

/// What was said.
pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A refusal that says all of this.
pub fn refused(output: &Output, words: &[&str]) -> Result<()> {
    let told = told(output);
    ensure!(!output.status.success(), "it was allowed: {told}");
    ensure!(words.iter().all(|word| told.contains(word)), "{words:?} are not all in: {told}");
    Ok(())
}

/// Allowed, with a warning that says all of this.
pub fn warned(output: &Output, words: &[&str]) -> Result<()> {
    let told = told(output);
    ensure!(output.status.success(), "it was refused: {told}");
    ensure!(words.iter().all(|word| told.contains(word)), "{words:?} are not all in: {told}");
    Ok(())
}

fn container(cpu: &str, memory: &str) -> Value {
    let amounts = json!({ "cpu": cpu, "memory": memory });
    json!({ "spec": { "containers": [{ "name": "vm-manager", "resources": { "requests": amounts, "limits": amounts } }] } })
}

/// A person resizes the Pod of the story's VM, without effect.
pub async fn resized_by_hand(stand: &Stand, story: &Story, cpu: &str, memory: &str) -> Result<Output> {
    let name = story.pod().await?.metadata.name.context("a name")?;
    let about = ["pod", name.as_str(), "--subresource=resize", "--dry-run=server"];
    patch(&stand.cluster, &story.namespace, &about, &container(cpu, memory))
}
