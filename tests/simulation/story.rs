//! One story: VMs that run, a person who pushes, and what has to hold at its end whatever went wrong in between.

use crate::fleet::{manifest, size};
use reef::simulation::World;
use reef_api::names::VM_LABEL;
use reef_api::{Size, VirtualMachine, VmKey, condition};
use reef_sim::cluster::Cluster;
use reef_sim::store::{ObjectKey, ResourceId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// VMs of 2 vCPUs and 2Gi that have settled, and their repository.
pub struct Story {
    /// The world.
    pub world: World,
    /// The repository as it was pushed last.
    pub files: BTreeMap<String, String>,
    /// What every VM should have.
    pub sizes: BTreeMap<String, Size>,
}

impl Story {
    /// So many VMs, `web-1` and on, that run.
    pub async fn of(seed: u64, count: usize) -> Self {
        Self::on(World::start(seed).await.unwrap(), count).await
    }

    /// The same in a world that was started otherwise.
    pub async fn on(world: World, count: usize) -> Self {
        let mut story = Self { world, files: BTreeMap::new(), sizes: BTreeMap::new() };
        (1..=count).for_each(|number| story.state(&format!("web-{number}"), size(2, 2)));
        story.push("the fleet");
        story.settles(300).await;
        story
    }

    /// Writes another size into a VM's file.
    pub fn state(&mut self, name: &str, size: Size) {
        self.files.insert(format!("{name}.yaml"), manifest(name, size));
        self.sizes.insert(name.to_owned(), size);
    }

    /// Pushes the files as they are.
    pub fn push(&self, subject: &str) -> String {
        self.world.push(subject, &self.files).unwrap()
    }

    /// Pushes one VM's new size.
    pub fn resize(&mut self, name: &str, size: Size) {
        self.state(name, size);
        self.push(&format!("{name} {size}"));
    }

    /// Waits until every VM says that it has its size, and has it.
    pub async fn settles(&self, seconds: u64) {
        let wanted = self.sizes.clone();
        let so = |vms: &BTreeMap<String, VirtualMachine>| {
            wanted.iter().all(|(name, size)| {
                vms.get(name)
                    .is_some_and(|vm| vm.is_settled() && vm.actual() == Some(*size) && target(vm) == Some(*size))
            })
        };
        self.world.until("every VM has its size", seconds, so).await.unwrap();
    }

    /// Waits until a VM says why it is not ready, in these words, of its present generation.
    pub async fn says(&self, name: &str, word: &str, seconds: u64) {
        let so = |vms: &BTreeMap<String, VirtualMachine>| vms.get(name).is_some_and(|vm| reason(vm) == word);
        self.world.until(&format!("{name} says {word}"), seconds, so).await.unwrap();
    }

    /// Waits until a VM has a size.
    pub async fn has(&self, name: &str, size: Size, seconds: u64) {
        let so = |vms: &BTreeMap<String, VirtualMachine>| {
            vms.get(name).is_some_and(|vm| vm.is_settled() && vm.actual() == Some(size))
        };
        self.world.until(&format!("{name} has {size}"), seconds, so).await.unwrap();
    }

    /// Lets time pass.
    pub async fn wait(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// A VM.
    pub fn vm(&self, name: &str) -> VirtualMachine {
        self.world.vms().remove(name).unwrap()
    }

    /// The Pod of a VM.
    pub fn pod(&self, name: &str) -> ObjectKey {
        self.world.cluster.pod_of(&VmKey::new("default", name)).unwrap()
    }

    /// A Pod's numbers: what it wishes, what is set aside, and what is in effect.
    pub fn pod_sizes(&self, name: &str) -> [Value; 3] {
        sizes_of(&self.world.cluster.store().get(&self.pod(name)).unwrap())
    }

    /// Reasons of the events on a VM, with the generations that they are about, each object once.
    pub fn events(&self, name: &str) -> Vec<String> {
        let events = self.world.cluster.store().list(&ResourceId::core("events"), Some("default"));
        let about = |event: &&std::sync::Arc<Value>| {
            event["involvedObject"]["name"] == name && event["involvedObject"]["kind"] == "VirtualMachine"
        };
        events.iter().filter(about).map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    }

    /// How many events of a reason a VM has.
    pub fn told(&self, name: &str, event: &str) -> usize {
        self.events(name).iter().filter(|reason| *reason == event).count()
    }

    /// What the source says of itself: `Ready`'s status, reason and message.
    pub fn source(&self) -> (String, String, String) {
        let ready = condition_of(&self.source_object(), "Ready");
        let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
        (text("status"), text("reason"), text("message"))
    }

    /// The source.
    pub fn source_object(&self) -> Value {
        let sources = ResourceId::new(reef_api::names::REEF_GROUP, "gitsources");
        let key = ObjectKey::namespaced(sources, "default", "fleet");
        (*self.world.cluster.store().get(&key).unwrap()).clone()
    }

    /// Waits until the source says so.
    pub async fn source_says(&self, word: &str, seconds: u64) {
        for _ in 0..seconds * 4 {
            if self.source().1 == word {
                return;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("the source says {:?}, not {word}", self.source());
    }

    /// VMs and Pods without what differs from run to run: names of Pods, times, versions.
    pub fn masked(&self) -> Value {
        let vms = self.world.vms();
        let each = vms.iter().map(|(name, vm)| {
            let status = vm.status.clone().unwrap_or_default();
            let (resize, report) = (status.resize.unwrap(), status.vmm.unwrap());
            let conditions =
                status.conditions.iter().map(|c| format!("{} {} {} {}", c.type_, c.status, c.reason, c.message));
            let pods = self.pods(name);
            let vm = json!({
                "spec": vm.spec, "generation": vm.metadata.generation, "phase": status.phase,
                "target": resize.target, "aim": resize.aim, "reason": resize.reason, "refused": resize.refused,
                "requested": report.requested(), "actual": report.actual(), "waiting": report.waiting,
                "conditions": conditions.collect::<Vec<_>>(), "pods": pods,
            });
            (name.clone(), vm)
        });
        Value::Object(each.collect())
    }

    /// Every Pod of a VM and its numbers.
    pub fn pods(&self, name: &str) -> Vec<Value> {
        let pods = self.world.cluster.store().list(&ResourceId::core("pods"), Some("default"));
        let of_vm = pods.iter().filter(|pod| pod["metadata"]["labels"][VM_LABEL] == name);
        of_vm.map(|pod| json!([sizes_of(pod), pod["status"]["phase"]])).collect()
    }

    /// How often the wish of a VM's Pod was changed.
    pub fn pod_resizes(&self, name: &str) -> i64 {
        let pod = self.world.cluster.store().get(&self.pod(name)).unwrap();
        pod["metadata"]["generation"].as_i64().unwrap() - 1
    }

    /// After half a minute nothing is written for three, the state stays, and containment was never broken.
    pub async fn rests(&self) {
        self.wait(30).await;
        let (before, writes) = (self.masked(), self.world.faults.writes());
        self.wait(180).await;
        assert_eq!(self.masked(), before, "it does not stay so");
        assert_eq!(self.world.faults.writes() - writes, 0, "something is still written: {:?}", self.last_writes());
        self.contained();
    }

    /// Containment was never broken, and nothing panicked.
    pub fn contained(&self) {
        assert_eq!(self.world.cluster.breaches(), []);
        assert_eq!(self.world.metrics.counts().panics, 0);
        assert_eq!(self.world.metrics.counts().audit_misses, 0);
    }

    fn last_writes(&self) -> Vec<String> {
        let calls = self.world.faults.calls();
        let writes = calls.iter().rev().filter(|call| call.writes()).take(10);
        writes.map(|call| format!("{} {} {}", call.role, call.method, call.path)).collect()
    }
}

/// What a VM's resize is to reach.
pub fn target(vm: &VirtualMachine) -> Option<Size> {
    Some(vm.status.as_ref()?.resize.as_ref()?.target)
}

/// What a VM aims at.
pub fn aim(vm: &VirtualMachine) -> Option<Size> {
    Some(vm.status.as_ref()?.resize.as_ref()?.aim)
}

/// The reason of `Ready`, where it is about the present generation.
pub fn reason(vm: &VirtualMachine) -> String {
    let conditions = vm.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = condition::find(conditions, condition::READY);
    let present = ready.filter(|ready| ready.observed_generation == vm.metadata.generation);
    present.map(|ready| ready.reason.clone()).unwrap_or_default()
}

/// The sentence of `Ready`.
pub fn message(vm: &VirtualMachine) -> String {
    let conditions = vm.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    condition::find(conditions, condition::READY).map(|ready| ready.message.clone()).unwrap_or_default()
}

/// A condition of an object.
pub fn condition_of(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
}

/// The key of an object of a core kind in the namespace.
pub fn pod_key(name: &str) -> ObjectKey {
    Cluster::pod("default", name)
}

fn sizes_of(pod: &Value) -> [Value; 3] {
    let status = &pod["status"]["containerStatuses"][0];
    [&pod["spec"]["containers"][0]["resources"], &status["allocatedResources"], &status["resources"]].map(Clone::clone)
}
