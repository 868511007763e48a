//! Everything that is known of the cluster, owned by the loop alone, and what of it changed.
//!
//! No locks and no sharing: watches and answers are handed in, changes are handed out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use kube::runtime::watcher::Event;
use reef_api::{CapacityCheck, GitSource, SizingPolicy, SizingPolicySpec, VirtualMachine};
use serde::Deserialize;
use serde_json::Value;

use super::held::{Held, Version};
use super::keep::{KeptNode, KeptPod, KeptVm};
use super::kind::{Kind, ObjectKey};
use super::object::{Object, Told};
use super::shelf::Shelf;

/// Something that is different now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A VM, or one of its Pods.
    Vm(ObjectKey),
    /// What a node can hold, or whether it is ready.
    Node(String),
    /// A policy.
    Policy(ObjectKey),
    /// A source.
    Source(ObjectKey),
    /// A check.
    Check(ObjectKey),
}

/// What an object says of itself, whatever its kind.
#[derive(Deserialize)]
struct Marked {
    metadata: Marks,
}

#[derive(Deserialize)]
struct Marks {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The cluster as last seen.
#[derive(Debug, Default)]
pub struct Store {
    /// VirtualMachines.
    pub vms: Shelf<KeptVm>,
    /// Pods of VMs.
    pub pods: Shelf<KeptPod>,
    /// Nodes; their namespace is empty.
    pub nodes: Shelf<KeptNode>,
    /// Policies.
    pub policies: Shelf<SizingPolicy>,
    /// Git sources.
    pub sources: Shelf<GitSource>,
    /// Capacity checks.
    pub checks: Shelf<CapacityCheck>,
    /// VM and Pod, where the label of the Pod names the VM.
    marked: BTreeSet<(ObjectKey, ObjectKey)>,
    /// VMs that came last; only these are held typed.
    recent: VecDeque<ObjectKey>,
}

/// VMs that are held typed, because they are looked at several times after each change.
const RECENT: usize = 64;

macro_rules! on_shelf {
    ($store:expr, $kind:expr, $shelf:ident => $body:expr) => {
        match $kind {
            Kind::Vm => {
                let $shelf = &mut $store.vms;
                $body
            }
            Kind::Pod => {
                let $shelf = &mut $store.pods;
                $body
            }
            Kind::Node => {
                let $shelf = &mut $store.nodes;
                $body
            }
            Kind::Policy => {
                let $shelf = &mut $store.policies;
                $body
            }
            Kind::Source => {
                let $shelf = &mut $store.sources;
                $body
            }
            Kind::Check => {
                let $shelf = &mut $store.checks;
                $body
            }
        }
    };
}

impl Store {
    /// Takes in what a watch tells.
    pub fn observe(&mut self, kind: Kind, event: Event<Object>) -> BTreeSet<Change> {
        match event {
            Event::Init => on_shelf!(self, kind, shelf => shelf.begin_list()),
            Event::InitDone => return self.end_list(kind),
            Event::InitApply(raw) => {
                return self.updating(kind, raw, |store, key, raw| store.put_listed(kind, key, raw));
            }
            Event::Apply(raw) => return self.put(kind, raw),
            Event::Delete(raw) => {
                let version = Version::of(&raw);
                return self.updating(kind, raw, |store, key, _| store.take(kind, key, Some(version)));
            }
        }
        BTreeSet::new()
    }

    /// Takes in the answer to a write of ours, or any other view of unknown age.
    pub fn put(&mut self, kind: Kind, raw: Object) -> BTreeSet<Change> {
        self.updating(kind, raw, |store, key, raw| on_shelf!(store, kind, shelf => shelf.put(key, raw)))
    }

    /// Takes in the answer to a read that was sent when `before` was held.
    pub fn put_read(&mut self, kind: Kind, raw: Object, before: Option<Version>) -> BTreeSet<Change> {
        self.updating(kind, raw, |store, key, raw| on_shelf!(store, kind, shelf => shelf.put_read(key, raw, before)))
    }

    /// Takes in that a read of an object found nothing.
    pub fn put_absent(&mut self, kind: Kind, key: &ObjectKey) -> BTreeSet<Change> {
        let changes = self.concerned(kind, key);
        if self.take(kind, key, None) { changes } else { BTreeSet::new() }
    }

    /// Marks that the outcome of a write to an object is not known.
    pub fn doubt(&mut self, kind: Kind, key: &ObjectKey) {
        on_shelf!(self, kind, shelf => shelf.doubt(key));
    }

