//! The kinds that are watched, and the keys of their objects.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::core::ApiResource;
use reef_api::argocd::{self, ApplicationRef, Tracked};
use reef_api::{CapacityCheck, GitSource, SizingPolicy, VirtualMachine, VmKey};

use super::object::Object;

/// A kind that the store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// VirtualMachine.
    Vm,
    /// Pod with the label of a VM.
    Pod,
    /// Node.
    Node,
    /// SizingPolicy.
    Policy,
    /// GitSource.
    Source,
    /// CapacityCheck.
    Check,
}

impl Kind {
    /// Every kind, in the order in which they are watched.
    pub const ALL: [Self; 6] = [Self::Vm, Self::Pod, Self::Node, Self::Policy, Self::Source, Self::Check];

    /// Group, version and plural.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::Vm => ApiResource::erase::<VirtualMachine>(&()),
            Self::Pod => ApiResource::erase::<Pod>(&()),
            Self::Node => ApiResource::erase::<Node>(&()),
            Self::Policy => ApiResource::erase::<SizingPolicy>(&()),
            Self::Source => ApiResource::erase::<GitSource>(&()),
            Self::Check => ApiResource::erase::<CapacityCheck>(&()),
        }
    }

    /// The plural, by which the API and metrics name it.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Vm => "virtualmachines",
            Self::Pod => "pods",
            Self::Node => "nodes",
            Self::Policy => "sizingpolicies",
            Self::Source => "gitsources",
            Self::Check => "capacitychecks",
        }
    }

    /// The word for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vm => "VirtualMachine",
            Self::Pod => "Pod",
            Self::Node => "Node",
            Self::Policy => "SizingPolicy",
            Self::Source => "GitSource",
            Self::Check => "CapacityCheck",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The Application of Argo CD that tracks an object, by the object's annotations.
pub fn tracked_by(
    kind: Kind,
    key: &ObjectKey,
    annotations: Option<&BTreeMap<String, String>>,
) -> Option<ApplicationRef> {
    let resource = kind.resource();
    let object = Tracked { group: &resource.group, kind: &resource.kind, namespace: &key.namespace, name: &key.name };
    argocd::tracked_by(annotations, object)
}

/// Namespace and name of an object; the namespace is empty for a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// Builds a key from its parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object, none when it has no name.
    pub fn of(object: &Object) -> Option<Self> {
        let name = object.metadata.name.clone().filter(|name| !name.is_empty())?;
        Some(Self { namespace: object.metadata.namespace.clone().unwrap_or_default(), name })
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl From<&VmKey> for ObjectKey {
    fn from(key: &VmKey) -> Self {
        Self::new(key.namespace.as_str(), key.name.as_str())
    }
}

impl From<&ObjectKey> for VmKey {
    fn from(key: &ObjectKey) -> Self {
        Self::new(key.namespace.as_str(), key.name.as_str())
    }
}
