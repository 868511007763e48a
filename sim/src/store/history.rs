//! The changes of the near past, so that a watch can go on where it stopped. It keeps no objects of its own making.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::kind::{ObjectKey, ResourceId};
use super::stored::Stored;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It came to be.
    Added,
    /// It changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// One write.
#[derive(Debug, Clone)]
pub struct Change {
    /// The object's place.
    pub key: ObjectKey,
    /// What happened.
    pub kind: ChangeKind,
    /// The object after the write; for a deletion its last state, at the deletion's version.
    pub object: Arc<Value>,
    /// The object before the write, where there was one.
    pub previous: Option<Arc<Value>>,
    /// The write's version: every write has one of its own.
    pub resource_version: u64,
    /// The object after the write, with its owners.
    pub stored: Stored,
    /// The object before the write, with its owners.
    pub before: Option<Stored>,
}

/// A ring of changes; versions in it are consecutive.
#[derive(Debug)]
pub(super) struct History {
    changes: VecDeque<Arc<Change>>,
    /// The same by resource: a reader of one does not look through those of others.
    of_resource: BTreeMap<ResourceId, OfResource>,
    capacity: usize,
    /// Everything up to here is forgotten.
    compacted: u64,
}

/// The changes of one resource.
#[derive(Debug, Default)]
struct OfResource {
    changes: VecDeque<Arc<Change>>,
    /// The version of the last one, also where it is forgotten.
    latest: u64,
}

impl History {
    pub(super) fn new(capacity: usize) -> Self {
        History { changes: VecDeque::new(), of_resource: BTreeMap::new(), capacity: capacity.max(1), compacted: 0 }
    }

    pub(super) fn push(&mut self, change: Change) {
        let change = Arc::new(change);
        let of_resource = match self.of_resource.get_mut(&change.key.resource) {
            Some(known) => known,
            None => self.of_resource.entry(change.key.resource.clone()).or_default(),
        };
        of_resource.latest = change.resource_version;
        of_resource.changes.push_back(change.clone());
        self.changes.push_back(change);
        while self.changes.len() > self.capacity {
            self.forget_oldest();
        }
    }

    pub(super) fn compact(&mut self, through: u64) {
        while self.changes.front().is_some_and(|change| change.resource_version <= through) {
            self.forget_oldest();
        }
        self.compacted = self.compacted.max(through);
    }

    /// Forgets everything; what comes now follows `version`, whatever was there before.
    pub(super) fn restart(&mut self, version: u64) {
        *self = History { compacted: version, ..History::new(self.capacity) };
    }

    /// The oldest version from which a watch can still start.
    pub(super) fn oldest(&self) -> u64 {
        self.compacted
    }

    /// The first change after `version`, of one resource or of all; `Err` holds the oldest version that is still known. A reader of one
    /// resource has missed nothing where all that was forgotten since is of others.
    pub(super) fn after(&self, version: u64, resource: Option<&ResourceId>) -> Result<Option<&Arc<Change>>, u64> {
        let Some(resource) = resource else {
            return self.check(version).map(|()| first_after(&self.changes, version));
        };
        match self.of_resource.get(resource).filter(|of_resource| of_resource.latest > version) {
            Some(of_resource) => self.check(version).map(|()| first_after(&of_resource.changes, version)),
            None => Ok(None),
        }
    }

    fn check(&self, version: u64) -> Result<(), u64> {
        if version < self.compacted { Err(self.compacted) } else { Ok(()) }
    }

    /// Every change after `version`, oldest first; `Err` holds the oldest version that is still known.
    pub(super) fn since(&self, version: u64) -> Result<impl DoubleEndedIterator<Item = &Arc<Change>>, u64> {
        if version < self.compacted {
            return Err(self.compacted);
        }
        Ok(self.changes.iter().filter(move |change| change.resource_version > version))
    }

    fn forget_oldest(&mut self) {
        if let Some(change) = self.changes.pop_front() {
            self.compacted = self.compacted.max(change.resource_version);
            // The oldest of all is the oldest of its resource.
            if let Some(of_resource) = self.of_resource.get_mut(&change.key.resource) {
                of_resource.changes.pop_front();
            }
        }
    }
}

fn first_after(changes: &VecDeque<Arc<Change>>, version: u64) -> Option<&Arc<Change>> {
    changes.get(changes.partition_point(|change| change.resource_version <= version))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(version: u64) -> Change {
        Change {
            key: ObjectKey::cluster(ResourceId::core("nodes"), "n"),
            kind: ChangeKind::Modified,
            object: Arc::new(json!({})),
            previous: None,
            resource_version: version,
            stored: Stored::new(json!({}), crate::store::fields::Owners::default()),
            before: None,
        }
    }

    fn version_after(history: &History, version: u64) -> Result<Option<u64>, u64> {
        history.after(version, None).map(|found| found.map(|change| change.resource_version))
    }

    #[test]
    fn a_full_ring_forgets_its_oldest_and_says_so() {
        let mut history = History::new(2);
        (1..=4).for_each(|version| history.push(change(version)));
        assert_eq!(version_after(&history, 1), Err(2));
        assert_eq!(version_after(&history, 2), Ok(Some(3)));
        assert_eq!(version_after(&history, 4), Ok(None));
    }

    #[test]
    fn a_reader_of_one_resource_does_not_miss_what_is_forgotten_of_others() {
        let mut history = History::new(10);
        (1..=4).for_each(|version| history.push(change(version)));
        history.compact(4);
        let (nodes, pods) = (ResourceId::core("nodes"), ResourceId::core("pods"));
        assert_eq!(history.after(2, Some(&pods)).map(|found| found.is_some()), Ok(false));
        assert_eq!(history.after(2, Some(&nodes)).map(|found| found.is_some()), Err(4));
        history.push(Change { key: ObjectKey::cluster(pods.clone(), "p"), ..change(5) });
        history.push(change(6));
        let found = history.after(4, Some(&nodes)).map(|found| found.map(|change| change.resource_version));
        assert_eq!(found, Ok(Some(6)));
    }

    #[test]
    fn compaction_leaves_a_reader_that_is_up_to_date_alone() {
        let mut history = History::new(10);
        (1..=4).for_each(|version| history.push(change(version)));
        history.compact(4);
        assert_eq!(version_after(&history, 3), Err(4));
        assert_eq!(version_after(&history, 4), Ok(None));
        history.push(change(5));
        assert_eq!(version_after(&history, 4), Ok(Some(5)));
    }
}
