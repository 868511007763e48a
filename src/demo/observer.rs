//! What an onlooker of the cluster sees, by the same watches that everybody may open.
//!
//! One event at a time, so that no step between two states is lost. It writes nothing.

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::stream::BoxStream;
use kube::Client;
use reef_api::VirtualMachine;
use reef_api::facts::{Claim, ClusterFacts, NodeFacts, PolicyFacts};
use reef_reconciler::decide::observed::PodObserved;
use reef_reconciler::observe::{Change, Interruption, KeptPod, ObjectKey, Pods, Seen, Store, vm_facts, watch};

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

    /// One VM as people see it, where it is there.
    pub fn view_of(&self, key: &ObjectKey) -> Option<VmView> {
        self.store.vm(key).map(|vm| self.view(&vm))
    }

    /// What a plan needs to know. Of Pods an onlooker sees those of VMs alone, and there are no others here.
    pub fn facts(&self) -> ClusterFacts {
        let nodes = self.store.nodes.iter().filter_map(|(_, held)| held.object.as_ref().ok()?.0.clone());
        let pods: Vec<&PodObserved> =
            self.pods().filter_map(|pod| pod.observed.as_ref().ok()).filter(|pod| pod.alive()).collect();
        let on = |name: &str, claim: fn(&PodObserved) -> Claim| {
            let own = pods.iter().filter(|pod| pod.node.as_deref() == Some(name));
            own.fold(Claim::default(), |sum, pod| sum.plus(claim(pod)))
        };
        let policies = self.store.policies.iter().filter_map(|(key, held)| {
            let spec = held.object.as_ref().ok()?.spec.clone();
            Some(PolicyFacts { namespace: key.namespace.clone(), name: key.name.clone(), spec })
        });
        ClusterFacts {
            nodes: nodes
                .map(|node| NodeFacts {
                    requested: on(&node.name, |pod| Claim::from(pod.spec).max(pod.claim())),
                    allocated: on(&node.name, PodObserved::claim),
                    name: node.name,
                    cpu: node.cpu,
                    memory: node.memory,
                    schedulable: node.ready,
                    ..NodeFacts::default()
                })
                .collect(),
            vms: self.vms().map(|vm| vm_facts(&vm, self.pods_of(&vm))).collect(),
            policies: policies.collect(),
            ..ClusterFacts::default()
        }
    }

    fn pods_of(&self, vm: &VirtualMachine) -> Vec<PodObserved> {
        vm.metadata.uid.as_deref().map(|uid| Pods::of(uid, self.pods()).read).unwrap_or_default()
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
