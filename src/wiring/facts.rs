//! Reads what a plan needs to know of a cluster, with rights to read alone, and puts it into a document.

use anyhow::Context;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use reef_api::facts::{ClusterSnapshot, SNAPSHOT_KIND};
use reef_api::names::reef_api_version;
use reef_api::{Clock, VirtualMachine};
use reef_reconciler::act::{self, Caller, Facts};
use reef_reconciler::metrics::Metrics;

use super::kubeconfig::Cluster;

/// A cluster as it is now: the facts, and the VMs as they are there.
pub struct Taken {
    /// The facts, as a document.
    pub snapshot: ClusterSnapshot,
    /// The VMs.
    pub vms: Vec<VirtualMachine>,
}

/// Reads the cluster.
///
/// # Errors
/// Where something cannot be listed; the message names the kind.
pub async fn take(cluster: &Cluster, clock: &dyn Clock) -> anyhow::Result<Taken> {
    let client = &cluster.requests;
    let read = facts_of(client).await?;
    let version = client.apiserver_version().await;
    let version = version.with_context(|| format!("{} does not tell its version", cluster.server))?;
    // Who may not read it has a snapshot that does not say whose it is.
    let system = Api::<Namespace>::all(client.clone()).get_opt("kube-system").await.ok().flatten();
    let snapshot = ClusterSnapshot {
        api_version: reef_api_version(),
        kind: SNAPSHOT_KIND.to_owned(),
        taken_at: clock.now(),
        cluster: system.and_then(|namespace| namespace.metadata.uid),
        kubernetes: Some(version.git_version),
        facts: read.facts,
    };
    Ok(Taken { snapshot, vms: read.vms })
}

/// Lists everything that a plan needs, as the controller does for a CapacityCheck.
///
/// # Errors
/// Where something cannot be listed; the message names the kind.
pub async fn facts_of(client: &Client) -> anyhow::Result<Facts> {
    let caller = Caller::new(client.clone(), Metrics::default());
    Ok(act::facts(&caller).await?)
}
