//! Deletion with finalizers, graceful Pods, and the garbage collection of what a deleted object owned.
//! Everything happens in the write that caused it: there is no collector that runs behind.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::crd;
use super::error::ApiError;
use super::fields::Owners;
use super::inner::Inner;
use super::kind::{ObjectKey, ResourceId};
use super::lifecycle;
use super::meta;
use super::options::{DeleteOptions, Propagation};
use super::stored::Stored;
use crate::store::At;

/// The finalizer of a foreground deletion.
const FOREGROUND: &str = "foregroundDeletion";

/// What a deletion came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Deleted {
    /// The object is gone; its last state.
    Gone(Stored),
    /// It is marked, and waits for finalizers or its node.
    Pending(Stored),
}

impl Deleted {
    /// The object's last or present state.
    pub fn object(&self) -> &Stored {
        match self {
            Deleted::Gone(object) | Deleted::Pending(object) => object,
        }
    }
}

pub(super) fn delete(
    inner: &mut Inner,
    key: &ObjectKey,
    options: &DeleteOptions,
    now: Timestamp,
) -> Result<Deleted, ApiError> {
    let before = inner.require(key)?;
    let kind = inner.require_kind(&key.resource)?;
    let version = meta::text(&before, "resourceVersion").unwrap_or_default();
    options.preconditions.check(&kind, &key.name, meta::uid(&before), version)?;
    let mut after = Value::clone(&before);
    let grace = grace_seconds(inner, key, &before, options);
    if options.dry_run {
        let kept = meta::is_terminating(&before) || !meta::finalizers(&before).is_empty() || grace > 0;
        return Ok(if kept { Deleted::Pending(before) } else { Deleted::Gone(before) });
    }
    if goes_at_once(inner, key, &before, grace, options) {
        return Ok(Deleted::Gone(remove(inner, key, after, now)));
    }
    let shortened = shortens_grace(&before, grace);
    if !meta::is_terminating(&before) {
        lifecycle::mark_terminating(&mut after, now, grace);
        if options.propagation == Propagation::Foreground && has_blocking_dependents(inner, meta::uid(&before)) {
            add_finalizer(&mut after, FOREGROUND);
        }
    } else if shortened {
        let generation = after.at("/metadata/generation").cloned();
        lifecycle::mark_terminating(&mut after, now, grace);
        generation.into_iter().for_each(|value| meta::set(&mut after, "generation", value));
    }
    if options.propagation == Propagation::Orphan {
        orphan_dependents(inner, meta::uid(&before));
    }
    if holds_contents(key) {
        return Ok(empty_container(inner, key, after, now));
    }
    Ok(finish(inner, key, &before, after, now))
}

/// Removes a terminating object that nothing keeps, else stores its marked state.
fn finish(inner: &mut Inner, key: &ObjectKey, before: &Value, after: Value, now: Timestamp) -> Deleted {
    let owners = inner.get(key).map(|stored| stored.owners).unwrap_or_default();
    finish_owned(inner, key, before, (after, owners), now)
}

/// The same with who owns what in the marked state.
pub(super) fn finish_owned(
    inner: &mut Inner,
    key: &ObjectKey,
    before: &Value,
    (after, owners): (Value, Owners),
    now: Timestamp,
) -> Deleted {
    let gone = inner.kind(&key.resource).is_none_or(|kind| lifecycle::may_go(&kind, &after));
    if gone {
        return Deleted::Gone(remove(inner, key, after, now));
    }
    let changed = lifecycle::differs(before, &after);
    let stored = if changed { inner.put_owned(key, after, owners) } else { Stored::new(after, owners) };
    if meta::finalizers(&stored).contains(&FOREGROUND) {
        collect_dependents(inner, meta::uid(&stored), now);
        if let Some(current) = inner.get(key) {
            return Deleted::Pending(current);
        }
        return Deleted::Gone(stored);
    }
    Deleted::Pending(stored)
}

fn remove(inner: &mut Inner, key: &ObjectKey, last: Value, now: Timestamp) -> Stored {
    let uid = meta::uid(&last).to_owned();
    let owners = meta::owners(&last);
    let gone = inner.take(key, last);
    collect_dependents(inner, &uid, now);
    for owner in owners {
        release_foreground_owner(inner, &owner.uid, now);
    }
    release_containers(inner, key, now);
    gone
}

/// An object that nothing keeps is never marked: watchers see it as it was.
fn goes_at_once(inner: &mut Inner, key: &ObjectKey, object: &Value, grace: i64, options: &DeleteOptions) -> bool {
    let kept = meta::is_terminating(object) || !meta::finalizers(object).is_empty() || grace > 0 || holds_contents(key);
    let waits = options.propagation == Propagation::Foreground && has_blocking_dependents(inner, meta::uid(object));
    if !kept && !waits && options.propagation == Propagation::Orphan {
        orphan_dependents(inner, meta::uid(object));
    }
    !kept && !waits
}