    /// Whether an object is still as the first list named it.
    pub fn inherited(&self, kind: Kind, key: &ObjectKey) -> bool {
        match kind {
            Kind::Vm => self.vms.held(key).is_some_and(|held| held.inherited),
            Kind::Pod => self.pods.held(key).is_some_and(|held| held.inherited),
            Kind::Node | Kind::Policy | Kind::Source | Kind::Check => false,
        }
    }

    /// Another process can change nothing of an object any more without being seen.
    pub fn own(&mut self, kind: Kind, key: &ObjectKey) {
        on_shelf!(self, kind, shelf => shelf.own(key));
    }

    /// The version that is held of an object.
    pub fn version(&self, kind: Kind, key: &ObjectKey) -> Option<Version> {
        match kind {
            Kind::Vm => self.vms.held(key).map(|held| held.version),
            Kind::Pod => self.pods.held(key).map(|held| held.version),
            Kind::Node => self.nodes.held(key).map(|held| held.version),
            Kind::Policy => self.policies.held(key).map(|held| held.version),
            Kind::Source => self.sources.held(key).map(|held| held.version),
            Kind::Check => self.checks.held(key).map(|held| held.version),
        }
    }

    /// Pods that carry the mark of a VM, those that cannot be read too.
    pub fn pods_of<'a>(&'a self, vm: &'a ObjectKey) -> impl Iterator<Item = (&'a ObjectKey, &'a Held<KeptPod>)> {
        let from = (vm.clone(), ObjectKey::new("", ""));
        let marked = self.marked.range(from..).take_while(move |(marked, _)| marked == vm);
        marked.filter_map(|(_, pod)| self.pods.held(pod).map(|held| (pod, held)))
    }

    /// What has to be read again before anything is decided about a VM.
    pub fn doubts_about(&self, vm: &ObjectKey) -> Vec<(Kind, ObjectKey)> {
        let own = self.vms.held(vm).filter(|held| held.doubtful).map(|_| (Kind::Vm, vm.clone()));
        let pods = self.pods_of(vm).filter(|(_, held)| held.doubtful);
        own.into_iter().chain(pods.map(|(key, _)| (Kind::Pod, key.clone()))).collect()
    }

    /// A VM, where it is there and can be read.
    pub fn vm(&self, key: &ObjectKey) -> Option<Arc<VirtualMachine>> {
        self.vms.get(key)?.read()
    }

    /// An object of Git as it came, a VM or a policy, without its status: Git states nothing of that, and it is most of a VM.
    pub fn raw(&self, kind: Kind, key: &ObjectKey) -> Option<Value> {
        self.told(kind, key).map(|told| told.text.value_without("status"))
    }

    /// The same as text.
    pub fn told(&self, kind: Kind, key: &ObjectKey) -> Option<&Told> {
        match kind {
            Kind::Vm => self.vms.held(key)?.raw.as_ref(),
            Kind::Policy => self.policies.held(key)?.raw.as_ref(),
            Kind::Pod | Kind::Node | Kind::Source | Kind::Check => None,
        }
    }

    /// The annotations of all VMs or policies of a namespace, of all namespaces where none is named; of those that cannot be read otherwise too.
    pub fn annotations(&self, kind: Kind, namespace: Option<&str>) -> Vec<(ObjectKey, BTreeMap<String, String>)> {
        match kind {
            Kind::Vm => marks(&self.vms, namespace),
            Kind::Policy => marks(&self.policies, namespace),
            Kind::Pod | Kind::Node | Kind::Source | Kind::Check => Vec::new(),
        }
    }

