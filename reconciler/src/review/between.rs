//! Two states as their files: read one after the other, and reviewed.

use reef_api::plan::{CapacityPlan, State};

use super::{Cluster, Side, review};
use crate::desired::{Desired, ParseCache, Scope, read_within};
use crate::source::Snapshot;

/// Reads both states, and plans the step from the first to the second. What of the second cannot be read is as the first has it.
pub fn between(
    (base, base_files): (&State, &Snapshot),
    (head, head_files): (&State, &Snapshot),
    scope: Scope<'_>,
    cluster: Cluster<'_>,
) -> CapacityPlan {
    let mut cache = ParseCache::default();
    let before = read_within(base_files, &Desired::default(), scope, &mut cache);
    let after = read_within(head_files, &before, scope, &mut cache);
    review(
        Side { state: base, desired: &before, files: base_files },
        Side { state: head, desired: &after, files: head_files },
        cluster,
    )
}

/// A commit as one side of a plan, by the name that it was asked for.
pub fn state(name: &str, files: &Snapshot) -> State {
    State { name: name.to_owned(), commit: Some(files.commit.id.clone()), subject: Some(files.commit.subject.clone()) }
}
