//! Names of resources and objects, and the facts that discovery tells about a resource. Plain data.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::fields::Shape;
use super::schema::Schema;
use crate::store::At;

/// A resource without its version: objects of all versions share one place in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// API group; empty for the core group.
    pub group: String,
    /// Plural name, as in URLs.
    pub plural: String,
}

impl ResourceId {
    /// A resource by group and plural name.
    pub fn new(group: impl Into<String>, plural: impl Into<String>) -> Self {
        ResourceId { group: group.into(), plural: plural.into() }
    }

    /// A resource of the core group.
    pub fn core(plural: &str) -> Self {
        ResourceId::new("", plural)
    }

    /// `pods`, or `virtualmachines.example.com`: how the server's messages name a resource.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.qualified())
    }
}

/// One object's place in the store. Ordered by resource, namespace, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// What it is.
    pub resource: ResourceId,
    /// Its namespace; absent for cluster-wide resources.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// The key of an object in a namespace.
    pub fn namespaced(resource: ResourceId, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        ObjectKey { resource, namespace: Some(namespace.into()), name: name.into() }
    }

    /// The key of a cluster-wide object.
    pub fn cluster(resource: ResourceId, name: impl Into<String>) -> Self {
        ObjectKey { resource, namespace: None, name: name.into() }
    }

    /// The key under which `object` is kept, by its own metadata.
    pub fn of(resource: &ResourceId, object: &Value) -> Self {
        let text = |field: &str| object.at(&format!("/metadata/{field}")).and_then(Value::as_str).map(str::to_owned);
        ObjectKey { resource: resource.clone(), namespace: text("namespace"), name: text("name").unwrap_or_default() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.resource, self.name),
            None => write!(f, "{} {}", self.resource, self.name),
        }
    }
}

/// What discovery tells about a resource, and how its objects are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceKind {
    /// API group; empty for the core group.
    pub group: String,
    /// The version in which objects are stored.
    pub version: String,
    /// Every served version, the preferred one first.
    pub versions: Vec<String>,
    /// Plural name, as in URLs.
    pub plural: String,
    /// Singular name, as people type it.
    pub singular: String,
    /// The kind in objects.
    pub kind: String,
    /// The kind of lists.
    pub list_kind: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Short names for people.
    pub short_names: Vec<String>,
    /// Groups for people, such as `all`.
    pub categories: Vec<String>,
    /// Subresources that are served: `status`, `resize`, `scale`, ...
    pub subresources: Vec<String>,
    /// Whether `metadata.generation` counts changes of the spec.
    pub generation: bool,
    /// Whether deletion is announced first and carried out by the node (Pods).
    pub graceful_deletion: bool,
    /// Whether the resource was defined by a CustomResourceDefinition.
    pub custom: bool,
    /// Fields of a custom resource that a list can be narrowed by, such as `spec.color`.
    pub selectable_fields: Vec<String>,
    /// The stored version of a custom resource as its definition has it: schema, columns.
    pub definition: Option<Arc<Value>>,
    /// The schema of a custom resource, where its definition has one.
    pub schema: Option<Arc<Schema>>,
    /// Which of its lists are merged by key.
    pub shape: Arc<Shape>,
}

impl ResourceKind {
    /// The resource without its version.
    pub fn id(&self) -> ResourceId {
        ResourceId::new(self.group.clone(), self.plural.clone())
    }

    /// `v1`, or `group/version`.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// Whether the subresource is served.
    pub fn has_subresource(&self, name: &str) -> bool {
        self.subresources.iter().any(|known| known == name)
    }
}

/// `v1` for the core group, else `group/version`.
pub fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}
