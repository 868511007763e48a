//! The embedded cluster as a whole: objects, scheduler, kubelets, VMMs and guests, wired together with one seed and one clock.
//!
//! It stands in for the other party of Reef's roles and starts none of them.

mod clock;
mod controls;
mod options;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::ApiServer;
use crate::node::kubelet::{KubeletControl, World};
use crate::node::scheduler::Scheduler;
use crate::node::{Breach, Checker, Hosts, Kubelet};
use crate::store::{Store, StoreOptions};
use crate::vmm::VmmNet;
pub use clock::VirtualClock;
pub use controls::{ControlError, Cordon};
pub use options::{ClusterOptions, ClusterTimings};

/// An embedded cluster.
pub struct Cluster {
    store: Store,
    api: ApiServer,
    hosts: Hosts,
    net: VmmNet,
    checker: Checker,
    timings: ClusterTimings,
    kubelets: BTreeMap<String, KubeletControl>,
    waiting: Mutex<Vec<Kubelet>>,
}

impl Cluster {
    /// Makes a cluster whose clocks begin now. Nothing moves in it before [`Cluster::run`].
    #[must_use]
    pub fn new(options: ClusterOptions) -> Self {
        let clock = options.clock;
        let store = Store::new(StoreOptions::new(options.seed, Arc::new(move || clock.now())));
        let api = ApiServer::new(store.clone(), options.api);
        let hosts = Hosts::new(options.host_dir);
        let checker = Checker::new(store.clone(), hosts.clone(), options.overhead);
        let net = VmmNet::default();
        let world = World {
            store: store.clone(),
            hosts: hosts.clone(),
            net: net.clone(),
            checker: checker.clone(),
            node_timings: options.timings.node.clone(),
            vmm_timings: options.timings.vmm.clone(),
            start: Instant::now(),
        };
        let mut seeds = ChaCha8Rng::seed_from_u64(options.seed);
        let made = options.nodes.into_iter().map(|node| {
            let name = node.name.clone();
            (name, Kubelet::new(world.clone(), node, seeds.random()))
        });
        let (mut kubelets, mut waiting) = (BTreeMap::new(), Vec::new());
        for (name, (kubelet, control)) in made {
            kubelets.insert(name, control);
            waiting.push(kubelet);
        }
        Self { store, api, hosts, net, checker, timings: options.timings, kubelets, waiting: Mutex::new(waiting) }
    }

    /// Lets the cluster live until `stop`. It can be run once.
    pub async fn run(&self, stop: CancellationToken) {
        let kubelets = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let tasks = TaskTracker::new();
        tasks.spawn(self.checker.clone().run(stop.clone()));
        for kubelet in kubelets {
            tasks.spawn(kubelet.run(stop.clone()));
        }
        tasks.spawn(Scheduler::new(self.store.clone(), self.timings.node.bind).run(stop));
        tasks.close();
        tasks.wait().await;
    }

    /// The cluster's objects.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Its API server.
    #[must_use]
    pub const fn api(&self) -> &ApiServer {
        &self.api
    }

    /// A client of its API in this process.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        self.api.client()
    }

    /// What the hosts show of the VMMs: threads, cgroups, processes.
    #[must_use]
    pub const fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The VMMs' sockets in memory, by the path that the node itself names.
    #[must_use]
    pub const fn net(&self) -> &VmmNet {
        &self.net
    }

    /// Where the invariant did not hold so far.
    #[must_use]
    pub fn breaches(&self) -> Vec<Breach> {
        self.checker.breaches()
    }
}
