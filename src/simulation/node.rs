//! A node of the embedded cluster, as the daemon sees it: its VMMs' sockets in memory, and what its host shows.

use reef_api::vm::Process;
use reef_api::{Vcpus, VmmKind};
use reef_daemon::decide::{Limit, Limits};
use reef_daemon::host::{HeldLock, Host, HostError, HostObserved, PodRef};
use reef_sim::node::host_tree::socket_path;
use reef_sim::node::{HostFacts, Hosts};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Pods whose lock somebody holds, by UID. One set for each node, shared by all daemons that are ever started on it.
#[derive(Clone, Default)]
pub struct Locks(Arc<Mutex<BTreeSet<String>>>);

/// What one node shows of the VMMs on it.
pub struct SimHost {
    node: String,
    hosts: Hosts,
    locks: Locks,
}

impl SimHost {
    /// The host of a node.
    pub const fn new(node: String, hosts: Hosts, locks: Locks) -> Self {
        Self { node, hosts, locks }
    }
}

struct Held {
    pod_uid: String,
    locks: Locks,
}

impl HeldLock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.locks.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pod_uid);
    }
}

impl Host for SimHost {
    fn socket(&self, pod: &PodRef, _kind: VmmKind) -> Result<PathBuf, HostError> {
        Ok(PathBuf::from(socket_path(&pod.pod_uid)))
    }

    fn lock(&self, pod: &PodRef) -> Result<Box<dyn HeldLock>, HostError> {
        let mut held = self.locks.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.insert(pod.pod_uid.clone()) {
            return Err(HostError::Locked { folder: PathBuf::from(&pod.pod_uid) });
        }
        Ok(Box::new(Held { pod_uid: pod.pod_uid.clone(), locks: self.locks.clone() }))
    }

    fn observe(&self, pod: &PodRef) -> Result<HostObserved, HostError> {
        let facts = self.hosts.facts(&self.node, &pod.pod_uid).filter(|facts| facts.container_id == pod.container_id);
        facts.map(|facts| shown(&facts)).ok_or_else(|| HostError::NoVmm { container_id: pod.container_id.clone() })
    }
}

fn shown(facts: &HostFacts) -> HostObserved {
    HostObserved {
        vmm: VmmKind::CloudHypervisor,
        process: Process { pid: facts.pid, start_time: facts.start_time },
        vcpus_present: Vcpus(facts.vcpu_count()),
        limits: Limits {
            cpu: facts.cpu_quota.map_or(Limit::Unlimited, Limit::At),
            memory: facts.memory_limit.map_or(Limit::Unlimited, Limit::At),
        },
        used: Some(facts.memory_current),
    }
}
