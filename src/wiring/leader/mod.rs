//! Which of several controllers acts: the one that holds a Lease. The others stand by.
//!
//! The lease keeps two from doing the same work; that no VM is harmed does not rest on it, because every write names what was seen. It is lost rather
//! than stretched: a process whose last renewal is too long ago sends nothing any more, whatever it believes, and ends.

mod fence;
mod witness;

use std::time::Duration;

use anyhow::Context;
use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Api, Client};
use kube_lease_manager::{LeaseCreateMode, LeaseManager, LeaseManagerError, LeaseParams};
use reef_reconciler::act::DEADLINE;
use reef_watch::Chain;
use tokio::time::Instant;

use super::kubeconfig::Cluster;

pub use fence::{Fence, fenced};
use witness::witnessed;

/// For how long nobody else takes the lease after its last renewal.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often it is renewed.
const RENEWED_EVERY: Duration = Duration::from_secs(10);
/// For how long after a renewal something may be sent: what is sent last has its deadline before the lease ends.
const SENDS: Duration = LEASE.saturating_sub(DEADLINE);
/// So long a lease is free before somebody else than its manager looks at it.
const AT_WORK: Duration = Duration::from_secs(2);
/// After a failure it is tried again so much later.
const AGAIN: Duration = Duration::from_secs(1);

/// Which lease, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidacy {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who asks: no other process has the same name at the same time.
    pub identity: String,
}

impl Candidacy {
    /// The name of this process: that of its Pod, which the next process in it takes over, or of the machine with the number of the process.
    pub fn own_identity() -> String {
        let number = std::process::id();
        let machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        std::env::var("POD_NAME").unwrap_or_else(|_| format!("{}-{number}", machine().trim()))
    }
}

/// A process that asks for a lease, or holds it.
pub struct Election {
    requests: Client,
    watches: Client,
    candidacy: Candidacy,
    manager: LeaseManager,
    fence: Fence,
}

/// How standing by ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stood {
    /// The lease is held.
    Won,
    /// Nobody holds it, and the manager has not noticed.
    FreeForLong,
}

impl Election {
    /// Makes the Lease where it is not there. Nothing is asked for yet.
    ///
    /// # Errors
    /// Where the API server refuses or does not answer.
    pub async fn new(cluster: &Cluster, candidacy: Candidacy) -> anyhow::Result<Self> {
        let (requests, watches) = (cluster.requests.clone(), cluster.watches.clone());
        let fence = Fence::closed();
        let manager = manager(&requests, &candidacy, &fence).await.with_context(|| {
            let Candidacy { namespace, name, .. } = &candidacy;
            format!("the Lease {namespace}/{name} cannot be used; create the namespace, or choose another one with --lease-namespace")
        })?;
        Ok(Self { requests, watches, candidacy, manager, fence })
    }

    /// What may be sent only while the lease is held.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Waits until the lease is held.
    pub async fn won(&mut self) {
        tracing::info!(identity = self.candidacy.identity, "standing by");
        let mut holders = self.holders();
        while self.stood_by(&mut holders).await == Stood::FreeForLong {
            self.look_again().await;
        }
        tracing::info!(identity = self.candidacy.identity, "this process leads");
    }

    /// Stands by until the lease is held, or until nobody has held it for a moment. What the manager has under way is not cut off meanwhile: an answer that
    /// names this process opens the fence, and what is cut off may have been done.
    async fn stood_by(&self, holders: &mut BoxStream<'static, Option<String>>) -> Stood {
        let mut free: Option<Instant> = None;
        let mut managed = std::pin::pin!(async {
            loop {
                self.changed().await;
            }
        });
        loop {
            tokio::select! {
                biased;
                () = self.fence.opened() => return Stood::Won,
                () = &mut managed => {}
                // Who looks after the lease sleeps until its end, also where it was given back or deleted long before.
                Some(holder) = holders.next() => free = holder.is_none().then(|| Instant::now() + AT_WORK),
                () = tokio::time::sleep_until(free.unwrap_or_else(Instant::now)), if free.is_some() => return Stood::FreeForLong,
            }
        }
    }

    /// Keeps the lease, until it is lost or no longer sure.
    pub async fn lost(&self) {
        let identity = self.candidacy.identity.as_str();
        let taken = self.holders().filter(|holder| std::future::ready(holder.as_deref() != Some(identity)));
        let mut taken = std::pin::pin!(taken);
        tokio::select! {
            () = self.fence.ended() => tracing::error!(identity, "the lease could not be renewed in time"),
            _ = taken.next() => tracing::error!(identity, "the lease was deleted, or is held by another process"),
            () = async { while self.changed().await != Some(false) {} } => {
                tracing::error!(identity, "the lease is held by another process");
            }
        }
        self.fence.close();
    }

    /// Tells who holds the lease, and whenever that changes; nobody where it is free or gone.
    fn holders(&self) -> BoxStream<'static, Option<String>> {
        let api: Api<Lease> = Api::namespaced(self.watches.clone(), &self.candidacy.namespace);
        let seen = watch_object(api, &self.candidacy.name).default_backoff();
        let holder = |lease: Lease| lease.spec?.holder_identity.filter(|holder| !holder.is_empty());
        seen.filter_map(move |seen| std::future::ready(seen.ok().map(|lease| lease.and_then(holder)))).boxed()
    }

    async fn look_again(&mut self) {
        match manager(&self.requests, &self.candidacy, &self.fence).await {
            Ok(manager) => self.manager = manager,
            Err(error) => tracing::warn!(error = %Chain(&error), "the lease cannot be looked after at present"),
        }
    }

    /// Gives the lease back, so that another process need not wait for its end. Nothing may be under way any more.
    pub async fn release(self) {
        self.fence.close();
        if let Err(error) = self.manager.release().await {
            tracing::warn!(error = %Chain(&error), "the lease could not be given back; it ends by itself");
        }
    }

    /// The next change, or a failure that was told and waited for.
    async fn changed(&self) -> Option<bool> {
        match self.manager.changed().await {
            Ok(held) => Some(held),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the lease cannot be looked after at present");
                tokio::time::sleep(AGAIN).await;
                None
            }
        }
    }
}

async fn manager(client: &Client, candidacy: &Candidacy, fence: &Fence) -> Result<LeaseManager, LeaseManagerError> {
    let Candidacy { namespace, name, identity } = candidacy;
    let client = witnessed(client.clone(), identity.clone(), fence.clone(), SENDS);
    let params = LeaseParams::new(identity.clone(), LEASE.as_secs(), LEASE.saturating_sub(RENEWED_EVERY).as_secs());
    LeaseManager::new(client, name, namespace, params, LeaseCreateMode::AutoCreate).await
}
