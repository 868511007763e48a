//! A kubelet: it owns the Pods that are bound to its node, and one task owns the kubelet.
//!
//! It sees the cluster by the store's changes only. What it knows of a Pod lives in a [`worker::Worker`].

pub mod guest_control;
mod launch;
mod node_object;
pub mod resize;
pub mod sizes;
mod status;
mod steps;
#[cfg(test)]
mod tests;
pub mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::host::Hosts;
use super::invariant::Checker;
use super::pod::PodView;
use super::resources::Amounts;
use super::timings::NodeTimings;
use crate::store::{At, Change, ChangeKind, ObjectKey, ResourceId, Store};
use crate::vmm::{Spread, Vmm, VmmNet, VmmTimings};
pub use node_object::NodeOptions;
use steps::After;
use worker::Worker;

/// Controls that may wait for a kubelet.
const CONTROLS: usize = 16;
/// How often Pods that wait for one another are looked at again in one instant.
const ROUNDS: usize = 8;

/// Ways in which a kubelet can be bad.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// It defers every resize.
    pub defers: bool,
    /// It says of every resize that it is infeasible, for this reason.
    pub infeasible: Option<String>,
    /// It allocates resizes and never carries them out.
    pub stalls: bool,
    /// After a resize is done, the status shows the old values once more.
    pub flaps: bool,
    /// It lowers no memory limit, as if all of it were in use.
    pub keeps: bool,
    /// It does nothing at all, and its node is not ready.
    pub frozen: bool,
    /// It does nothing at all, and its node stays ready: it is being restarted.
    pub restarting: bool,
}

impl Quirks {
    const fn still(&self) -> bool {
        self.frozen || self.restarting
    }
}

/// What all kubelets of a cluster share.
#[derive(Clone)]
pub struct World {
    /// The cluster's objects.
    pub store: Store,
    /// What the hosts show.
    pub hosts: Hosts,
    /// The VMMs' sockets in memory.
    pub net: VmmNet,
    /// Told of every change of a VMM.
    pub checker: Checker,
    /// The delays of kubelets.
    pub node_timings: NodeTimings,
    /// The delays of VMMs and guests.
    pub vmm_timings: VmmTimings,
    /// The zero of all clocks.
    pub start: Instant,
}

/// The kubelet of one node.
pub struct Kubelet {
    store: Store,
    hosts: Hosts,
    net: VmmNet,
    checker: Checker,
    timings: NodeTimings,
    vmm_timings: VmmTimings,
    start: Instant,
    node: NodeOptions,
    quirks: Quirks,
    controls: mpsc::Receiver<Quirks>,
    rng: Mutex<ChaCha8Rng>,
    workers: BTreeMap<String, Worker>,
    ends: FuturesUnordered<BoxFuture<'static, (String, Vmm)>>,
    new_ends: Mutex<Vec<(String, Vmm)>>,
}

/// Changes how a kubelet behaves.
#[derive(Clone, Debug)]
pub struct KubeletControl {
    quirks: mpsc::Sender<Quirks>,
}

impl KubeletControl {
    /// From now on it has these quirks and no others. Nothing happens where it has ended.
    pub async fn set(&self, quirks: Quirks) {
        // A kubelet that has ended has no behaviour.
        let _ = self.quirks.send(quirks).await;
    }
}

impl Kubelet {
    /// The kubelet of `node`; its delays and ids come from `seed`.
    #[must_use]
    pub fn new(world: World, node: NodeOptions, seed: u64) -> (Self, KubeletControl) {
        let (quirks, controls) = mpsc::channel(CONTROLS);
        let kubelet = Self {
            store: world.store,
            hosts: world.hosts,
            net: world.net,
            checker: world.checker,
            timings: world.node_timings,
            vmm_timings: world.vmm_timings,
            start: world.start,
            node,
            quirks: Quirks::default(),
            controls,
            rng: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            workers: BTreeMap::new(),
            ends: FuturesUnordered::new(),
            new_ends: Mutex::default(),
        };
        (kubelet, KubeletControl { quirks })
    }

