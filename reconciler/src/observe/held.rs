//! One object as the store holds it: the last known state of it, and how sure that is.

use std::sync::Arc;

use reef_api::names::VM_LABEL;

use super::keep::Keep;
use super::object::{Object, Told};

/// A resourceVersion. Comparable numbers from Kubernetes 1.35 on; one that is no number is never called older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(Option<u64>);

impl Version {
    /// One of a past that is gone: it cannot be compared, so whatever comes replaces what has it.
    pub(super) const OF_ANOTHER_PAST: Self = Self(None);

    /// Reads the version of an object.
    pub fn of(object: &Object) -> Self {
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
    pub raw: Option<Told>,
    /// A number that is the same as long as everything that Git can state of it is the same. The shelf counts it: a cluster that was
    /// restored from a backup has versions twice.
    pub stated: u64,
    /// What is kept of the object, or why it cannot be read.
    pub object: Result<Arc<T>, String>,
    /// Whether a write of ours may have changed it since: to be read again before the next decision.
    pub doubtful: bool,
    /// Whether it is still as the first list named it, so that a write which another process computed from it may yet arrive.
    pub inherited: bool,
}

impl<T> Held<T> {
    /// Whether Git finds the same in it as in an earlier view.
    pub fn states_the_same(&self, before: &Self) -> bool {
        let both = self.raw.as_ref().zip(before.raw.as_ref());
        self.uid == before.uid && both.is_some_and(|(now, before)| now.states_the_same(before))
    }
}

impl<T: Keep> Held<T> {
    /// Reads an object; one that has an unexpected shape is held as such.
    pub fn read(raw: Object) -> Self {
        let version = Version::of(&raw);
        let uid = raw.metadata.uid.clone().unwrap_or_default();
        let mark = raw.metadata.labels.as_ref().and_then(|labels| labels.get(VM_LABEL).cloned());
        let (object, raw) = T::keep(raw);
        Self { uid, version, mark, raw, stated: 0, object: object.map(Arc::new), doubtful: false, inherited: false }
    }
}
