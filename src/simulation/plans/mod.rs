//! Plans held against what happens: a random cluster, commits at random, and each verdict compared with what Reef, kubelets and scheduler then do.
//!
//! Nothing goes wrong in these worlds: a plan is a forecast of what happens when all parties do their work.

mod fleet;
mod judge;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use git2::{ObjectType, Oid};
use jiff::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reef_api::facts::ClusterFacts;
use reef_api::plan::{CapacityPlan, FactsKind, FactsOrigin, Mode, Rule, State};
use reef_reconciler::desired::Scope;
use reef_reconciler::review::{self, between};
use reef_reconciler::source::{Commit, Descent, File, RepoPath, Snapshot};

use self::fleet::Fleet;
use super::world::{World, WorldError, deterministic};
use crate::wiring::facts;

/// How long everything has time to come to rest: memory goes by steps, each of which takes some seconds. Shorter than a lease.
const REST: Duration = Duration::from_secs(420);
/// Commits in one world.
pub const COMMITS: u32 = 5;

/// What was forecast, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecasts {
    /// Commits that were planned.
    pub commits: usize,
    /// Verdicts that came true, by mode.
    pub right: BTreeMap<Mode, usize>,
    /// The same by the rule that decided.
    pub rules: BTreeMap<Rule, usize>,
    /// Those that did not, in sentences.
    pub wrong: Vec<String>,
}

impl Forecasts {
    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.commits += other.commits;
        for (mode, count) in other.right {
            *self.right.entry(mode).or_default() += count;
        }
        for (rule, count) in other.rules {
            *self.rules.entry(rule).or_default() += count;
        }
        self.wrong.extend(other.wrong);
        self
    }
}

/// Plays one world from its seed.
///
/// # Errors
/// Where no runtime can be made, or the embedded cluster refuses its own set-up.
pub fn forecasts(seed: u64) -> Result<Forecasts, WorldError> {
    let played = deterministic(played(seed));
    played.map_err(|error| WorldError::Invalid(format!("no runtime can be made: {error}")))?
}

async fn played(seed: u64) -> Result<Forecasts, WorldError> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed ^ 0x91a5);
    let (cpus, gib) = (chance.random_range(6..=12), chance.random_range(10..=24));
    let world = World::start_in(seed, |options| fleet::equipped(&mut options.nodes, cpus, gib, &mut chance)).await?;
    let mut fleet = Fleet::new(chance);
    world.push("the fleet", &fleet.files())?;
    tokio::time::sleep(REST).await;
    fleet.rule();
    world.push("the policy", &fleet.files())?;
    tokio::time::sleep(REST).await;
    let mut found = Forecasts::default();
    for number in 1..=COMMITS {
        let before = fleet.files();
        fleet.change();
        let plan = planned(&world, &before, &fleet.files()).await?;
        let had = world.vms();
        world.push(&format!("commit {number}"), &fleet.files())?;
        tokio::time::sleep(REST).await;
        let has = world.vms();
        let verdicts = judge::judged(&plan, &had, &has);
        found.commits += 1;
        for (mode, rule) in verdicts.right {
            *found.right.entry(mode).or_default() += 1;
            if let Some(rule) = rule {
                *found.rules.entry(rule).or_default() += 1;
            }
        }
        let beside: String = plan.changes.iter().map(|change| format!("\n    {}", change.line())).collect();
        let beside: String =
            beside + &has.iter().map(|(name, vm)| format!("\n    {name}: {}", judge::said(vm))).collect::<String>();
        found.wrong.extend(verdicts.wrong.iter().map(|wrong| format!("seed {seed}, commit {number}: {wrong}{beside}")));
    }
    Ok(found)
}

async fn planned(
    world: &World,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Result<CapacityPlan, WorldError> {
    let facts = known(world).await?;
    let origin = FactsOrigin { from: FactsKind::Cluster, at: None, cluster: None };
    let (base, head, state) = (snapshot(before)?, snapshot(after)?, State::default());
    let cluster = review::Cluster { origin: &origin, facts: Some(&facts), source: Some("default/fleet") };
    Ok(between((&state, &base), (&state, &head), Scope::Any("default"), cluster))
}

async fn known(world: &World) -> Result<ClusterFacts, WorldError> {
    let taken = facts::facts_of(&world.client_of("reader")).await;
    taken.map(|taken| taken.facts).map_err(|error| WorldError::Invalid(format!("{error:#}")))
}

fn snapshot(files: &BTreeMap<String, String>) -> Result<Arc<Snapshot>, WorldError> {
    let invalid = |error: &dyn std::fmt::Display| WorldError::Invalid(error.to_string());
    let mut found = BTreeMap::new();
    for (path, text) in files {
        let path = RepoPath::parse(path).map_err(|error| invalid(&error))?;
        let blob = Oid::hash_object(ObjectType::Blob, text.as_bytes()).map_err(|error| invalid(&error))?;
        found.insert(path, File { blob, bytes: Some(Arc::from(text.as_bytes())) });
    }
    let commit =
        Commit { id: "c".to_owned(), subject: String::new(), author: String::new(), time: Timestamp::UNIX_EPOCH };
    let descent = Descent::Unknown;
    Ok(Arc::new(Snapshot { commit, descent, path: RepoPath::root(), files: found, skipped: Vec::new(), blobs_read: 0 }))
}
