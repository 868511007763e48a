//! Scheduler, kubelets and daemons in one: Pods are bound at once, get what they wish, and every VMM does what it was granted.
//!
//! It writes what the real ones write, by the same rules, and takes no time of its own beyond that of the requests.

use std::collections::BTreeMap;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, ResourceExt};
use reef_api::names::{DAEMON_MANAGER, VM_LABEL};
use reef_api::{EffectivePolicy, VirtualMachine, boot_layout, defaulted};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::play::Play;
use crate::vmms::{CONTAINER, Vmms};

/// Pods of one node.
pub const PODS: usize = 100;

/// How far the fleet is.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Generation, memory in the spec, and whether it is settled, of each VM.
    pub vms: BTreeMap<String, Seen>,
}

/// What was last seen of a VM.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Memory in GiB that its spec asks for.
    pub gib: u64,
    /// Whether it says that it is as its spec says.
    pub settled: bool,
}

impl Fleet {
    /// How many are settled.
    pub fn settled(&self) -> usize {
        self.vms.values().filter(|vm| vm.settled).count()
    }
}

/// Makes nodes for so many Pods.
pub async fn create_nodes(client: &Client, pods: usize) -> anyhow::Result<()> {
    let api: Api<Node> = Api::all(client.clone());
    for number in 0..=pods / PODS {
        let name = format!("node-{number}");
        let node = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
        api.create(&PostParams::default(), &node).await?;
        let capacity = json!({ "cpu": "1000", "memory": "4Ti", "pods": "110" });
        let ready = json!({ "type": "Ready", "status": "True", "lastHeartbeatTime": null, "lastTransitionTime": null });
        let status = json!({ "status": { "capacity": capacity, "allocatable": capacity, "conditions": [ready] } });
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await?;
    }
    Ok(())
}

/// Plays until it is dropped; `fleet` tells how far the VMs are.
///
/// Where there are VMMs for real daemons, these report and nobody plays them.
pub async fn play(client: Client, namespace: String, fleet: watch::Sender<Fleet>, vmms: Option<Vmms>) {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let vms: Api<VirtualMachine> = Api::namespaced(client.clone(), &namespace);
    let mut pods = Box::pin(watcher(pods, Config::default().labels(VM_LABEL)));
    let mut vms = Box::pin(watcher(vms, Config::default()));
    let play = Play::new(client, namespace);
    let mut parties = Parties { play, pods: BTreeMap::new(), vms: BTreeMap::new(), vmms };
    loop {
        tokio::select! {
            event = pods.next() => if let Some(Ok(Event::Apply(pod) | Event::InitApply(pod))) = event { parties.pod(pod) },
            event = vms.next() => if let Some(Ok(Event::Apply(vm) | Event::InitApply(vm))) = event {
                tell(&fleet, &vm);
                parties.vm(vm);
            },
        }
    }
}

fn tell(fleet: &watch::Sender<Fleet>, vm: &VirtualMachine) {
    let size = vm.spec.instance.memory.as_ref().and_then(|memory| memory.size).unwrap_or_default();
    let seen = Seen { gib: size.get() >> 30, settled: vm.is_settled() };
    fleet.send_if_modified(|fleet| fleet.vms.insert(vm.name_any(), seen.clone()) != Some(seen));
}

struct Parties {
    play: Play,
    /// The Pod of each VM.
    pods: BTreeMap<String, Pod>,
    vms: BTreeMap<String, VirtualMachine>,
    vmms: Option<Vmms>,
}

impl Parties {
    fn pod(&mut self, pod: Pod) {
        let Some(vm) = pod.labels().get(VM_LABEL).cloned() else { return };
        let bound = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
        let observed = pod.status.as_ref().and_then(|status| status.observed_generation).unwrap_or(0);
        let name = pod.name_any();
        if !bound {
            self.play.bind(name, format!("node-{}", self.pods.len() / PODS));
        } else if observed < pod.metadata.generation.unwrap_or(0) {
            if let Some(vmms) = &mut self.vmms
                && let Err(error) = vmms.start(&pod)
            {
                eprintln!("  a VMM could not be started: {error:#}");
            }
            self.play.pod_status(name, kubelet(&pod));
        }
        self.pods.insert(vm.clone(), pod);
        self.report(&vm);
    }

    fn vm(&mut self, vm: VirtualMachine) {
        let name = vm.name_any();
        self.vms.insert(name.clone(), vm);
        self.report(&name);
    }

    /// The daemon: what was granted is acknowledged, asked for, and there.
    fn report(&self, name: &str) {
        if self.vmms.is_some() {
            return;
        }
        let (Some(vm), Some(pod)) = (self.vms.get(name), self.pods.get(name)) else { return };
        let runs = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
        let uid = pod.uid().unwrap_or_default();
        let status = vm.status.clone().unwrap_or_default();
        let report = status.vmm.as_ref().filter(|report| report.pod_uid == uid);
        let grant =
            status.resize.as_ref().and_then(|resize| resize.grant.as_ref()).filter(|grant| grant.pod_uid == uid);
        let layout = boot_layout(&defaulted(vm, &EffectivePolicy::default()));
        let (size, ack) = match (report, grant) {
            (None, _) => (reef_api::Size::new(layout.vcpus, layout.memory), 0),
            (Some(report), Some(grant)) if grant.seq > report.ack_seq => (grant.size(), grant.seq),
            (Some(_), _) => return,
        };
        if !runs {
            return;
        }
        let boot = report.map_or_else(|| layout.limits(), |report| report.boot);
        let report = json!({
            "podUID": uid, "process": { "pid": 1, "startTime": 1 }, "ackSeq": ack,
            "vcpusRequested": size.vcpus, "vcpusPresent": size.vcpus,
            "memoryRequested": size.memory, "memoryActual": size.memory, "boot": boot, "version": "v53.0"
        });
        self.play.vm_status(name.to_owned(), report, DAEMON_MANAGER);
    }
}

/// What a kubelet tells of a Pod that has what it wishes.
fn kubelet(pod: &Pod) -> Value {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let statuses: Vec<Value> = containers.iter().map(container).collect();
    let yes = |kind: &str| json!({ "type": kind, "status": "True" });
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(yes);
    json!({ "status": {
        "phase": "Running", "observedGeneration": pod.metadata.generation, "containerStatuses": statuses,
        "conditions": conditions
    }})
}

fn container(container: &k8s_openapi::api::core::v1::Container) -> Value {
    let resources = container.resources.clone().unwrap_or_default();
    json!({
        "name": container.name, "image": container.image, "imageID": "reef@sha256:0", "ready": true, "restartCount": 0,
        "started": true, "containerID": format!("containerd://{CONTAINER}"), "state": { "running": { "startedAt": "2026-11-01T10:00:00Z" } },
        "allocatedResources": resources.requests, "resources": resources
    })
}
