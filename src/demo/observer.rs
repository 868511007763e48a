//! What an onlooker of the cluster sees, by the same watches that everybody may open.
//!
//! One event at a time, so that no step between two states is lost. It writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::stream::BoxStream;
use kube::Client;
use reef_api::{Bytes, MilliCpu};
use reef_api::{SizingPolicySpec, VirtualMachine};
use reef_reconciler::decide::plan::{Capacity, Room};
use reef_reconciler::observe::{Change, Interruption, KeptPod, ObjectKey, Seen, Store, watch};

use crate::view::{SourceView, VmView};

/// The cluster as an onlooker sees it.
pub struct Observer {
    watches: Client,
    seen: BoxStream<'static, Seen>,
    store: Store,
}

/// Everything that a reader wants to know, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// VMs by namespace and name.
    pub vms: Vec<VmView>,
    /// Sources by namespace and name.
    pub sources: Vec<SourceView>,
}

impl Picture {
    /// A VM by name; the demonstration has one namespace.
    pub fn vm(&self, name: &str) -> Option<&VmView> {
        self.vms.iter().find(|vm| vm.name == name)
    }
}

impl Observer {
    /// Opens the watches.
    pub fn new(watches: &Client) -> Self {
        Self { watches: watches.clone(), seen: watch(watches), store: Store::default() }
    }

    /// Waits for the next event and tells what is different since.
    pub async fn next(&mut self) -> BTreeSet<Change> {
        match self.seen.next().await {
            Some((kind, Ok(event))) => self.store.observe(kind, event),
            Some((kind, Err(Interruption::Failed(error)))) => {
                tracing::debug!(?kind, error, "a watch of the onlooker failed and goes on");
                BTreeSet::new()
            }
            Some((_, Err(Interruption::Restored(restored)))) => {
                tracing::debug!(%restored, "the onlooker begins anew");
                self.store.forget_past();
                self.seen = watch(&self.watches);
                BTreeSet::new()
            }
            None => std::future::pending().await,
        }
    }

    /// Whether everything has been listed once.
    pub fn synced(&self) -> bool {
        self.store.synced()
    }

    /// Everything now.
    pub fn picture(&self) -> Picture {
        let sources = self.store.sources.iter().filter_map(|(_, held)| held.object.as_deref().ok());
        let sources: Vec<SourceView> = sources.map(SourceView::of).collect();
        Picture { vms: self.vms().map(|vm| self.view(&vm).beside(&sources)).collect(), sources }
    }

    /// One VM now, where it is there.
    pub fn vm(&self, key: &ObjectKey) -> Option<VirtualMachine> {
        self.store.vm(key).map(|vm| VirtualMachine::clone(&vm))
    }

    /// One VM as people see it.
    pub fn view_of(&self, key: &ObjectKey) -> Option<VmView> {
        self.vm(key).map(|vm| self.view(&vm))
    }

    /// The policies of a namespace.
    pub fn policies<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a str, &'a SizingPolicySpec)> {
        self.store.policies_in(namespace)
    }

    /// What the nodes can give, and have given to VMs.
    pub fn capacity(&self) -> Capacity {
        let nodes = self.store.nodes.iter().filter_map(|(_, held)| held.object.as_ref().ok()?.0.clone());
        let mut capacity: BTreeMap<String, Room> = nodes
            .map(|node| {
                let room = Room { cpu: node.cpu, memory: node.memory, cpu_used: MilliCpu(0), memory_used: Bytes(0) };
                (node.name, room)
            })
            .collect();
        for pod in self.pods().filter_map(|pod| pod.observed.as_ref().ok()).filter(|pod| pod.alive()) {
            if let Some(room) = pod.node.as_ref().and_then(|node| capacity.get_mut(node)) {
                room.cpu_used = room.cpu_used.saturating_add(pod.spec.cpu_request);
                room.memory_used = room.memory_used.saturating_add(pod.spec.memory);
            }
        }
        capacity
    }

    fn view(&self, vm: &VirtualMachine) -> VmView {
        VmView::of(vm, self.pods())
    }

    fn vms(&self) -> impl Iterator<Item = VirtualMachine> {
        self.store
            .vms
            .iter()
            .filter_map(|(_, held)| held.object.as_ref().ok()?.read())
            .map(|vm| VirtualMachine::clone(&vm))
    }

    fn pods(&self) -> impl Iterator<Item = &KeptPod> {
        self.store.pods.iter().filter_map(|(_, held)| held.object.as_deref().ok())
    }
}
