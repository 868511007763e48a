//! One object as the store holds it: the last known state of it, and how sure that is.

use std::sync::Arc;

use kube::core::DynamicObject;
use reef_api::names::VM_LABEL;

use super::keep::Keep;
use crate::packed::Packed;

/// A resourceVersion. Comparable numbers from Kubernetes 1.35 on; one that is no number is never called older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(Option<u64>);

impl Version {
    /// Reads the version of an object.
    pub fn of(object: &DynamicObject) -> Self {
        Self(object.metadata.resource_version.as_deref().and_then(|text| text.parse().ok()))
    }

    /// Whether this version is certainly older than another.
    pub fn older_than(self, other: Self) -> bool {
        self.0.zip(other.0).is_some_and(|(this, other)| this < other)
    }

    /// Whether this version can be newer than another: neither older nor the same.
    pub fn may_follow(self, other: Self) -> bool {
        self.0.zip(other.0).is_none_or(|(this, other)| this > other)
    }
}

/// An object as last seen.
#[derive(Clone, Debug)]
pub struct Held<T> {
    /// UID, empty when the object had none.
    pub uid: String,
    /// resourceVersion.
    pub version: Version,
    /// The VM that the object's label names; read even from an object that cannot be read otherwise.
    pub mark: Option<String>,
    /// The object as it came, where its fields are compared one by one with what Git states.
    pub raw: Option<Packed>,
    /// What is kept of the object, or why it cannot be read.
    pub object: Result<Arc<T>, String>,
    /// Whether a write of ours may have changed it since: to be read again before the next decision.
    pub doubtful: bool,
}

impl<T: Keep> Held<T> {
    /// Reads an object; one that has an unexpected shape is held as such.
    pub fn read(raw: DynamicObject) -> Self {
        let version = Version::of(&raw);
        let uid = raw.metadata.uid.clone().unwrap_or_default();
        let mark = raw.metadata.labels.as_ref().and_then(|labels| labels.get(VM_LABEL).cloned());
        let (object, raw) = T::keep(raw);
        Self { uid, version, mark, raw, object: object.map(Arc::new), doubtful: false }
    }
}
