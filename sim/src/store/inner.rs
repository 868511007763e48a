//! What the store holds, and its two primitive writes. Every write gets a version of its own and one entry in the history.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::builtin;
use super::crd;
use super::error::ApiError;
use super::fields::Owners;
use super::history::{Change, ChangeKind, History};
use super::ids::Ids;
use super::kind::{ObjectKey, ResourceId, ResourceKind};
use super::meta;
use super::signal::Signal;
use super::stored::Stored;

/// Is told of each write in the instant in which it happens. Must not call the store, which is locked meanwhile.
pub type Witness = Arc<dyn Fn(&Change) + Send + Sync>;

/// Everything that a store had at one moment.
#[derive(Clone)]
pub struct Backup {
    objects: BTreeMap<ObjectKey, Stored>,
    kinds: BTreeMap<ResourceId, Arc<ResourceKind>>,
    version: u64,
}

pub(super) struct Inner {
    objects: BTreeMap<ObjectKey, Stored>,
    kinds: BTreeMap<ResourceId, Arc<ResourceKind>>,
    pub(super) history: History,
    version: u64,
    /// How often it was restored. What was read before the last time is of another past.
    past: u64,
    written: Signal,
    /// Rung for one resource alone: most readers want no other, and waking them all for each write costs more than the write.
    of_resource: BTreeMap<ResourceId, Signal>,
    pub(super) ids: Ids,
    witnesses: Vec<Witness>,
}

impl Inner {
    pub(super) fn new(seed: u64, history: usize) -> Self {
        let kinds = builtin::kinds().into_iter().map(|kind| (kind.id(), Arc::new(kind))).collect();
        Inner {
            objects: BTreeMap::new(),
            kinds,
            history: History::new(history),
            version: 0,
            past: 0,
            written: Signal::default(),
            of_resource: BTreeMap::new(),
            ids: Ids::new(seed),
            witnesses: Vec::new(),
        }
    }

    /// From now on `witness` is told of each write in the instant in which it happens.
    pub(super) fn admit_witness(&mut self, witness: Witness) {
        self.witnesses.push(witness);
    }

    pub(super) fn backup(&self) -> Backup {
        Backup { objects: self.objects.clone(), kinds: self.kinds.clone(), version: self.version }
    }

    /// Everything is as it was, and versions are counted from there again. Nothing of that is a write.
    pub(super) fn restore(&mut self, backup: Backup) {
        Backup { objects: self.objects, kinds: self.kinds, version: self.version } = backup;
        self.past = self.past.saturating_add(1);
        self.history.restart(self.version);
        self.of_resource.values().for_each(Signal::ring);
        self.written.ring();
    }

