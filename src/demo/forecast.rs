//! The plan of a commit in words, before it happens: the commit read and judged by the functions that the controller uses.
//!
//! A forecast only; it writes nothing and the controller does not know of it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use reef_api::plan::{Action, Change};
use reef_reconciler::decide::plan::plan;
use reef_reconciler::desired::{Desired, ParseCache, read};
use reef_reconciler::review::compare;
use reef_reconciler::source::{FileUrls, Git2Repositories, Limits, Location, Repositories, Snapshot};

use super::observer::Observer;
use super::repository::Repository;
use super::world::NAMESPACE;
use crate::wiring::git;

/// Reads commits as they come, each on top of the one before.
pub struct Forecaster {
    repositories: Git2Repositories,
    location: Location,
    last: Option<Arc<Snapshot>>,
    desired: Desired,
    cache: ParseCache,
}

/// What a commit is expected to bring.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Changes of VMs.
    pub changes: Vec<Change>,
    /// What cannot be used, with file, line and snippet.
    pub problems: Vec<String>,
    /// What is no longer stated, and kept.
    pub removed: Vec<String>,
}

impl Forecaster {
    /// Reads the tip that is there now; the next forecast is about what comes after it.
    ///
    /// # Errors
    /// Where the repository cannot be read.
    pub async fn new(repository: &Repository, cache_dir: &Path, git: git::Made) -> anyhow::Result<Self> {
        let mut forecaster = Self {
            repositories: Git2Repositories::new(cache_dir, Limits::default(), git),
            location: Location::parse(&repository.url(), FileUrls::Allowed)?,
            last: None,
            desired: Desired::default(),
            cache: ParseCache::default(),
        };
        forecaster.read().await?;
        Ok(forecaster)
    }

    /// Reads the tip and tells what it brings, by what the onlooker sees of the cluster.
    ///
    /// # Errors
    /// Where the repository cannot be read.
    pub async fn next(&mut self, observer: &Observer) -> anyhow::Result<Forecast> {
        let before = std::mem::take(&mut self.desired);
        self.desired = before.clone();
        self.read().await?;
        let facts = observer.facts();
        let compared = compare(&before, &self.desired, &facts.policies, None);
        let planned = plan(&compared.subjects, Some(&facts)).changes.into_iter();
        let removed = self.desired.removed().filter(|(name, _)| !before.left.get(*name).is_some_and(|old| old.removed));
        Ok(Forecast {
            changes: planned.filter(|change| change.action != Action::Remove).collect(),
            problems: self.desired.problems.iter().map(ToString::to_string).collect(),
            removed: removed
                .map(|(name, listed)| format!("{name} is no longer in {}; it is kept", listed.path))
                .collect(),
        })
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let fetched = self.repositories.fetch(&self.location, self.last.take()).await;
        let snapshot = fetched.context("the repository cannot be read")?;
        self.desired = read(&snapshot, &self.desired, NAMESPACE, &mut self.cache);
        self.last = Some(snapshot);
        Ok(())
    }
}
