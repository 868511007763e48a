//! From the files of a commit to the objects that they ask for.
//!
//! Pure: bytes in, values out. One bad document costs its own objects nothing but their progress: they keep the last good state, and
//! everything else goes on. What is absent from a tip that could be read is reported as removed, and never deleted here.

mod cache;
mod check;
mod deserialize;
mod document;
pub mod edit;
mod fault;
mod fields;
mod file;
mod locate;
mod node;
mod object;
mod reading;
mod scope;
mod status;
mod text;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reef_api::VmKey;

use crate::source::Snapshot;

pub use cache::ParseCache;
pub use locate::{Documents, Located};
pub use object::{DesiredPolicy, DesiredVm, Kind, Listed, ObjectName, Origin, PolicyKey, Problem, Since};
pub use scope::{Grants, Scope};

/// What one commit asks for, as far as it can be read, and the last good state where it cannot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// The commit that was read; empty before the first.
    pub commit: String,
    /// The VMs. An entry that did not change is the same `Arc` as before.
    pub vms: BTreeMap<VmKey, Arc<DesiredVm>>,
    /// The policies.
    pub policies: BTreeMap<PolicyKey, Arc<DesiredPolicy>>,
    /// What could not be used; the objects concerned keep their last good state.
    pub problems: Vec<Problem>,
    /// What is used, and may not be meant so.
    pub warnings: Vec<Problem>,
    /// Documents of other kinds, which are skipped: kind and count.
    pub foreign: BTreeMap<String, usize>,
    /// What an earlier commit defined and this one does not: removed, or in a file that could not be read since the start.
    pub left: BTreeMap<ObjectName, Listed>,
}

impl Desired {
    /// What is left to know after a restart: which objects the source has applied.
    #[must_use]
    pub fn remembered(left: BTreeMap<ObjectName, Listed>) -> Self {
        Self { left, ..Self::default() }
    }

    /// Objects that an earlier commit defined and this one, though it could be read, does not.
    pub fn removed(&self) -> impl Iterator<Item = (&ObjectName, &Listed)> {
        self.left.iter().filter(|(_, listed)| listed.removed)
    }
}

/// Reads a snapshot on top of what was read before.
///
/// `namespace` is the only one that the source may write to. Files whose content did not change come from `cache`.
#[must_use]
pub fn read(snapshot: &Snapshot, previous: &Desired, namespace: &str, cache: &mut ParseCache) -> Desired {
    read_within(snapshot, previous, Scope::Only(namespace), cache)
}

/// The same for a repository that may state objects of the namespaces in `scope`.
#[must_use]
pub fn read_within(snapshot: &Snapshot, previous: &Desired, scope: Scope<'_>, cache: &mut ParseCache) -> Desired {
    cache.refresh(snapshot);
    let mut reading = reading::Reading::new(scope, &snapshot.commit.id);
    for (path, file) in cache.files() {
        reading.file(path, file);
    }
    for skipped in &snapshot.skipped {
        reading.skipped(skipped);
    }
    reading.finish(previous)
}

/// Kinds and namespaces of all that a snapshot states, as far as it states a namespace.
#[must_use]
pub fn stated_namespaces(snapshot: &Snapshot, cache: &mut ParseCache) -> BTreeSet<(Kind, String)> {
    cache.refresh(snapshot);
    let documents = cache.files().flat_map(|(_, file)| &file.documents);
    documents.filter_map(file::ParsedDocument::namespace_stated).collect()
}

#[cfg(test)]
mod tests;