    pub(super) fn past(&self) -> u64 {
        self.past
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn kind(&self, resource: &ResourceId) -> Option<Arc<ResourceKind>> {
        self.kinds.get(resource).cloned()
    }

    pub(super) fn kinds(&self) -> Vec<Arc<ResourceKind>> {
        self.kinds.values().cloned().collect()
    }

    pub(super) fn require_kind(&self, resource: &ResourceId) -> Result<Arc<ResourceKind>, ApiError> {
        self.kind(resource).ok_or_else(ApiError::no_such_resource)
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Stored> {
        self.objects.get(key).cloned()
    }

    pub(super) fn require(&self, key: &ObjectKey) -> Result<Stored, ApiError> {
        self.get(key).ok_or_else(|| ApiError::not_found(&key.resource, &key.name))
    }

    pub(super) fn range<'a>(
        &'a self,
        resource: &'a ResourceId,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Stored)> {
        let from =
            ObjectKey { resource: resource.clone(), namespace: namespace.map(str::to_owned), name: String::new() };
        let inside = move |key: &ObjectKey| {
            key.resource == *resource && namespace.is_none_or(|wanted| key.namespace.as_deref() == Some(wanted))
        };
        self.objects.range(from..).take_while(move |(key, _)| inside(key))
    }

    /// The present objects with every later change undone.
    pub(super) fn list_as_of(
        &self,
        resource: &ResourceId,
        namespace: Option<&str>,
        version: u64,
    ) -> Result<Vec<Stored>, ApiError> {
        let mut objects: BTreeMap<ObjectKey, Stored> =
            self.range(resource, namespace).map(|(key, object)| (key.clone(), object.clone())).collect();
        let later = self.history.since(version).map_err(|oldest| ApiError::expired(version, oldest))?;
        for change in later.rev().filter(|change| change.key.resource == *resource) {
            if namespace.is_some() && change.key.namespace.as_deref() != namespace {
                continue;
            }
            match &change.before {
                Some(previous) => objects.insert(change.key.clone(), previous.clone()),
                None => objects.remove(&change.key),
            };
        }
        Ok(objects.into_values().collect())
    }

    pub(super) fn keys_where(&self, wanted: impl Fn(&Value) -> bool) -> Vec<ObjectKey> {
        self.objects.iter().filter(|(_, object)| wanted(object)).map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn keys_in_namespace(&self, namespace: &str) -> Vec<ObjectKey> {
        self.objects.keys().filter(|key| key.namespace.as_deref() == Some(namespace)).cloned().collect()
    }

    /// Whether an object with this UID is there.
    pub(super) fn is_alive(&self, uid: &str) -> bool {
        self.objects.values().any(|object| meta::uid(object) == uid)
    }

    /// Stores an object at a new version; it keeps the owners that it has.
    pub(super) fn put(&mut self, key: &ObjectKey, object: Value) -> Stored {
        let owners = self.objects.get(key).map(|stored| stored.owners.clone()).unwrap_or_default();
        self.put_owned(key, object, owners)
    }

    /// Stores an object at a new version.
    pub(super) fn put_owned(&mut self, key: &ObjectKey, mut object: Value, owners: Owners) -> Stored {
        self.stamp(&mut object);
        let stored = Stored::new(object, owners);
        let previous = self.objects.insert(key.clone(), stored.clone());
        let kind = if previous.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.follow_definition(&key.resource, &stored);
        self.record(key, kind, stored.clone(), previous);
        stored
    }

    /// Removes an object at a new version; returns `last` as watchers see it.
    pub(super) fn take(&mut self, key: &ObjectKey, mut last: Value) -> Stored {
        self.stamp(&mut last);
        let previous = self.objects.remove(key);
        let owners = previous.as_ref().map(|stored| stored.owners.clone()).unwrap_or_default();
        let last = Stored::new(last, owners);
        if key.resource == crd::definitions()
            && let Some(kind) = crd::defined_kind(&last)
        {
            self.kinds.remove(&kind.id());
        }
        self.record(key, ChangeKind::Deleted, last.clone(), previous);
        last
    }

    fn stamp(&mut self, object: &mut Value) {
        self.version = self.version.saturating_add(1);
        meta::set(object, "resourceVersion", json!(self.version.to_string()));
    }

    /// A definition is served from the write on that brings it.
    fn follow_definition(&mut self, resource: &ResourceId, object: &Value) {
        if *resource == crd::definitions()
            && let Some(kind) = crd::defined_kind(object)
        {
            self.kinds.insert(kind.id(), kind);
        }
    }

    fn record(&mut self, key: &ObjectKey, kind: ChangeKind, stored: Stored, before: Option<Stored>) {
        let change = Change {
            key: key.clone(),
            kind,
            object: stored.object.clone(),
            previous: before.as_ref().map(|before| before.object.clone()),
            resource_version: self.version,
            stored,
            before,
        };
        self.witnesses.iter().for_each(|witness| witness(&change));
        self.history.push(change);
        if let Some(signal) = self.of_resource.get(&key.resource) {
            signal.ring();
        }
        self.written.ring();
    }

    /// What is rung at each write, or at each write to one resource.
    pub(super) fn signal(&mut self, resource: Option<&ResourceId>) -> Signal {
        match resource {
            Some(resource) => self.of_resource.entry(resource.clone()).or_default().clone(),
            None => self.written.clone(),
        }
    }
}
