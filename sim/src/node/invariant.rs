//! The invariant that never loses a VM, checked at every change of a VMM and of a Pod.
//!
//! What the VMM was asked for and what it has, plus its overhead, is at most the smallest of what the Pod's spec asks,
//! what is allocated and what is in effect. Watches only; changes nothing.
//!
//! What is in effect is the cgroup's: a status that shows old numbers once more takes nothing away from a VM.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use reef_api::{Bytes, MilliCpu};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::host::{HostFacts, Hosts};
use super::pod::PodView;
use super::resources::Amounts;
use crate::store::{ObjectKey, ResourceId, Store};
use crate::vmm::VmmView;

/// How many breaches are kept: the first ones tell the cause.
const KEPT: usize = 100;

/// The invariant did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{at}: {pod}: the VMM holds {held} of {resource}, with its overhead, and the Pod covers {covered} only ({side})"
)]
pub struct Breach {
    /// When it was seen.
    pub at: Timestamp,
    /// The Pod.
    pub pod: ObjectKey,
    /// `cpu` or `memory`.
    pub resource: &'static str,
    /// The larger of requested and actual, with the overhead, in milli-CPU or bytes.
    pub held: u64,
    /// The smallest number of the Pod.
    pub covered: u64,
    /// Which number of the Pod that is.
    pub side: &'static str,
}

/// Checks one VM: the first resource that its Pod does not cover. `None` also where the Pod's numbers are not there yet.
#[must_use]
pub fn breach_of(pod: &PodView, view: &VmmView, host: &HostFacts, overhead: Bytes, at: Timestamp) -> Option<Breach> {
    let container = pod.vmm_container()?;
    let (desired, allocated) = (container.desired, container.allocated?);
    let actual = Amounts { cpu: host.cpu_quota, memory: host.memory_limit };
    let breach = |resource, held, sides| {
        let (side, covered) = smallest(sides).filter(|(_, covered)| *covered < held)?;
        Some(Breach { at, pod: pod.key.clone(), resource, held, covered, side })
    };
    let memory = view.memory_requested_bytes.max(view.memory_actual_bytes).saturating_add(overhead.get());
    let memory_sides = [desired.limits.memory, allocated.memory, actual.memory];
    let cpu = u64::from(view.vcpus_requested.max(view.vcpus_present)).saturating_mul(1_000);
    // Allocated holds requests alone; with an overcommit they are a part of the vCPUs by intent.
    let overcommit = desired.requests.cpu != desired.limits.cpu;
    let cpu_sides = [desired.limits.cpu, allocated.cpu.filter(|_| !overcommit), actual.cpu];
    breach("memory", memory, memory_sides.map(|side| side.map(Bytes::get)))
        .or_else(|| breach("cpu", cpu, cpu_sides.map(|side| side.map(MilliCpu::get))))
}

fn smallest(sides: [Option<u64>; 3]) -> Option<(&'static str, u64)> {
    let named = ["spec", "allocated", "actual"].into_iter().zip(sides);
    named.filter_map(|(side, covered)| Some((side, covered?))).min_by_key(|(_, covered)| *covered)
}

/// Watches all VMs of a cluster and keeps what it found.
#[derive(Clone)]
pub struct Checker {
    store: Store,
    hosts: Hosts,
    overhead: Bytes,
    found: Arc<Mutex<Vec<Breach>>>,
    read: Arc<Mutex<Read>>,
}

/// Each Pod with what was read of it: it changes far more rarely than its VMM.
type Read = BTreeMap<ObjectKey, (Arc<Value>, Arc<PodView>)>;

impl Checker {
    /// A checker of VMs whose VMM needs `overhead` beside the guest.
    #[must_use]
    pub fn new(store: Store, hosts: Hosts, overhead: Bytes) -> Self {
        Self { store, hosts, overhead, found: Arc::default(), read: Arc::default() }
    }

    /// Every breach so far; the first hundred.
    #[must_use]
    pub fn breaches(&self) -> Vec<Breach> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Checks one Pod now, in the instant of a change.
    pub fn check_pod(&self, key: &ObjectKey) {
        let (Some(pod), Some((_, view))) = (self.pod(key), self.hosts.vmm_of(key)) else { return };
        let Some(host) = self.hosts.facts(&pod.node, &pod.uid) else { return };
        if let Some(breach) = breach_of(&pod, &view, &host, self.overhead, self.store.now()) {
            tracing::error!(%breach, "invariant broken");
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            if found.len() < KEPT {
                found.push(breach);
            }
        }
    }

    fn pod(&self, key: &ObjectKey) -> Option<Arc<PodView>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(object) = self.store.get(key) else {
            read.remove(key);
            return None;
        };
        if let Some((_, pod)) = read.get(key).filter(|(known, _)| Arc::ptr_eq(known, &object)) {
            return Some(pod.clone());
        }
        let pod = Arc::new(PodView::parse(&object));
        read.insert(key.clone(), (object, pod.clone()));
        Some(pod)
    }

    /// Checks each Pod that changes, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let pods = ResourceId::core("pods");
        let mut changes = self.store.subscribe_of(pods.clone(), self.store.version());
        loop {
            let change = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                change = changes.next() => change,
            };
            match change {
                Ok(change) => self.check_pod(&change.key),
                Err(lagged) => {
                    changes.skip_to(lagged.oldest);
                    self.check_all(&pods);
                }
            }
        }
    }

    fn check_all(&self, pods: &ResourceId) {
        let all: BTreeSet<ObjectKey> = self.store.list(pods, None).iter().map(|pod| ObjectKey::of(pods, pod)).collect();
        all.iter().for_each(|key| self.check_pod(key));
    }
}
