//! The plan of a commit in words, before it happens: the commit read and judged by the functions that the controller uses.
//!
//! A forecast only; it writes nothing and the controller does not know of it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use reef_api::vm::VmmStatus;
use reef_api::{EffectivePolicy, Size, VirtualMachine, VmKey, defaulted, validate};
use reef_reconciler::decide::plan::{Plan, Running, Subject, plan};
use reef_reconciler::desired::{Desired, DesiredVm, ParseCache, read};
use reef_reconciler::observe::ObjectKey;
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
    pub plan: Plan,
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
        let changed = self.desired.vms.iter().filter(|(key, vm)| differs(before.vms.get(*key), vm));
        let subjects = changed.filter_map(|(key, vm)| subject(key, vm, before.vms.get(key), observer));
        let subjects: Vec<Subject> = subjects.collect();
        let removed = self.desired.removed().filter(|(name, _)| !before.left.get(*name).is_some_and(|old| old.removed));
        Ok(Forecast {
            plan: plan(&subjects, &observer.capacity()),
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

fn differs(before: Option<&Arc<DesiredVm>>, now: &Arc<DesiredVm>) -> bool {
    before.is_none_or(|before| before.manifest != now.manifest)
}

fn subject(key: &VmKey, vm: &DesiredVm, before: Option<&Arc<DesiredVm>>, observer: &Observer) -> Option<Subject> {
    let vm = vm.vm(&key.namespace)?;
    let labels = vm.metadata.labels.clone().unwrap_or_default();
    let policy = EffectivePolicy::select(observer.policies(&key.namespace), &labels).unwrap_or_default();
    Some(Subject {
        key: key.clone(),
        wanted: validate(&vm, &policy),
        running: running(key, observer),
        current: before.and_then(|before| Some(size_of(&before.vm(&key.namespace)?, &policy))),
    })
}

fn size_of(vm: &VirtualMachine, policy: &EffectivePolicy) -> Size {
    defaulted(vm, policy).size
}

fn running(key: &VmKey, observer: &Observer) -> Option<Running> {
    let live = ObjectKey::from(key);
    let view = observer.view_of(&live)?;
    let report: Option<VmmStatus> = observer.vm(&live)?.status?.vmm;
    Some(Running { node: view.node?, boot: report.map(|report| report.boot), pod: view.pod?.wish })
}
