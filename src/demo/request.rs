//! The plan of a pull request: a branch of the repository, judged by the cluster before it is merged, by the functions of
//! `reef plan --base main --head BRANCH`.
//!
//! It writes nothing, and whoever merges does not wait for it.

use std::sync::Arc;

use reef_api::Clock;
use reef_api::plan::{CapacityPlan, FactsKind, FactsOrigin, State};
use reef_reconciler::desired::{Desired, ParseCache, Scope, read_within};
use reef_reconciler::review::{Cluster, Side, review};
use reef_reconciler::source::{LocalRepository, RepoPath, Snapshot};

use super::world::{NAMESPACE, World};
use crate::wiring::clock::SystemClock;
use crate::wiring::facts::facts_of;

/// Plans what a branch would change in `main`.
///
/// # Errors
/// Where the repository or the cluster cannot be read.
pub async fn planned(world: &World, branch: &str) -> anyhow::Result<CapacityPlan> {
    let known = facts_of(&world.embedded.connection.requests).await?;
    let origin = FactsOrigin { from: FactsKind::Cluster, at: Some(SystemClock.now()), cluster: None };
    let repository = LocalRepository::discover(world.repository.path(), &RepoPath::parse("")?)?;
    let base = repository.at(repository.merge_base("main", branch)?, None)?;
    let head = repository.at(repository.commit(branch)?, Some(&base))?;
    let mut cache = ParseCache::default();
    let stated = read_within(&base, &Desired::default(), Scope::Any(NAMESPACE), &mut cache);
    let wanted = read_within(&head, &stated, Scope::Any(NAMESPACE), &mut cache);
    Ok(review(
        Side { state: &state("main", &base), desired: &stated, files: &base },
        Side { state: &state(branch, &head), desired: &wanted, files: &head },
        Cluster { origin: &origin, facts: Some(&known.facts), source: None },
    ))
}

fn state(name: &str, files: &Arc<Snapshot>) -> State {
    State { name: name.to_owned(), commit: Some(files.commit.id.clone()), subject: Some(files.commit.subject.clone()) }
}
