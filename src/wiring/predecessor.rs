//! Whether ch-vmm, whose place Reef takes, is still at work in the cluster. Both would act on the same VMs, so a role that finds it does not start.
//!
//! Asked once at the start, by name wherever ch-vmm has a name, so that few rights are needed. The names are those of ch-vmm's own manifests; its lease
//! has the same name however it was installed. Nothing of it is changed here.

use std::time::Duration;

use anyhow::{Context, bail};
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, Error, ResourceExt};

use super::kubeconfig::Cluster;

/// Where ch-vmm's manifests put it.
const NAMESPACE: &str = "ch-vmm-system";
const CONTROLLER: &str = "virtmanager-controller-manager";
const DAEMON: &str = "ch-vmm-daemon";
const MUTATING: &str = "virtmanager-mutating-webhook-configuration";
const VALIDATING: &str = "virtmanager-validating-webhook-configuration";
/// The name of its lease, which stands in its program.
const LEASE: &str = "4d5ad620.cloudhypervisor.quill.today";
/// The label of its Pods, where they are none of Reef's.
const PODS: &str = "quill.today/vm.name,!reef.dev/vm";
/// Pods of which nothing runs.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";
/// As many Pods are named.
const NAMED: u32 = 3;
/// A lease is left behind by whoever is killed. Who lives renews it every two seconds, and gives it up where that fails for ten: so controller-runtime
/// does it without another word.
const RENEWED_WITHIN: Duration = Duration::from_secs(11);

/// What a role may ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Everything: for who starts VMs and grants sizes.
    All,
    /// What the API server asks about a write: for who is asked as well.
    Admission,
}

/// Checks that ch-vmm is not at work.
///
/// # Errors
/// With everything of it that is, and what to do.
pub async fn refuse(cluster: &Cluster, seen: Seen) -> anyhow::Result<()> {
    let client = &cluster.requests;
    let silent = || format!("the API server at {} does not answer", cluster.server);
    let found = at_work(client, seen).await.with_context(silent)?;
    if found.is_empty() {
        return Ok(());
    }
    bail!(
        "ch-vmm is at work in the cluster at {}, and Reef takes its place: both would act on the same VMs. docs/moving-over.md tells how to go on; found:\n  {}",
        cluster.server,
        found.join("\n  ")
    )
}

/// Sentences about what is at work.
async fn at_work(client: &Client, seen: Seen) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let (mutating, validating) = (Api::all(client.clone()), Api::all(client.clone()));
    let hooks = [
        named::<MutatingWebhookConfiguration>(&mutating, MUTATING).await?.map(|_| ("Mutating", MUTATING)),
        named::<ValidatingWebhookConfiguration>(&validating, VALIDATING).await?.map(|_| ("Validating", VALIDATING)),
    ];
    found.extend(hooks.into_iter().flatten().map(|(kind, name)| {
        format!("{kind}WebhookConfiguration {name} asks ch-vmm about each write of a VM: delete it")
    }));
    if seen == Seen::All {
        found.extend(workloads(client).await?);
        found.extend(pods(client).await?);
        // The lease takes time, and tells nothing where the controller was found already.
        if found.is_empty() {
            found.extend(leader(client).await?);
        }
    }
    Ok(found)
}

async fn workloads(client: &Client) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let deployments = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    let replicas = |it: Deployment| it.spec.and_then(|spec| spec.replicas).unwrap_or(1);
    match named(&deployments, CONTROLLER).await?.map(replicas) {
        None | Some(0) => {}
        Some(wanted) => found.push(format!(
            "Deployment {NAMESPACE}/{CONTROLLER} wants {wanted} of ch-vmm's controller: scale it to 0, or delete it"
        )),
    }
    let daemons = Api::<DaemonSet>::namespaced(client.clone(), NAMESPACE);
    if named(&daemons, DAEMON).await?.is_some() {
        found.push(format!("DaemonSet {NAMESPACE}/{DAEMON} runs ch-vmm's daemon on each node: delete it"));
    }
    Ok(found)
}

/// VMs that ch-vmm started: Reef would start each a second time, on the same disks.
async fn pods(client: &Client) -> Result<Option<String>, Error> {
    let running = ListParams::default().labels(PODS).fields(RUNNING).limit(NAMED);
    let listed = match Api::<Pod>::all(client.clone()).list(&running).await {
        Ok(listed) => listed,
        Err(error) => return unasked(error, PODS).map(|()| None),
    };
    if listed.items.is_empty() {
        return Ok(None);
    }
    let name = |pod: &Pod| format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
    let names = listed.items.iter().map(name).collect::<Vec<_>>().join(", ");
    let more = if listed.metadata.continue_.is_some_and(|token| !token.is_empty()) { " and more" } else { "" };
    Ok(Some(format!(
        "Pods that ch-vmm made run VMs ({names}{more}): shut these VMs down and delete the Pods, or Reef would boot each VM a second time on the same disks"
    )))
}

/// ch-vmm's controller, wherever it runs and whatever it is called, by the lease that it renews.
async fn leader(client: &Client) -> Result<Option<String>, Error> {
    let leases = Api::<Lease>::all(client.clone());
    let before = held(&leases).await?;
    if before.is_empty() {
        return Ok(None);
    }
    tracing::info!(lease = LEASE, "a lease of ch-vmm is there; looking whether somebody renews it");
    tokio::time::sleep(RENEWED_WITHIN).await;
    let renewed = held(&leases).await?.into_iter().find(|lease| !before.contains(lease));
    Ok(renewed.map(|Held { namespace, holder, .. }| {
        format!("ch-vmm's controller renews its lease {namespace}/{LEASE} as {holder}: stop it")
    }))
}

/// A lease that somebody holds, as of one renewal.
#[derive(PartialEq)]
struct Held {
    namespace: String,
    holder: String,
    renewed: Option<String>,
}

async fn held(leases: &Api<Lease>) -> Result<Vec<Held>, Error> {
    let listed = match leases.list(&ListParams::default().fields(&format!("metadata.name={LEASE}"))).await {
        Ok(listed) => listed.items,
        Err(error) => return unasked(error, LEASE).map(|()| Vec::new()),
    };
    let held = listed.into_iter().filter_map(|lease| {
        let namespace = lease.namespace().unwrap_or_default();
        let spec = lease.spec?;
        let holder = spec.holder_identity.filter(|holder| !holder.is_empty())?;
        Some(Held { namespace, holder, renewed: spec.renew_time.map(|time| time.0.to_string()) })
    });
    Ok(held.collect())
}

/// An object by its name; nothing where it is not there or may not be asked for.
async fn named<K>(api: &Api<K>, name: &str) -> Result<Option<K>, Error>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    match api.get_opt(name).await {
        Ok(found) => Ok(found),
        Err(error) => unasked(error, name).map(|()| None),
    }
}

/// What the rights do not let a role ask, it cannot tell of: an installation with fewer rights works as before.
fn unasked(error: Error, name: &str) -> Result<(), Error> {
    match error {
        Error::Api(status) if status.code == 403 => {
            tracing::warn!(object = name, refusal = status.message, "whether ch-vmm is at work cannot be asked");
            Ok(())
        }
        // A server without the kind has no such object.
        Error::Api(status) if status.code == 404 => Ok(()),
        other => Err(other),
    }
}

#[cfg(test)]
mod tests;
