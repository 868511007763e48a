//! One node with VMs, the API server that knows them, and a daemon that can be started, stopped and killed.

use super::api::Api;
use super::node::Node;
use super::vmm::Vmm;
use reef_api::VmmKind;
use reef_daemon::{Health, Jitter, Metrics, NoJitter, Seams, Settings, run};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The world of a test.
pub struct World {
    pub api: Api,
    pub node: Node,
    pub health: Health,
    pub metrics: Metrics,
    trace: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub fn new() -> Self {
        let trace: Arc<Mutex<Vec<String>>> = Arc::default();
        let (health, metrics) = (Health::new(), Metrics::default());
        Self { api: Api::new(trace.clone()), node: Node::default(), health, metrics, trace }
    }

    /// A VM with its Pod and its Cloud Hypervisor: 2 vCPUs and 2 GiB.
    pub fn vm(&self, name: &str) -> Vmm {
        self.vm_of(VmmKind::CloudHypervisor, name)
    }

    /// A VM with its Pod and its VMM: 2 vCPUs and 2 GiB.
    pub fn vm_of(&self, kind: VmmKind, name: &str) -> Vmm {
        let vmm = Vmm::new(kind, name, self.trace.clone());
        self.node.add(&format!("pod-{name}"), vmm.clone());
        self.api.put(&format!("pod/{name}"), pod(name, &format!("pod-{name}")));
        self.api.put(&format!("vm/{name}"), vm(name, &format!("pod-{name}")));
        vmm
    }

    /// Writes a grant, as the controller does.
    pub fn grant(&self, name: &str, seq: u64, vcpus: u32, memory: &str) {
        let grant = json!({ "podUID": format!("pod-{name}"), "seq": seq, "vcpus": vcpus, "memory": memory });
        self.api.change(&format!("vm/{name}"), |vm| vm["status"]["resize"] = json!({ "grant": grant }));
    }

    /// Starts a daemon; dropping the handle kills it where it stands.
    pub fn daemon(&self) -> AbortOnDropHandle<()> {
        self.daemon_with(Arc::new(NoJitter))
    }

    /// Starts a daemon whose delays are spread.
    pub fn daemon_with(&self, jitter: Arc<dyn Jitter>) -> AbortOnDropHandle<()> {
        let node = Arc::new(self.node.clone());
        let seams = Seams {
            client: self.api.client(),
            watch_client: self.api.client(),
            host: node.clone(),
            dial: node,
            jitter,
            metrics: self.metrics.clone(),
        };
        let health = self.health.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            run(seams, Settings::for_node("n1"), CancellationToken::new(), health).await.unwrap();
        }))
    }

    /// What has happened since the last call: reports as written, and requests as received.
    pub fn trace(&self) -> Vec<String> {
        std::mem::take(&mut *self.trace.lock().unwrap())
    }
}

/// The reports among what has happened.
pub fn reports(trace: Vec<String>) -> Vec<String> {
    trace.into_iter().filter(|entry| entry.starts_with("ack ")).collect()
}

/// Lets virtual time go by.
pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A VM that runs in the Pod with this UID.
pub fn vm(name: &str, pod_uid: &str) -> Value {
    json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": { "namespace": "shop", "name": name, "uid": format!("vm-{name}-{pod_uid}") },
        "spec": { "instance": {} },
        "status": { "nodeName": "n1", "vmPodUID": pod_uid },
    })
}

/// The Pod of a VM, whose container has the VM's name for an id.
pub fn pod(name: &str, uid: &str) -> Value {
    let container = json!({
        "name": "vm-manager", "image": "", "imageID": "", "ready": true, "restartCount": 0,
        "containerID": format!("containerd://{name}"), "state": { "running": {} },
    });
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "namespace": "shop", "name": name, "uid": uid, "labels": { "reef.dev/vm": name } },
        "spec": { "nodeName": "n1", "containers": [] },
        "status": { "containerStatuses": [container] },
    })
}
