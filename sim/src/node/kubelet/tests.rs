//! The kubelet and the scheduler by the measured table, on a store of their own.

mod life;
mod properties;
mod sizes;

use std::sync::Arc;

use jiff::Timestamp;
use reef_api::{Bytes, MilliCpu};
use serde_json::{Value, json};

use super::*;
use crate::node::scheduler::Scheduler;
use crate::store::{DeleteOptions, StoreOptions};
use crate::vmm::{Behaviour, VmState};

const MIB: u64 = 1 << 20;
const OVERHEAD: u64 = 256;

/// A cluster of one node with 2 CPUs and 4 GiB, and its scheduler.
struct Bench {
    store: Store,
    hosts: Hosts,
    checker: Checker,
    control: KubeletControl,
    stop: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Bench {
    fn new() -> Self {
        Self::with_seed(1)
    }

    fn with_seed(seed: u64) -> Self {
        let start = Instant::now();
        let clock = Arc::new(move || {
            let passed = i64::try_from(start.elapsed().as_millis()).unwrap();
            Timestamp::from_millisecond(1_800_000_000_000 + passed).unwrap()
        });
        let store = Store::new(StoreOptions::new(seed, clock));
        let hosts = Hosts::new(None);
        let checker = Checker::new(store.clone(), hosts.clone(), Bytes(OVERHEAD * MIB));
        let world = World {
            store: store.clone(),
            hosts: hosts.clone(),
            net: VmmNet::default(),
            checker: checker.clone(),
            node_timings: NodeTimings::default(),
            vmm_timings: VmmTimings::default(),
            start,
        };
        let stop = CancellationToken::new();
        let node = NodeOptions::new("n1", MilliCpu(2_000), Bytes(4096 * MIB));
        let (kubelet, control) = Kubelet::new(world, node, seed);
        tokio::spawn(kubelet.run(stop.clone()));
        tokio::spawn(Scheduler::new(store.clone(), NodeTimings::default().bind).run(stop.clone()));
        tokio::spawn(checker.clone().run(stop.clone()));
        Self { store, hosts, checker, control, stop }
    }

    /// A Pod with a VM of `memory` MiB that can go from 512 to 3072 MiB.
    fn create_vm(&self, name: &str, cpu: u32, memory: u64) {
        let layout = json!({
            "vmm": "CloudHypervisor", "vcpus": cpu, "minVcpus": 1, "maxVcpus": 4,
            "memory": memory * MIB, "minMemory": 512 * MIB, "maxMemory": 3072 * MIB,
        });
        self.create_pod(name, &cpu.to_string(), memory + OVERHEAD, &["launch", "--layout", &layout.to_string()]);
    }

    fn create_pod(&self, name: &str, cpu: &str, memory: u64, args: &[&str]) {
        let amounts = json!({ "cpu": cpu, "memory": format!("{memory}Mi") });
        let pod = json!({
            "metadata": { "name": name, "namespace": "default" },
            "spec": { "restartPolicy": "Never", "containers": [{
                "name": "vm-manager", "image": "reef", "args": args,
                "resources": { "requests": amounts, "limits": amounts },
            }] },
            "status": { "phase": "Pending" },
        });
        self.store.create(&ResourceId::core("pods"), pod).unwrap();
    }

    async fn run_vm(&self, name: &str, cpu: u32, memory: u64) {
        self.create_vm(name, cpu, memory);
        wait(30_000).await;
        assert_eq!(self.pod(name)["status"]["phase"], "Running");
    }

    fn resize(&self, name: &str, cpu: &str, memory: u64) {
        let amounts = json!({ "cpu": cpu, "memory": format!("{memory}Mi") });
        self.change(name, |pod| {
            pod["spec"]["containers"][0]["resources"] = json!({ "requests": amounts, "limits": amounts });
        });
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.store.update(&pod_key(name), None, "test", change).unwrap();
    }

    fn delete(&self, name: &str) {
        self.store.delete(&pod_key(name), &DeleteOptions::default()).unwrap();
    }

    fn pod(&self, name: &str) -> Value {
        Value::clone(&self.store.get(&pod_key(name)).unwrap())
    }

    fn is_gone(&self, name: &str) -> bool {
        self.store.get(&pod_key(name)).is_none()
    }

    /// Allocated and actual: CPU and memory.
    fn sizes(&self, name: &str) -> [String; 4] {
        let status = &self.pod(name)["status"]["containerStatuses"][0];
        ["/allocatedResources/cpu", "/allocatedResources/memory", "/resources/limits/cpu", "/resources/limits/memory"]
            .map(|pointer| status.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned())
    }

    /// A condition's reason and message, where it holds.
    fn condition(&self, name: &str, kind: &str) -> Option<(String, String)> {
        let pod = self.pod(name);
        let all = pod["status"]["conditions"].as_array().unwrap();
        let found = all.iter().find(|it| it["type"] == kind && it["status"] == "True")?;
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        Some((text("reason"), text("message")))
    }

    fn is_observed(&self, name: &str) -> bool {
        let pod = self.pod(name);
        pod["status"]["observedGeneration"] == pod["metadata"]["generation"]
    }

    /// The reasons of all events of the kubelet's resizes, in order of their first time.
    fn resize_events(&self) -> Vec<String> {
        let events = self.store.list(&ResourceId::core("events"), None);
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let mut all: Vec<_> = events
            .iter()
            .map(|event| (crate::store::meta::resource_version(event), text(event, "reason")))
            .filter(|(_, reason)| reason.starts_with("Resize"))
            .collect();
        all.sort();
        all.into_iter().map(|(_, reason)| reason).collect()
    }

    fn facts(&self, name: &str) -> HostFactsOf {
        let uid = self.pod(name)["metadata"]["uid"].as_str().unwrap().to_owned();
        self.hosts.facts("n1", &uid)
    }

    async fn use_memory(&self, name: &str, mib: u64) {
        let (vmm, _) = self.hosts.vmm_of(&pod_key(name)).unwrap();
        vmm.control(move |machine| machine.set_used(mib * MIB)).await.unwrap();
    }

    async fn resize_vmm(&self, name: &str, vcpus: u32, mib: u64) {
        let (vmm, _) = self.hosts.vmm_of(&pod_key(name)).unwrap();
        let request = crate::vmm::ResizeRequest {
            desired_vcpus: Some(vcpus),
            desired_ram: Some(mib * MIB),
            desired_balloon: None,
        };
        vmm.control(move |machine| machine.resize(request)).await.unwrap().unwrap();
    }
}

type HostFactsOf = Option<crate::node::HostFacts>;

fn pod_key(name: &str) -> ObjectKey {
    ObjectKey::namespaced(ResourceId::core("pods"), "default", name)
}

async fn wait(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn texts<const N: usize>(all: [&str; N]) -> [String; N] {
    all.map(str::to_owned)
}
