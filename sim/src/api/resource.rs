//! Which stored resource a path means, and in which version its objects are shown and taken.

use std::sync::Arc;

use serde_json::{Value, json};

use super::request::Target;
use crate::store::{ApiError, Cause, ObjectKey, ResourceId, ResourceKind, Store, api_version, meta};

/// The group under which events are served a second time.
pub const NEW_EVENTS_GROUP: &str = "events.k8s.io";

/// How stored objects look at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum View {
    Stored,
    /// Same fields under another version of the group.
    Version(String),
    /// `events.k8s.io/v1`, whose fields have other names.
    NewEvent,
}

/// A resource as one path serves it.
#[derive(Debug, Clone)]
pub struct Served {
    /// Facts of the stored resource.
    pub kind: Arc<ResourceKind>,
    /// The stored resource.
    pub id: ResourceId,
    /// The group that the path named.
    pub group: String,
    /// The version that the path named.
    pub version: String,
    view: View,
}

impl Served {
    /// Finds what a path names.
    ///
    /// # Errors
    /// 404 for a resource, version or subresource that is not served.
    pub fn find(store: &Store, target: &Target) -> Result<Self, ApiError> {
        let new_event = target.group == NEW_EVENTS_GROUP && target.plural == "events";
        let id = if new_event { ResourceId::core("events") } else { ResourceId::new(&target.group, &target.plural) };
        let kind = store.kind(&id).ok_or_else(|| nothing_there(store, target))?;
        let known_part = target.subresource.as_ref().is_none_or(|part| kind.has_subresource(part));
        let misplaced = target.namespace.is_some() && !kind.namespaced;
        if !kind.versions.contains(&target.version) {
            return Err(nothing_there(store, target));
        }
        if !known_part || misplaced {
            return Err(ApiError::no_such_resource());
        }
        let view = if new_event {
            View::NewEvent
        } else if target.version == kind.version {
            View::Stored
        } else {
            View::Version(api_version(&target.group, &target.version))
        };
        Ok(Served { kind, id, group: target.group.clone(), version: target.version.clone(), view })
    }

    /// `group/version` of what clients see.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// The key of the object that a path names.
    ///
    /// # Errors
    /// 400 where a namespace is missing.
    pub fn key(&self, target: &Target) -> Result<ObjectKey, ApiError> {
        let name = target.name.clone().unwrap_or_default();
        match (self.kind.namespaced, &target.namespace) {
            (true, Some(namespace)) => Ok(ObjectKey::namespaced(self.id.clone(), namespace, name)),
            (true, None) => {
                Err(ApiError::bad_request("an empty namespace may not be set when a resource name is provided"))
            }
            (false, _) => Ok(ObjectKey::cluster(self.id.clone(), name)),
        }
    }

    /// Whether clients of this path see objects just as they are stored.
    pub fn is_plain(&self) -> bool {
        self.view == View::Stored
    }

    /// The object as clients of this path see it.
    pub fn present(&self, object: Value) -> Value {
        match &self.view {
            View::Stored => object,
            View::Version(api_version) => with_version(object, api_version),
            View::NewEvent => new_event(object),
        }
    }

    /// The object as it is stored, from what a client of this path sent.
    pub fn absorb(&self, object: Value) -> Value {
        match &self.view {
            View::Stored => object,
            View::Version(_) => with_version(object, &self.kind.api_version()),
            View::NewEvent => rename(object, "v1", |(old, new)| (new, old)),
        }
    }
}

/// A group and version that nothing is served in has no page of its own.
fn nothing_there(store: &Store, target: &Target) -> ApiError {
    let mut kinds = store.kinds().into_iter();
    let known = target.group.is_empty()
        || target.group == NEW_EVENTS_GROUP
        || kinds.any(|kind| kind.group == target.group && kind.versions.contains(&target.version));
    if known { ApiError::no_such_resource() } else { ApiError::no_such_page() }
}

fn with_version(mut object: Value, api_version: &str) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.insert("apiVersion".to_owned(), json!(api_version));
    }
    object
}

/// Field names of an event: as stored, and in `events.k8s.io/v1`.
const EVENT_NAMES: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// The new face leaves out who reported where nobody says so.
fn new_event(object: Value) -> Value {
    let mut event = rename(object, "events.k8s.io/v1", |(old, new)| (old, new));
    if let Some(map) = event.as_object_mut() {
        let silent =
            |name: &str, value: &Value| matches!(name, "reportingController" | "reportingInstance") && value == "";
        map.retain(|name, value| !silent(name, value));
    }
    event
}

/// Refuses a new event that does not say what was done by whom, where it is made by its new face.
///
/// # Errors
/// 422 naming each field that is missing.
pub fn check_new_event(served: &Served, sent: &Value) -> Result<(), ApiError> {
    if served.view != View::NewEvent {
        return Ok(());
    }
    let missing = ["action", "reportingController", "reportingInstance"]
        .into_iter()
        .filter(|field| sent.get(*field).and_then(Value::as_str).unwrap_or_default().is_empty());
    let causes: Vec<Cause> = missing.map(|field| Cause::new("FieldValueRequired", field, "Required value")).collect();
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid("", "Event", meta::name(sent), causes))
}

fn rename(
    mut object: Value,
    api_version: &str,
    direction: fn((&'static str, &'static str)) -> (&'static str, &'static str),
) -> Value {
    if let Some(map) = object.as_object_mut() {
        for pair in EVENT_NAMES {
            let (from, to) = direction(*pair);
            if let Some(value) = map.remove(from) {
                map.insert(to.to_owned(), value);
            }
        }
    }
    with_version(object, api_version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreOptions;

    #[test]
    fn events_have_two_faces_and_one_place() {
        let store = Store::new(StoreOptions::new(1, Arc::new(jiff::Timestamp::default)));
        let target = Target {
            group: NEW_EVENTS_GROUP.to_owned(),
            version: "v1".to_owned(),
            plural: "events".to_owned(),
            namespace: Some("default".to_owned()),
            name: None,
            subresource: None,
        };
        let served = Served::find(&store, &target).unwrap();
        let sent =
            json!({ "apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "hello", "regarding": { "name": "a" } });
        let stored = served.absorb(sent.clone());
        assert_eq!(
            stored,
            json!({ "apiVersion": "v1", "kind": "Event", "message": "hello", "involvedObject": { "name": "a" } })
        );
        assert_eq!(served.present(stored), sent);
    }
}