    /// Works until `stop`; then its VMMs end too.
    pub async fn run(mut self, stop: CancellationToken) {
        self.register();
        let of_pods = ResourceId::core("pods");
        let (pods, version) = self.store.list_at(&of_pods, None);
        let mut changes = self.store.subscribe_of(of_pods, version);
        pods.iter().for_each(|pod| self.take_in(pod));
        let mut lease = Instant::now();
        let mut concerned = true;
        loop {
            if concerned {
                self.pass();
            }
            concerned = true;
            let due = self.workers.values().filter_map(Worker::due).min().unwrap_or(lease).min(lease);
            let frozen = self.quirks.still();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(quirks) = self.controls.recv() => self.set_quirks(quirks),
                Some((uid, vmm)) = self.ends.next(), if !frozen && !self.ends.is_empty() => self.ended(&uid, &vmm),
                change = changes.next(), if !frozen => match change {
                    Ok(change) => concerned = self.changed(&change),
                    Err(lagged) => {
                        changes.skip_to(lagged.oldest);
                        self.relist();
                    }
                },
                () = tokio::time::sleep_until(due), if !frozen => {
                    // That the lease is renewed changes nothing for any Pod.
                    concerned = due < lease;
                    if lease <= Instant::now() {
                        self.renew_lease();
                        lease = Instant::now() + self.timings.lease.max(Duration::from_secs(1));
                    }
                }
            }
        }
        for worker in self.workers.values() {
            worker.vmm.iter().for_each(Vmm::kill);
        }
    }

    fn set_quirks(&mut self, quirks: Quirks) {
        if quirks.frozen != self.quirks.frozen {
            self.write_ready(!quirks.frozen);
        }
        self.quirks = quirks;
    }

    /// Takes in a change; true where it concerns this node.
    fn changed(&mut self, change: &Change) -> bool {
        let is_here = change.object.at("/spec/nodeName").and_then(Value::as_str) == Some(&self.node.name);
        if !is_here {
            return false;
        }
        match change.kind {
            ChangeKind::Added | ChangeKind::Modified => self.take_in(&change.object),
            ChangeKind::Deleted => self.forget(crate::store::meta::uid(&change.object)),
        }
        true
    }

    fn take_in(&mut self, pod: &Arc<Value>) {
        if pod.at("/spec/nodeName").and_then(Value::as_str) != Some(&self.node.name) {
            return;
        }
        let (pod, now) = (PodView::parse(pod), Instant::now());
        let uid = pod.uid.clone();
        match self.workers.remove(&uid) {
            Some(mut worker) => {
                self.seen(&mut worker, pod, now);
                self.workers.insert(uid, worker);
            }
            None => {
                let worker = self.admit(pod, self.held(), now);
                self.workers.insert(uid, worker);
            }
        }
    }

    fn forget(&mut self, uid: &str) {
        if let Some(mut worker) = self.workers.remove(uid) {
            self.removed(&mut worker);
        }
    }

    /// After changes were missed: everything is looked at anew.
    fn relist(&mut self) {
        let pods = self.store.list(&ResourceId::core("pods"), None);
        let there = |uid: &str| pods.iter().any(|pod| crate::store::meta::uid(pod) == uid);
        let gone: Vec<String> = self.workers.keys().filter(|uid| !there(uid)).cloned().collect();
        gone.iter().for_each(|uid| self.forget(uid));
        pods.iter().for_each(|pod| self.take_in(pod));
    }

    fn ended(&mut self, uid: &str, vmm: &Vmm) {
        if let Some(mut worker) = self.workers.remove(uid) {
            self.container_ended(&mut worker, vmm, Instant::now());
            self.workers.insert(uid.to_owned(), worker);
        }
    }

    /// What the Pods on this node hold.
    fn held(&self) -> Amounts {
        self.workers.values().map(Worker::allocated).fold(Amounts::default(), Amounts::plus)
    }

    /// Does everything that is due; again while Pods free what others wait for.
    fn pass(&mut self) {
        if self.quirks.still() {
            return;
        }
        for _ in 0..ROUNDS {
            let mut freed = false;
            let mut held = self.held();
            for uid in self.workers.keys().cloned().collect::<Vec<_>>() {
                let Some(mut worker) = self.workers.remove(&uid) else { continue };
                let others = held.minus(worker.allocated());
                let after = self.step(&mut worker, others, Instant::now());
                freed |= after != After::Same;
                held = if after == After::Gone { others } else { others.plus(worker.allocated()) };
                if after != After::Gone {
                    self.workers.insert(uid, worker);
                }
            }
            let new_ends = std::mem::take(&mut *self.new_ends.lock().unwrap_or_else(PoisonError::into_inner));
            for (uid, vmm) in new_ends {
                self.ends.push(Box::pin(async move {
                    vmm.ended().cancelled().await;
                    (uid, vmm)
                }));
            }
            if !freed {
                return;
            }
        }
    }

    fn await_end(&self, worker: &Worker, vmm: &Vmm) {
        let mut ends = self.new_ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.push((worker.pod.uid.clone(), vmm.clone()));
    }

    fn rng(&self) -> MutexGuard<'_, ChaCha8Rng> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pick(&self, spread: Spread) -> Duration {
        spread.pick(&mut self.rng())
    }

    fn node_key(&self) -> ObjectKey {
        super::scheduler::node_key(&self.node.name)
    }
}
