//! What is kept of an object: as little as decisions read, since there are many thousands of them.
//!
//! Pure. `managedFields` go, but for the entries of the controller's own applies, which tell what Git stated before, and of Argo CD's.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use reef_api::argocd::TRACKING_ANNOTATION;
use reef_api::{CapacityCheck, GitSource, SizingPolicy, VirtualMachine};
use serde::de::DeserializeOwned;

use super::node::node_observed;
use super::object::{Object, Told};
use super::pod::{PodOdd, is_leftover, owner_uid, pod_observed};
use crate::act::{applied_by_argocd, applied_by_us};
use crate::decide::observed::{NodeObserved, PodObserved};
use crate::packed::Packed;

/// Something that the store keeps of an object.
pub trait Keep: Sized {
    /// Takes what is needed of an object, or says why it cannot be read; and the object as it came, where it is compared with Git.
    fn keep(object: Object) -> (Result<Self, String>, Option<Told>);
}

/// A VirtualMachine, packed: whoever looks at it reads it anew, unless it came just now.
#[derive(Clone, Debug)]
pub struct KeptVm {
    packed: Packed,
    fresh: Option<Arc<VirtualMachine>>,
    /// Whether it says that Argo CD tracks it.
    pub tracked: bool,
    /// The field manager that changed the spec last, where Argo CD tracks the VM.
    pub writer: Option<String>,
}

impl PartialEq for KeptVm {
    fn eq(&self, other: &Self) -> bool {
        self.packed == other.packed
    }
}

impl KeptVm {
    /// The object, typed.
    pub fn read(&self) -> Option<Arc<VirtualMachine>> {
        self.fresh.clone().or_else(|| self.packed.read().map(Arc::new))
    }

    /// Lets go of the typed object: there are many, and few are looked at again and again.
    pub fn pack(&mut self) {
        self.fresh = None;
    }
}

impl Keep for KeptVm {
    fn keep(object: Object) -> (Result<Self, String>, Option<Told>) {
        let (typed, told) = told::<VirtualMachine>(&object);
        let tracked = object.metadata.annotations.as_ref().is_some_and(|marks| marks.contains_key(TRACKING_ANNOTATION));
        let writer = if tracked { object.spec_writer() } else { None };
        let kept = typed.map(|vm| Self { packed: told.text.clone(), fresh: Some(Arc::new(vm)), tracked, writer });
        (kept, Some(told))
    }
}

/// A Pod as far as it is about a VM.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptPod {
    /// The Pod as the pipeline reads it, or why it cannot be read as one of a VM.
    pub observed: Result<PodObserved, PodOdd>,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// UID of the VM that controls it.
    pub owner: Option<String>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Who else than Reef resized it last, where the Pod tells.
    pub resizer: Option<String>,
    /// Whether it may still run a VMM: to every VM but its owner, one that an earlier VM has left.
    pub leftover: bool,
}

impl From<&Pod> for KeptPod {
    fn from(pod: &Pod) -> Self {
        Self {
            observed: pod_observed(pod),
            name: pod.metadata.name.clone(),
            owner: owner_uid(pod).map(str::to_owned),
            created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
            resizer: None,
            leftover: is_leftover(pod),
        }
    }
}

impl Keep for KeptPod {
    fn keep(object: Object) -> (Result<Self, String>, Option<Told>) {
        let kept = typed::<Pod>(&object).map(|pod| Self { resizer: object.resizer(), ..Self::from(&pod) });
        (kept, None)
    }
}

/// What a node can hold, where it says so.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptNode(pub Option<NodeObserved>);

impl Keep for KeptNode {
    fn keep(object: Object) -> (Result<Self, String>, Option<Told>) {
        (typed::<Node>(&object).map(|node| Self(node_observed(&node))), None)
    }
}

/// There are few policies, and every look at a VM reads them.
impl Keep for SizingPolicy {
    fn keep(object: Object) -> (Result<Self, String>, Option<Told>) {
        let (typed, raw) = told(&object);
        (typed, Some(raw))
    }
}

impl Keep for GitSource {
    fn keep(object: Object) -> (Result<Self, String>, Option<Told>) {
        (typed(&object), None)
    }
}

impl Keep for CapacityCheck {
    fn keep(object: Object) -> (Result<Self, String>, Option<Told>) {
        (typed(&object), None)
    }
}

/// The object typed, and its text as it came, without what others say that they own of it.
fn told<T: DeserializeOwned>(object: &Object) -> (Result<T, String>, Told) {
    (typed(object), object.told(|entry| applied_by_us(entry) || applied_by_argocd(entry)))
}

fn typed<T: DeserializeOwned>(object: &Object) -> Result<T, String> {
    object.read().map_err(|error| error.to_string())
}