fn grace_seconds(inner: &Inner, key: &ObjectKey, object: &Value, options: &DeleteOptions) -> i64 {
    if !inner.kind(&key.resource).is_some_and(|kind| kind.graceful_deletion) {
        return 0;
    }
    let bound = object.at("/spec/nodeName").and_then(Value::as_str).is_some_and(|node| !node.is_empty());
    let over = matches!(object.at("/status/phase").and_then(Value::as_str), Some("Succeeded" | "Failed"));
    if !bound || over {
        return 0;
    }
    let own = || object.at("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(30);
    options.grace_period_seconds.unwrap_or_else(own).max(0)
}

fn shortens_grace(object: &Value, grace: i64) -> bool {
    let granted = object.at("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64);
    granted.is_some_and(|granted| grace < granted)
}

fn add_finalizer(object: &mut Value, finalizer: &str) {
    let mut all: Vec<String> = meta::finalizers(object).into_iter().map(str::to_owned).collect();
    all.push(finalizer.to_owned());
    meta::set(object, "finalizers", json!(all));
}

fn dependents(inner: &Inner, uid: &str) -> Vec<ObjectKey> {
    inner.keys_where(|object| !uid.is_empty() && meta::owners(object).iter().any(|owner| owner.uid == uid))
}

fn has_blocking_dependents(inner: &Inner, uid: &str) -> bool {
    let blocks = |object: &Value| meta::owners(object).iter().any(|owner| owner.uid == uid && owner.blocks);
    !inner.keys_where(blocks).is_empty()
}

/// Deletes those of an owner's dependents that no other living owner holds.
fn collect_dependents(inner: &mut Inner, uid: &str, now: Timestamp) {
    for key in dependents(inner, uid) {
        let Some(object) = inner.get(&key) else {
            continue;
        };
        let held = |owner: &meta::Owner| owner.uid != uid && inner.is_alive(&owner.uid);
        if meta::owners(&object).iter().any(held) {
            continue;
        }
        // A dependent that is gone already is what was wanted.
        let _ = delete(inner, &key, &DeleteOptions::default(), now);
    }
}

/// Deletes a new object at once where its owners are all gone: its creator was late.
pub(super) fn collect_if_ownerless(inner: &mut Inner, key: &ObjectKey, now: Timestamp) {
    let Some(object) = inner.get(key) else { return };
    let owners = meta::owners(&object);
    if !owners.is_empty() && !owners.iter().any(|owner| inner.is_alive(&owner.uid)) {
        let _ = delete(inner, key, &DeleteOptions::default(), now);
    }
}

fn orphan_dependents(inner: &mut Inner, uid: &str) {
    for key in dependents(inner, uid) {
        let Some(object) = inner.get(&key) else {
            continue;
        };
        let mut freed = Value::clone(&object);
        let left: Vec<Value> = references(&freed)
            .into_iter()
            .filter(|reference| reference.get("uid").and_then(Value::as_str) != Some(uid))
            .collect();
        if left.is_empty() {
            meta::unset(&mut freed, "ownerReferences");
        } else {
            meta::set(&mut freed, "ownerReferences", json!(left));
        }
        inner.put(&key, freed);
    }
}

fn references(object: &Value) -> Vec<Value> {
    object.at("/metadata/ownerReferences").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Lets an owner in foreground deletion go once nothing blocks it any more.
fn release_foreground_owner(inner: &mut Inner, uid: &str, now: Timestamp) {
    let waits = |object: &Value| meta::uid(object) == uid && meta::finalizers(object).contains(&FOREGROUND);
    for key in inner.keys_where(waits) {
        let Some(owner) = inner.get(&key) else {
            continue;
        };
        if has_blocking_dependents(inner, uid) {
            continue;
        }
        let mut after = Value::clone(&owner);
        let left: Vec<&str> = meta::finalizers(&owner).into_iter().filter(|name| *name != FOREGROUND).collect();
        meta::set(&mut after, "finalizers", json!(left));
        finish(inner, &key, &owner, after, now);
    }
}

fn holds_contents(key: &ObjectKey) -> bool {
    key.resource == ResourceId::core("namespaces") || key.resource == crd::definitions()
}

/// A namespace takes its objects with it, and a definition the objects of its kind; what has finalizers holds it up.
fn empty_container(inner: &mut Inner, key: &ObjectKey, mut after: Value, now: Timestamp) -> Deleted {
    if let Some(phase) = after.pointer_mut("/status/phase") {
        *phase = json!("Terminating");
    }
    let before = inner.get(key);
    if before.is_none_or(|before| lifecycle::differs(&before, &after)) {
        inner.put(key, after.clone());
    }
    for content in contents(inner, key, &after) {
        let _ = delete(inner, &content, &DeleteOptions::default(), now);
    }
    match inner.get(key) {
        None => Deleted::Gone(Stored::new(after, Owners::default())),
        Some(left) if contents(inner, key, &after).is_empty() && meta::finalizers(&left).is_empty() => {
            Deleted::Gone(remove(inner, key, Value::clone(&left), now))
        }
        Some(left) => Deleted::Pending(left),
    }
}

fn contents(inner: &Inner, key: &ObjectKey, container: &Value) -> Vec<ObjectKey> {
    if key.resource == crd::definitions() {
        let Some(kind) = crd::defined_kind(container) else {
            return Vec::new();
        };
        return inner.range(&kind.id(), None).map(|(key, _)| key.clone()).collect();
    }
    inner.keys_in_namespace(&key.name)
}

/// Lets the terminating namespace or definition that held `content` go once it is empty.
fn release_containers(inner: &mut Inner, content: &ObjectKey, now: Timestamp) {
    let namespace = content.namespace.as_deref().map(|name| ObjectKey::cluster(ResourceId::core("namespaces"), name));
    let definition = ObjectKey::cluster(crd::definitions(), content.resource.qualified());
    for key in namespace.into_iter().chain([definition]) {
        let Some(object) = inner.get(&key).filter(|object| meta::is_terminating(object)) else {
            continue;
        };
        if contents(inner, &key, &object).is_empty() && meta::finalizers(&object).is_empty() {
            remove(inner, &key, Value::clone(&object), now);
        }
    }
}
