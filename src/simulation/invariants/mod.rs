//! What must hold at every instant, whatever goes wrong: looked at by somebody who sees every write of the API server, every request of a role,
//! and the true state of every VMM and cgroup, each in the instant in which it happens.
//!
//! Shares no code with the roles: objects are read by their JSON, what a VMM holds is asked of the simulated VMM itself. Changes nothing.
//! It stands beside the simulation and not in `tests/`, because `reef sim --seed` checks by it too.

mod bounds;
mod containment;
mod economy;
mod facts;
mod failure;
mod grants;
mod people;
mod record;
mod requests;
mod rest;
mod shallow;
mod status;
#[cfg(test)]
mod tests;
mod vmm;

use facts::{PodFacts, VmFacts};
use reef_api::names::VM_GROUP;
use reef_api::{Bytes, Size};
use reef_sim::cluster::Cluster;
use reef_sim::node::HostChange;
use reef_sim::store::{Change, ChangeKind};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use failure::{Failure, Invariant};
pub use people::Statement;
pub use record::{Line, Recording};
pub use requests::Sent;
use vmm::Running;

/// Sees everything and remembers the first thing that was wrong. Clones are one inspector.
#[derive(Clone)]
pub struct Inspector {
    state: Arc<Mutex<State>>,
    failed: Arc<Notify>,
}

/// What the inspector knows.
struct State {
    start: Instant,
    overhead: Bytes,
    vms: BTreeMap<String, Arc<VmFacts>>,
    /// By UID.
    pods: BTreeMap<String, Arc<PodFacts>>,
    /// By the UID of the Pod.
    running: BTreeMap<String, Running>,
    /// Every grant that was ever written for a Pod, by number.
    grants: BTreeMap<String, BTreeMap<u64, Size>>,
    /// What was acknowledged last for the Pod of a VM that is gone: a request may still be on its way.
    last_acks: BTreeMap<String, u64>,
    people: people::People,
    writes: economy::Writes,
    failure: Option<Failure>,
    record: record::Record,
}

impl Inspector {
    /// An inspector of a cluster, from now on.
    pub fn of(cluster: &Cluster, overhead: Bytes, recording: Recording) -> Self {
        let state = State {
            start: Instant::now(),
            overhead,
            vms: BTreeMap::new(),
            pods: BTreeMap::new(),
            running: BTreeMap::new(),
            grants: BTreeMap::new(),
            last_acks: BTreeMap::new(),
            people: people::People::default(),
            writes: economy::Writes::default(),
            failure: None,
            record: record::Record::new(recording),
        };
        let inspector = Self { state: Arc::new(Mutex::new(state)), failed: Arc::default() };
        let (of_store, of_hosts) = (inspector.clone(), inspector.clone());
        cluster.store().witness(Arc::new(move |change| of_store.look(|state| state.written(change))));
        cluster.hosts().witness(Arc::new(move |change| of_hosts.look(|state| state.on_host(change))));
        inspector
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at something, and wakes whoever waits for a failure.
    fn look<T>(&self, at: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let seen = at(&mut state);
        if state.failure.is_some() {
            self.failed.notify_one();
        }
        seen
    }

    /// The first thing that was wrong.
    pub fn failure(&self) -> Option<Failure> {
        self.state().failure.clone()
    }

    /// Comes back when something is wrong.
    pub async fn failed(&self) {
        while self.failure().is_none() {
            self.failed.notified().await;
        }
    }

    /// Something is wrong that somebody else has found.
    pub fn fail(&self, invariant: Invariant, vm: Option<&str>, told: String) {
        self.look(|state| state.fail(invariant, vm, told));
    }

    /// The most writes about one VM in any minute so far.
    pub fn most_writes(&self) -> u32 {
        self.state().writes.most()
    }
}

impl State {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn fail(&mut self, invariant: Invariant, vm: Option<&str>, told: impl Into<String>) {
        let (at, vm, told) = (self.now(), vm.map(str::to_owned), told.into());
        self.record.line(at, vm.as_deref(), || format!("BROKEN: {told}"));
        self.failure.get_or_insert(Failure { at, invariant, vm, told });
    }

    /// A write of the API server.
    fn written(&mut self, change: &Change) {
        match (change.key.resource.group.as_str(), change.key.resource.plural.as_str()) {
            (VM_GROUP, "virtualmachines") => self.vm_written(change),
            ("", "pods") => self.pod_written(change),
            ("", "events") => self.event_written(change),
            _ => {}
        }
    }

    fn vm_written(&mut self, change: &Change) {
        let vm = VmFacts::read(&change.object);
        if change.kind == ChangeKind::Deleted {
            self.record.line(self.start.elapsed(), Some(&vm.name), || format!("VM {} is gone", vm.name));
            self.vm_gone(&vm);
            self.vms.remove(&vm.name);
            return;
        }
        let before = self.vms.get(&vm.name).filter(|before| before.uid == vm.uid).cloned();
        let before = before.as_deref();
        self.record_vm(before, &vm);
        self.check_spec(before, &vm);
        self.check_status(before, &vm, &change.stored);
        self.take_grants(before, &vm);
        self.vms.insert(vm.name.clone(), Arc::new(vm));
    }

    fn pod_written(&mut self, change: &Change) {
        let pod = PodFacts::read(&change.object);
        if change.kind == ChangeKind::Deleted {
            self.record.line(self.start.elapsed(), pod.vm.as_deref(), || format!("Pod {} is gone", pod.name));
            self.pods.remove(&pod.uid);
            return;
        }
        let uid = pod.uid.clone();
        let before = self.pods.get(&uid).cloned();
        self.record_pod(before.as_deref(), &pod);
        self.check_pod_change(before.as_deref(), &pod, change);
        self.pods.insert(uid.clone(), Arc::new(pod));
        self.check_containment(&uid);
    }

    /// A VMM or its cgroup has changed.
    fn on_host(&mut self, change: &HostChange) {
        let vm = self.pods.get(&change.pod_uid).and_then(|pod| pod.vm.clone());
        let Some((facts, view)) = &change.now else {
            self.record.line(self.start.elapsed(), vm.as_deref(), || "the VMM has ended".to_owned());
            self.running.remove(&change.pod_uid);
            return;
        };
        let now = Running::new(facts, view);
        let before = self.running.insert(change.pod_uid.clone(), now);
        self.record_vmm(&change.pod_uid, vm.as_deref());
        self.check_vmm(&change.pod_uid, vm.as_deref(), before.as_ref());
        self.check_containment(&change.pod_uid);
    }
}
