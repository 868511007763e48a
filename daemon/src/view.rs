//! What the daemon takes out of the API's objects: the few fields that it acts on, converted one object at a time.
//!
//! Conversion only. An odd object is an error about that object, and nothing else: a field that is the controller's or
//! another daemon's business cannot spoil it, because it is not read.

use crate::host::PodRef;
use crate::object::Object;
use kube::ResourceExt;
use reef_api::VmKey;
use reef_api::names::{VM_LABEL, VMM_CONTAINER};
use reef_api::vm::{Grant, VmmStatus};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Why an object could not be used.
#[derive(Debug, thiserror::Error)]
pub enum OddObject {
    /// A field that every stored object has is missing.
    #[error("{object} has no {field}")]
    Missing {
        /// Kind and name.
        object: String,
        /// The field.
        field: &'static str,
    },
    /// A field does not read as what it should be.
    #[error("{object}: {field} cannot be read")]
    Unreadable {
        /// Kind and name.
        object: String,
        /// The field.
        field: &'static str,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// A resourceVersion. Comparable as a number from Kubernetes 1.35 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceVersion(pub String);

impl ResourceVersion {
    /// Whether this one is newer. Where either is no number, a different one is taken for newer.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        match (self.0.parse::<u128>(), other.0.parse::<u128>()) {
            (Ok(this), Ok(other)) => this > other,
            (Err(_), _) | (_, Err(_)) => self != other,
        }
    }
}

/// Which past of the cluster a view is of: each time that it is found to be restored from a backup, another one begins.
/// Versions can be compared within one past only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past(u64);

impl Past {
    /// The one after this.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A VirtualMachine as the daemon sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct VmView {
    /// Namespace and name.
    pub key: VmKey,
    /// UID.
    pub uid: String,
    /// Version of this view.
    pub resource_version: ResourceVersion,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Node that the controller says it is on.
    pub node: Option<String>,
    /// Pod that the controller says it runs in.
    pub pod_uid: Option<String>,
    /// What the controller has granted.
    pub grant: Option<Grant>,
    /// The commit that asked for the VM's present size, where one did.
    pub revision: Option<String>,
    /// What was reported last, by this daemon or one before it.
    pub reported: Option<VmmStatus>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawStatus<'a> {
    node_name: Option<String>,
    #[serde(rename = "vmPodUID")]
    vm_pod_uid: Option<String>,
    resize: Option<RawResize>,
    #[serde(borrow)]
    vmm: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawResize {
    #[serde(default)]
    revision: Option<String>,
    #[serde(default)]
    grant: Option<Grant>,
}

impl VmView {
    /// Reads a VirtualMachine. A report that cannot be read, for example of another version, counts as none.
    ///
    /// # Errors
    /// Where metadata or the controller's part cannot be read: a grant is never guessed.
    pub fn read(object: &Object) -> Result<Self, OddObject> {
        let key = key_of(object)?;
        let status: RawStatus<'_> = part(object, "status", object.status())?;
        Ok(Self {
            uid: required(object, "metadata.uid", object.uid())?,
            resource_version: ResourceVersion(required(object, "metadata.resourceVersion", object.resource_version())?),
            deleting: object.metadata.deletion_timestamp.is_some(),
            revision: status.resize.as_ref().and_then(|resize| resize.revision.clone()),
            node: status.node_name,
            pod_uid: status.vm_pod_uid,
            grant: status.resize.and_then(|resize| resize.grant),
            reported: status.vmm.and_then(|vmm| serde_json::from_str(vmm.get()).ok()),
            key,
        })
    }

    /// The grant for a Pod; one for another Pod counts as none.
    pub fn grant_for(&self, pod_uid: &str) -> Option<&Grant> {
        self.grant.as_ref().filter(|grant| grant.pod_uid == pod_uid)
    }
}

/// A view of the watch, and of which past it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The view.
    pub view: VmView,
    /// Its past.
    pub past: Past,
}

/// A VM's Pod as the daemon sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// Namespace and name of the Pod.
    pub key: VmKey,
    /// The VM that it says it is of.
    pub vm: VmKey,
    /// Its UID.
    pub uid: String,
    /// Node that it is bound to.
    pub node: Option<String>,
    /// Container that runs the VMM, while it runs.
    pub container_id: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPodSpec {
    node_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPodStatus {
    container_statuses: Option<Vec<RawContainer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawContainer {
    name: String,
    #[serde(rename = "containerID")]
    container_id: Option<String>,
    state: Option<RawState>,
}

#[derive(Deserialize)]
struct RawState {
    running: Option<IgnoredAny>,
}

impl PodView {
    /// Reads a Pod.
    ///
    /// # Errors
    /// Where metadata, the VM's label, or the Pod's shape cannot be read.
    pub fn read(object: &Object) -> Result<Self, OddObject> {
        let key = key_of(object)?;
        let vm = required(object, "label reef.dev/vm", object.labels().get(VM_LABEL).cloned())?;
        let spec: RawPodSpec = part(object, "spec", object.spec())?;
        let status: RawPodStatus = part(object, "status", object.status())?;
        Ok(Self {
            vm: VmKey::new(key.namespace.clone(), vm),
            uid: required(object, "metadata.uid", object.uid())?,
            node: spec.node_name,
            container_id: running_container(&status),
            deleting: object.metadata.deletion_timestamp.is_some(),
            key,
        })
    }

    /// The Pod by the names that its node knows it by; `None` while its VMM does not run there.
    pub fn on(&self, node: &str) -> Option<PodRef> {
        let here = self.node.as_deref() == Some(node) && !self.deleting;
        let container_id = self.container_id.clone().filter(|_| here)?;
        Some(PodRef { pod_uid: self.uid.clone(), container_id })
    }
}

/// The id of the running container `vm-manager`, without the runtime's prefix (`containerd://`).
fn running_container(status: &RawPodStatus) -> Option<String> {
    let statuses = status.container_statuses.as_ref()?;
    let container = statuses.iter().find(|status| status.name == VMM_CONTAINER)?;
    container.state.as_ref()?.running.as_ref()?;
    let id = container.container_id.as_deref()?;
    Some(id.split_once("://").map_or(id, |(_, id)| id).to_owned())
}

/// Namespace and name of an object.
///
/// # Errors
/// Where either is missing.
pub fn key_of(object: &Object) -> Result<VmKey, OddObject> {
    let namespace = required(object, "metadata.namespace", object.namespace())?;
    let name = required(object, "metadata.name", object.metadata.name.clone())?;
    Ok(VmKey::new(namespace, name))
}

fn required(object: &Object, field: &'static str, value: Option<String>) -> Result<String, OddObject> {
    let value = value.filter(|value| !value.is_empty());
    value.ok_or_else(|| OddObject::Missing { object: called(object), field })
}

/// Reads a part of an object, so that an error can name it; one that is not there reads as empty.
fn part<'a, T: Default + Deserialize<'a>>(
    object: &Object,
    field: &'static str,
    text: Option<&'a str>,
) -> Result<T, OddObject> {
    let read = text.map(serde_json::from_str).transpose();
    read.map(Option::unwrap_or_default).map_err(|source| OddObject::Unreadable {
        object: called(object),
        field,
        source,
    })
}

fn called(object: &Object) -> String {
    let kind = object.kind.as_deref().unwrap_or("object");
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    format!("{kind} {namespace}/{}", object.metadata.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests;
