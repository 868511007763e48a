//! The Node object and its lease: what a kubelet says about itself.

use std::collections::BTreeMap;

use reef_api::{Bytes, MilliCpu};
use serde_json::{Value, json};

use super::Kubelet;
use crate::node::resources::Amounts;
use crate::store::{ObjectKey, ResourceId, meta};
use crate::vmm::HotplugMethod;

/// The version whose rules were measured.
const KUBELET_VERSION: &str = "v1.35.4";
/// The version of Cloud Hypervisor whose rules were measured.
const VMM_VERSION: &str = "v53.0";
const LEASES: &str = "kube-node-lease";

/// How a node is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOptions {
    /// Its name.
    pub name: String,
    /// CPUs that Pods can have.
    pub cpu: MilliCpu,
    /// Memory that Pods can have.
    pub memory: Bytes,
    /// Its labels, beside those that every node has.
    pub labels: BTreeMap<String, String>,
    /// How the launcher on it lets VMs grow.
    pub hotplug: HotplugMethod,
    /// The version of Cloud Hypervisor on it.
    pub vmm_version: String,
}

impl NodeOptions {
    /// A node with nothing special about it.
    #[must_use]
    pub fn new(name: &str, cpu: MilliCpu, memory: Bytes) -> Self {
        Self {
            name: name.to_owned(),
            cpu,
            memory,
            labels: BTreeMap::new(),
            hotplug: HotplugMethod::VirtioMem,
            vmm_version: VMM_VERSION.to_owned(),
        }
    }

    /// What Pods can have.
    #[must_use]
    pub const fn allocatable(&self) -> Amounts {
        Amounts { cpu: Some(self.cpu), memory: Some(self.memory) }
    }
}

impl Kubelet {
    /// Makes the Node, or takes over one that is there.
    pub(super) fn register(&self) {
        if let Some(tree) = self.hosts.tree()
            && let Err(error) = tree.make_node(&self.node.name)
        {
            tracing::error!(%error, node = self.node.name, "host tree not made");
        }
        let mut labels = self.node.labels.clone();
        labels.insert("kubernetes.io/hostname".to_owned(), self.node.name.clone());
        labels.insert("kubernetes.io/os".to_owned(), "linux".to_owned());
        labels.insert("kubernetes.io/arch".to_owned(), "amd64".to_owned());
        let node = json!({ "metadata": { "name": self.node.name, "labels": labels }, "spec": {} });
        if let Err(error) = self.store.create(&ResourceId::core("nodes"), node) {
            tracing::debug!(%error, node = self.node.name, "node was there");
        }
        self.write_ready(true);
    }

    /// Writes the node's status.
    pub(super) fn write_ready(&self, ready: bool) {
        let now = meta::time(self.store.now());
        let mut amounts = self.node.allocatable().to_json();
        if let Some(map) = amounts.as_object_mut() {
            map.insert("pods".to_owned(), json!("110"));
        }
        let (status, reason, message) = if ready {
            ("True", "KubeletReady", "kubelet is posting ready status")
        } else {
            ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
        };
        let condition = json!({
            "type": "Ready", "status": status, "reason": reason, "message": message,
            "lastTransitionTime": now, "lastHeartbeatTime": now,
        });
        let written = self.store.update(&self.node_key(), Some("status"), "kubelet", |node| {
            if let Some(map) = node.as_object_mut() {
                let status = json!({
                    "capacity": amounts, "allocatable": amounts, "conditions": [condition],
                    "addresses": [
                        { "type": "InternalIP", "address": "127.0.0.1" },
                        { "type": "Hostname", "address": self.node.name },
                    ],
                    "nodeInfo": {
                        "kubeletVersion": KUBELET_VERSION, "containerRuntimeVersion": "containerd://simulated",
                        "operatingSystem": "linux", "architecture": "amd64", "osImage": "simulated",
                        "kernelVersion": "simulated", "machineID": self.node.name, "systemUUID": self.node.name,
                        "bootID": self.node.name, "kubeProxyVersion": "",
                    },
                });
                map.insert("status".to_owned(), status);
            }
        });
        if let Err(error) = written {
            tracing::debug!(%error, node = self.node.name, "node status not written");
        }
    }

    /// Says that the kubelet lives.
    pub(super) fn renew_lease(&self) {
        let leases = ResourceId::new("coordination.k8s.io", "leases");
        let key = ObjectKey::namespaced(leases, LEASES, self.node.name.clone());
        let spec = json!({
            "holderIdentity": self.node.name, "leaseDurationSeconds": 40,
            "renewTime": self.store.now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        });
        let renew = |lease: &mut Value| {
            if let Some(map) = lease.as_object_mut() {
                map.insert("spec".to_owned(), spec.clone());
            }
        };
        if self.store.update(&key, None, "kubelet", renew).is_err() {
            let lease = json!({ "metadata": { "name": self.node.name, "namespace": LEASES }, "spec": spec });
            if let Err(error) = self.store.create(&key.resource, lease) {
                tracing::debug!(%error, node = self.node.name, "lease not made");
            }
        }
    }
}
