//! What a plan is judged by: the cluster of the kubeconfig, a file of `reef snapshot`, or nothing.

use std::path::PathBuf;

use anyhow::Context;
use jiff::SignedDuration;
use reef_api::facts::ClusterSnapshot;
use reef_api::plan::{FactsKind, FactsOrigin};
use reef_api::{Clock, VirtualMachine};
use reef_reconciler::review;

use super::args::ClusterArgs;
use super::progress::Progress;
use super::{print, snapshot};
use crate::view::text::span;
use crate::wiring::clock::SystemClock;
use crate::wiring::facts;

/// A snapshot older than this is named: nodes and VMs may have changed a lot.
const OLD: SignedDuration = SignedDuration::from_hours(1);

/// By what a plan is judged.
#[derive(Clone, Debug, clap::Args)]
pub struct FactsArgs {
    /// GitSource that applies the repository, as NAMESPACE/NAME: VMs of another one are not taken over.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Know the cluster by this file of `reef snapshot`.
    #[arg(long, value_name = "FILE", conflicts_with = "offline")]
    snapshot: Option<PathBuf>,
    /// Know nothing of any cluster.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// What is known of the cluster.
pub struct Known {
    origin: FactsOrigin,
    snapshot: Option<ClusterSnapshot>,
    /// The VMs themselves, where the cluster was asked.
    pub vms: Vec<VirtualMachine>,
}

impl Known {
    /// The same as a review takes it.
    pub fn cluster<'a>(&'a self, source: Option<&'a str>) -> review::Cluster<'a> {
        review::Cluster { origin: &self.origin, facts: self.snapshot.as_ref().map(|it| &it.facts), source }
    }
}

impl FactsArgs {
    /// The GitSource that applies the repository.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Asks the cluster, or reads the file.
    ///
    /// # Errors
    /// Where there is neither, and that was not said to be meant.
    pub async fn known(&self) -> anyhow::Result<Known> {
        if self.offline {
            let origin = FactsOrigin { from: FactsKind::Offline, at: None, cluster: None };
            return Ok(Known { origin, snapshot: None, vms: Vec::new() });
        }
        let (from, snapshot, vms) = match &self.snapshot {
            Some(file) => (FactsKind::Snapshot, snapshot::read(file)?, Vec::new()),
            None => {
                let cluster = self.cluster.connect().await;
                let cluster = cluster.context(
                    "a plan is judged by a cluster; name a file of `reef snapshot` by --snapshot, or say --offline",
                )?;
                let progress = Progress::start("reading the cluster");
                let taken = facts::take(&cluster, &SystemClock).await?;
                drop(progress);
                (FactsKind::Cluster, taken.snapshot, taken.vms)
            }
        };
        let age = SystemClock.now().duration_since(snapshot.taken_at);
        if age > OLD {
            print::warning(&format!("the snapshot is {} old; what it says of room may no longer be true", span(age)));
        }
        let origin = FactsOrigin { from, at: Some(snapshot.taken_at), cluster: snapshot.cluster.clone() };
        Ok(Known { origin, snapshot: Some(snapshot), vms })
    }
}
