//! The objects of the embedded cluster: one ordered map, one counter of versions, one history of changes.
//!
//! It keeps what every object has in common (names, UIDs, versions, generations, deletion, ownership). What a *kind*
//! demands (defaults, schemas, patches) is the API front's business. No ambient clock or randomness; no lock is held
//! across an await.

mod at;
mod builtin;
mod crd;
mod deletion;
mod error;
pub mod fields;
mod history;
mod ids;
mod inner;
mod kind;
mod lifecycle;
pub mod meta;
mod names;
mod options;
mod schema;
mod signal;
mod stored;
mod subscription;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

pub use at::At;
pub use crd::definitions;
pub use deletion::Deleted;
pub use error::{ApiError, Cause, Details, Reason};
pub use history::{Change, ChangeKind};
pub use kind::{ObjectKey, ResourceId, ResourceKind, api_version};
pub use options::{DeleteOptions, Preconditions, Propagation, StoreOptions, WallClock};
pub use schema::{Bound, Count, Identity, Rest, Schema};
pub use signal::{Listener, Signal};
pub use stored::{ShownMetadata, Stored};
pub use subscription::{Lagged, Subscription};

use fields::{Owners, Writer};
use inner::Inner;
pub use inner::{Backup, Witness};

/// Who owns what the cluster's own parts make.
const OWN: &str = "cluster";

/// How much of a `generateName` is used: what five more letters leave of 63.
const LONGEST_PREFIX: usize = 58;

/// The namespaces of a new cluster.
const FIRST_NAMESPACES: &[&str] = &["default", "kube-node-lease", "kube-public", "kube-system"];

/// The cluster's objects. Clones share them.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Mutex<Inner>>,
    clock: WallClock,
}

impl Store {
    /// A cluster with its first namespaces and nothing else.
    pub fn new(options: StoreOptions) -> Self {
        let inner = Inner::new(options.seed, options.history);
        let store = Store { inner: Arc::new(Mutex::new(inner)), clock: options.clock };
        for name in FIRST_NAMESPACES {
            // The store is empty, so none of these names can be taken.
            let _ = store.create(&ResourceId::core("namespaces"), json!({ "metadata": { "name": name } }));
        }
        store
    }

    /// The cluster's wall clock.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The version of the last write.
    pub fn version(&self) -> u64 {
        self.lock().version()
    }

    /// The facts of a resource that is served.
    pub fn kind(&self, resource: &ResourceId) -> Option<Arc<ResourceKind>> {
        self.lock().kind(resource)
    }

    /// Every resource that is served, in order.
    pub fn kinds(&self) -> Vec<Arc<ResourceKind>> {
        self.lock().kinds()
    }

