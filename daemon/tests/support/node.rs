//! A node in memory: it shows the VMMs that run on it, and connects their sockets.

use super::vmm::Vmm;
use futures::FutureExt;
use futures::future::BoxFuture;
use reef_api::vm::Process;
use reef_api::{Bytes, MilliCpu, Vcpus, VmmKind};
use reef_daemon::decide::{Limit, Limits};
use reef_daemon::host::{HeldLock, Host, HostError, HostObserved, PodRef};
use reef_daemon::vmm::{Dial, Dialed};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

/// A node; clones share it.
#[derive(Clone, Default)]
pub struct Node {
    vmms: Arc<Mutex<BTreeMap<String, Vmm>>>,
    locks: Arc<Mutex<BTreeMap<String, Arc<()>>>>,
    looks: Arc<Mutex<Vec<Instant>>>,
}

struct Held(#[allow(dead_code, reason = "counted while it is held")] Arc<()>);
impl HeldLock for Held {}

impl Node {
    pub fn add(&self, pod_uid: &str, vmm: Vmm) {
        self.vmms.lock().unwrap().insert(pod_uid.to_owned(), vmm);
    }

    /// The node no longer shows the VMM.
    pub fn remove(&self, pod_uid: &str) {
        self.vmms.lock().unwrap().remove(pod_uid);
    }

    /// When VMMs were looked at since the last call.
    pub fn looks(&self) -> Vec<Instant> {
        std::mem::take(&mut *self.looks.lock().unwrap())
    }

    fn vmm(&self, pod_uid: &str) -> Option<Vmm> {
        self.vmms.lock().unwrap().get(pod_uid).cloned()
    }
}

impl Host for Node {
    fn socket(&self, pod: &PodRef, _kind: VmmKind) -> Result<PathBuf, HostError> {
        Ok(PathBuf::from(&pod.pod_uid))
    }

    fn lock(&self, pod: &PodRef) -> Result<Box<dyn HeldLock>, HostError> {
        let mut locks = self.locks.lock().unwrap();
        let lock = locks.entry(pod.pod_uid.clone()).or_default();
        if Arc::strong_count(lock) > 1 {
            return Err(HostError::Locked { folder: PathBuf::from(&pod.pod_uid) });
        }
        Ok(Box::new(Held(lock.clone())))
    }

    fn observe(&self, pod: &PodRef) -> Result<HostObserved, HostError> {
        self.looks.lock().unwrap().push(Instant::now());
        let absent = || HostError::NoVmm { container_id: pod.container_id.clone() };
        let vmm = self.vmm(&pod.pod_uid).ok_or_else(absent)?;
        let machine = vmm.machine();
        Ok(HostObserved {
            vmm: vmm.kind,
            process: Process { pid: machine.pid, start_time: 1 },
            vcpus_present: Vcpus(if machine.names_threads { machine.vcpus_present } else { 0 }),
            limits: Limits { cpu: Limit::At(MilliCpu(8000)), memory: Limit::At(Bytes(machine.memory_limit)) },
            used: Some(Bytes(machine.used)),
        })
    }
}

impl Dial for Node {
    fn dial<'a>(&'a self, socket: &'a Path) -> BoxFuture<'a, io::Result<Dialed>> {
        async move {
            let vmm = self.vmm(socket.to_str().unwrap()).filter(|vmm| !vmm.machine().gone);
            let vmm = vmm.ok_or(io::ErrorKind::ConnectionRefused)?;
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            let peer = Some(vmm.machine().pid);
            tokio::spawn(vmm.serve(theirs));
            Ok(Dialed { stream: Box::new(ours), peer })
        }
        .boxed()
    }
}
