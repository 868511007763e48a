//! Reads what a plan needs to know of a cluster: lists, page by page, with rights to read alone.

use anyhow::Context;
use k8s_openapi::api::core::v1::{LimitRange, Namespace, Node, Pod, ResourceQuota};
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use reef_api::facts::{ClusterFacts, ClusterSnapshot, SNAPSHOT_KIND};
use reef_api::names::reef_api_version;
use reef_api::{Clock, GitSource, SizingPolicy, VirtualMachine};
use reef_reconciler::observe::{Listed, facts};
use serde::de::DeserializeOwned;

use super::kubeconfig::Cluster;
use super::objects::pages;

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

/// The facts, and the VMs as they are in the cluster.
pub struct Read {
    /// The facts.
    pub facts: ClusterFacts,
    /// The VMs.
    pub vms: Vec<VirtualMachine>,
}

/// Lists everything that a plan needs.
///
/// # Errors
/// Where something cannot be listed; the message names the kind.
pub async fn facts_of(client: &Client) -> anyhow::Result<Read> {
    let listed = Listed {
        nodes: all::<Node>(client).await?,
        pods: all::<Pod>(client).await?,
        vms: all::<VirtualMachine>(client).await?,
        policies: all::<SizingPolicy>(client).await?,
        quotas: if_known::<ResourceQuota>(client).await?,
        limit_ranges: if_known::<LimitRange>(client).await?,
        sources: all::<GitSource>(client).await?,
    };
    Ok(Read { facts: facts(&listed), vms: listed.vms })
}

/// The same for a kind that the embedded cluster does not have.
async fn if_known<K>(client: &Client) -> anyhow::Result<Vec<K>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let unknown =
        |error: &anyhow::Error| matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if status.code == 404);
    all::<K>(client).await.or_else(|error| if unknown(&error) { Ok(Vec::new()) } else { Err(error) })
}

async fn all<K>(client: &Client) -> anyhow::Result<Vec<K>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::all(client.clone());
    pages(&api, &ListParams::default()).await.with_context(|| format!("{} cannot be listed", K::plural(&())))
}