    /// One object.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Value>> {
        self.stored(key).map(|stored| stored.object)
    }

    /// One object with its owners.
    pub fn stored(&self, key: &ObjectKey) -> Option<Stored> {
        self.lock().get(key)
    }

    /// The objects of a resource, ordered by namespace and name; of one namespace, or of all.
    pub fn list(&self, resource: &ResourceId, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.list_at(resource, namespace).0
    }

    /// The same with the version at which the list is exact: a subscription goes on from there.
    pub fn list_at(&self, resource: &ResourceId, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let inner = self.lock();
        let objects = inner.range(resource, namespace).map(|(_, stored)| stored.object.clone()).collect();
        (objects, inner.version())
    }

    /// The same with who owns what.
    pub fn stored_at(&self, resource: &ResourceId, namespace: Option<&str>) -> (Vec<Stored>, u64) {
        let inner = self.lock();
        let objects = inner.range(resource, namespace).map(|(_, stored)| stored.clone()).collect();
        (objects, inner.version())
    }

    /// The objects of a resource as they were at an earlier version.
    ///
    /// # Errors
    /// 410 where the history does not reach back that far.
    pub fn list_as_of(
        &self,
        resource: &ResourceId,
        namespace: Option<&str>,
        version: u64,
    ) -> Result<Vec<Stored>, ApiError> {
        self.lock().list_as_of(resource, namespace, version)
    }

    /// Makes an object, for the cluster's own parts. Fills in its type, UID, time of creation, generation, and its name from `generateName`.
    ///
    /// # Errors
    /// 404 for an unknown resource or namespace, 409 for a taken name, 422 for a bad name, 400 for another type,
    /// 403 in a namespace that is being deleted.
    pub fn create(&self, resource: &ResourceId, mut object: Value) -> Result<Arc<Value>, ApiError> {
        let kind = self.kind(resource);
        let owners = kind.map(|kind| {
            let writer = Writer { manager: OWN.to_owned(), api_version: kind.api_version(), subresource: None };
            fields::track(&kind, None, &mut object, &writer, self.now())
        });
        let created = self.create_or_try(resource, object, owners.unwrap_or_default(), Attempt::Real)?;
        Ok(created.object)
    }

    /// [`Store::create`], or what it would answer.
    ///
    /// # Errors
    /// Those of [`Store::create`].
    pub fn create_or_try(
        &self,
        resource: &ResourceId,
        mut object: Value,
        owners: Owners,
        attempt: Attempt,
    ) -> Result<Stored, ApiError> {
        let now = self.now();
        let mut inner = self.lock();
        let kind = inner.require_kind(resource)?;
        lifecycle::check_type(&kind, &mut object)?;
        generate_name(&mut inner, &mut object);
        lifecycle::check_name(&kind, &object)?;
        check_place(&inner, &kind, &mut object)?;
        let key = ObjectKey::of(resource, &object);
        if let Some(there) = inner.get(&key) {
            return Err(ApiError::already_exists(resource, &key.name, meta::is_terminating(&there)));
        }
        let uid = inner.ids.uid();
        lifecycle::begin(&kind, &mut object, uid, now);
        match attempt {
            Attempt::DryRun => Ok(Stored::new(object, owners)),
            Attempt::Real => {
                let created = inner.put_owned(&key, object, owners);
                deletion::collect_if_ownerless(&mut inner, &key, now);
                Ok(created)
            }
        }
    }

    /// Changes an object in one atomic step, for the cluster's own parts. The version grows only where something
    /// changed, the generation only where the wish did. With a subresource only that part may change: `status` keeps
    /// everything else as it was.
    ///
    /// # Errors
    /// 404 where the object is not there.
    pub fn update(
        &self,
        key: &ObjectKey,
        subresource: Option<&str>,
        manager: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Arc<Value>, ApiError> {
        let now = self.now();
        let kind = self.lock().require_kind(&key.resource)?;
        let writer = Writer {
            manager: manager.to_owned(),
            api_version: kind.api_version(),
            subresource: subresource.map(str::to_owned),
        };
        let updated = self.try_update(key, Attempt::Real, |before| {
            let mut after = Value::clone(before);
            change(&mut after);
            if subresource == Some("status") {
                meta::keep_all_but_status(before, &mut after);
            }
            let owners = fields::track(&kind, Some((before, &before.owners)), &mut after, &writer, now);
            Ok((after, owners))
        })?;
        Ok(updated.object)
    }

    /// The atomic step under every change: `change` makes the new state and its owners of the old one, or refuses.
    ///
    /// # Errors
    /// 404 where the object is not there, and what `change` refuses with.
    pub fn try_update(
        &self,
        key: &ObjectKey,
        attempt: Attempt,
        change: impl FnOnce(&Stored) -> Result<(Value, Owners), ApiError>,
    ) -> Result<Stored, ApiError> {
        let now = self.now();
        let mut inner = self.lock();
        let kind = inner.require_kind(&key.resource)?;
        let before = inner.require(key)?;
        let (mut after, owners) = change(&before)?;
        lifecycle::check_type(&kind, &mut after)?;
        lifecycle::settle(&kind, &before, &mut after);
        if owners == before.owners && !lifecycle::differs(&before, &after) {
            return Ok(before);
        }
        if attempt == Attempt::DryRun {
            return Ok(Stored::new(after, owners));
        }
        if lifecycle::may_go(&kind, &after) {
            return Ok(deletion::finish_owned(&mut inner, key, &before, (after, owners), now).object().clone());
        }
        Ok(inner.put_owned(key, after, owners))
    }

    /// Deletes an object: at once, or by marking it where finalizers or a node keep it. What it owned goes with it.
    ///
    /// # Errors
    /// 404 where the object is not there, 409 where a precondition fails.
    pub fn delete(&self, key: &ObjectKey, options: &DeleteOptions) -> Result<Deleted, ApiError> {
        let now = self.now();
        deletion::delete(&mut self.lock(), key, options, now)
    }

    /// A reader of every change from now on.
    pub fn subscribe(&self) -> Subscription {
        self.subscribe_after(self.version())
    }

    /// A reader of every change after `version`.
    pub fn subscribe_after(&self, version: u64) -> Subscription {
        self.subscribe_to(None, version)
    }

    /// A reader of the changes of one resource after `version`; it sleeps while others are written to.
    pub fn subscribe_of(&self, resource: ResourceId, version: u64) -> Subscription {
        self.subscribe_to(Some(resource), version)
    }

    fn subscribe_to(&self, resource: Option<ResourceId>, version: u64) -> Subscription {
        let mut inner = self.lock();
        let (written, past) = (inner.signal(resource.as_ref()).listen(), inner.past());
        drop(inner);
        Subscription::new(self.clone(), version, past, written, resource)
    }

    /// From now on `witness` is told of each write in the instant in which it happens, before anybody else sees it. It must not call the store.
    pub fn witness(&self, witness: Witness) {
        self.lock().admit_witness(witness);
    }

    /// Forgets the history up to the present: who is behind gets 410.
    pub fn compact(&self) {
        let mut inner = self.lock();
        let through = inner.version();
        inner.history.compact(through);
    }

    /// Everything as it is now.
    #[must_use]
    pub fn backup(&self) -> Backup {
        self.lock().backup()
    }

    /// Goes back to a backup, versions included. Who has read on from before then lags; who begins to read after a version that is to come waits.
    pub fn restore(&self, backup: Backup) {
        self.lock().restore(backup);
    }

    /// Refuses a version that the history does not reach back to.
    ///
    /// # Errors
    /// 410 naming the oldest version that is known.
    pub fn check_reachable(&self, version: u64) -> Result<(), ApiError> {
        let oldest = self.lock().history.oldest();
        if version < oldest { Err(ApiError::expired(version, oldest)) } else { Ok(()) }
    }

    /// The present version for a reader that has nothing left to read, else the one that it has seen.
    fn caught_up(&self, seen: u64, resource: Option<&ResourceId>) -> u64 {
        let inner = self.lock();
        if matches!(inner.history.after(seen, resource), Ok(None)) { inner.version().max(seen) } else { seen }
    }

    fn past(&self) -> u64 {
        self.lock().past()
    }

    fn change_after(&self, seen: u64, past: u64, resource: Option<&ResourceId>) -> Result<Option<Arc<Change>>, Lagged> {
        let inner = self.lock();
        if inner.past() != past {
            return Err(Lagged { asked: seen, oldest: inner.history.oldest() });
        }
        match inner.history.after(seen, resource) {
            Ok(change) => Ok(change.cloned()),
            Err(oldest) => Err(Lagged { asked: seen, oldest }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic of another thread leaves the map itself whole: each write is one insert.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a write is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Do it.
    Real,
    /// Only say what would come of it.
    DryRun,
}

fn generate_name(inner: &mut Inner, object: &mut Value) {
    if !meta::name(object).is_empty() {
        return;
    }
    let Some(prefix) = meta::text(object, "generateName").filter(|prefix| !prefix.is_empty()).map(str::to_owned) else {
        return;
    };
    // A name of 63 letters fits everywhere that a name goes.
    let prefix: String = prefix.chars().take(LONGEST_PREFIX).collect();
    let name = format!("{prefix}{}", inner.ids.suffix());
    meta::set(object, "name", json!(name));
}

fn check_place(inner: &Inner, kind: &ResourceKind, object: &mut Value) -> Result<(), ApiError> {
    if !kind.namespaced {
        meta::unset(object, "namespace");
        return Ok(());
    }
    let Some(namespace) = meta::text(object, "namespace").filter(|name| !name.is_empty()) else {
        return Err(ApiError::bad_request("an empty namespace may not be set during creation"));
    };
    let namespaces = ResourceId::core("namespaces");
    let found = inner.require(&ObjectKey::cluster(namespaces, namespace))?;
    if meta::is_terminating(&found) {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let cause = Cause::new(
            "NamespaceTerminating",
            "metadata.namespace",
            format!("namespace {namespace} is being terminated"),
        );
        return Err(ApiError::forbidden(&kind.id(), meta::name(object), &why).with_causes(vec![cause]));
    }
    Ok(())
}
