//! The plan of a pull request: a branch of the repository, judged by the cluster before it is merged, by the functions of
//! `reef plan --base main --head BRANCH`.
//!
//! It writes nothing, and whoever merges does not wait for it.

use reef_api::Clock;
use reef_api::plan::{CapacityPlan, FactsKind, FactsOrigin};
use reef_reconciler::desired::Scope;
use reef_reconciler::review::{Cluster, between, state};
use reef_reconciler::source::{LocalRepository, RepoPath};

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
    Ok(between(
        (&state("main", &base), &base),
        (&state(branch, &head), &head),
        Scope::Any(NAMESPACE),
        Cluster { origin: &origin, facts: Some(&known.facts), source: None },
    ))
}