    /// Policies of a namespace, by name; those that cannot be read are left out.
    pub fn policies_in<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a str, &'a SizingPolicySpec)> {
        let readable = |(key, held): (&'a ObjectKey, &'a Held<SizingPolicy>)| {
            held.object.as_deref().ok().map(|policy| (key.name.as_str(), &policy.spec))
        };
        self.policies.within(namespace).filter_map(readable)
    }

    /// The cluster was restored from a backup. Nothing may be decided before every kind has been listed again.
    pub fn forget_past(&mut self) {
        for kind in Kind::ALL {
            on_shelf!(self, kind, shelf => shelf.forget_past());
        }
    }

    /// Whether a whole list of every kind has been seen.
    pub fn synced(&self) -> bool {
        self.vms.synced()
            && self.pods.synced()
            && self.nodes.synced()
            && self.policies.synced()
            && self.sources.synced()
            && self.checks.synced()
    }

    fn end_list(&mut self, kind: Kind) -> BTreeSet<Change> {
        let missing = on_shelf!(self, kind, shelf => shelf.end_list());
        match kind {
            // An object that only was missing from a list may be there; a read decides before the VM is touched again.
            Kind::Vm | Kind::Pod => missing.iter().flat_map(|key| self.concerned(kind, key)).collect(),
            Kind::Node | Kind::Policy | Kind::Source | Kind::Check => {
                missing.iter().flat_map(|key| self.put_absent(kind, key)).collect()
            }
        }
    }

    fn put_listed(&mut self, kind: Kind, key: &ObjectKey, raw: Object) -> bool {
        on_shelf!(self, kind, shelf => shelf.put_listed(key, raw))
    }

    fn take(&mut self, kind: Kind, key: &ObjectKey, version: Option<Version>) -> bool {
        self.unmark(kind, key);
        let taken = on_shelf!(self, kind, shelf => shelf.remove(key, version).is_some());
        self.mark(kind, key);
        taken
    }

    /// Runs an update of one object and tells whom it concerns: those of before and those of after.
    fn updating(
        &mut self,
        kind: Kind,
        raw: Object,
        update: impl FnOnce(&mut Self, &ObjectKey, Object) -> bool,
    ) -> BTreeSet<Change> {
        let Some(key) = ObjectKey::of(&raw) else {
            tracing::warn!(%kind, "an object without a name was left out");
            return BTreeSet::new();
        };
        let node_before = (kind == Kind::Node).then(|| self.nodes.get(&key).cloned());
        let mut concerned = self.concerned(kind, &key);
        self.unmark(kind, &key);
        let updated = update(self, &key, raw);
        self.mark(kind, &key);
        if !updated {
            return BTreeSet::new();
        }
        if kind == Kind::Vm {
            self.came(&key);
        }
        concerned.extend(self.concerned(kind, &key));
        // A node's heartbeat changes nothing that is decided by.
        let same = node_before.is_some_and(|before| before.as_ref() == self.nodes.get(&key));
        if same { BTreeSet::new() } else { concerned }
    }

    /// A VM came: it is held typed until enough others came after it.
    fn came(&mut self, key: &ObjectKey) {
        self.recent.retain(|other| other != key);
        self.recent.push_back(key.clone());
        if self.recent.len() > RECENT
            && let Some(oldest) = self.recent.pop_front()
        {
            self.vms.pack(&oldest);
        }
    }

    /// Takes a Pod out of the index, before its label may change.
    fn unmark(&mut self, kind: Kind, key: &ObjectKey) {
        if let Some(vm) = self.marked_vm(kind, key) {
            self.marked.remove(&(vm, key.clone()));
        }
    }

    /// Puts a Pod into the index, after its label may have changed.
    fn mark(&mut self, kind: Kind, key: &ObjectKey) {
        if let Some(vm) = self.marked_vm(kind, key) {
            self.marked.insert((vm, key.clone()));
        }
    }

    fn marked_vm(&self, kind: Kind, key: &ObjectKey) -> Option<ObjectKey> {
        let held = if kind == Kind::Pod { self.pods.held(key)? } else { return None };
        Some(ObjectKey::new(key.namespace.as_str(), held.mark.as_deref()?))
    }

    fn concerned(&self, kind: Kind, key: &ObjectKey) -> BTreeSet<Change> {
        let change = match kind {
            Kind::Vm => Some(Change::Vm(key.clone())),
            Kind::Pod => self.marked_vm(kind, key).map(Change::Vm),
            Kind::Node => Some(Change::Node(key.name.clone())),
            Kind::Policy => Some(Change::Policy(key.clone())),
            Kind::Source => Some(Change::Source(key.clone())),
            Kind::Check => Some(Change::Check(key.clone())),
        };
        change.into_iter().collect()
    }
}

/// The annotations of what a shelf holds in a namespace, or at all.
fn marks<T>(shelf: &Shelf<T>, namespace: Option<&str>) -> Vec<(ObjectKey, BTreeMap<String, String>)> {
    let of = |(key, held): (&ObjectKey, &Held<T>)| {
        let marked: Marked = held.raw.as_ref()?.text.read()?;
        Some((key.clone(), marked.metadata.annotations))
    };
    match namespace {
        Some(namespace) => shelf.within(namespace).filter_map(of).collect(),
        None => shelf.iter().filter_map(of).collect(),
    }
}
