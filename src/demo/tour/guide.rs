//! The guide: carries out the script and follows each step with the eyes of an onlooker.
//!
//! It touches the cluster by pushes alone, and by what happens inside guests; every wait has a bound.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use anyhow::Context;
use reef_api::{Bytes, VmKey, plan};
use reef_reconciler::observe::Change;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::changes::changes;
use super::expect::Expect;
use super::record::{Happened, PlannedChange, State};
use super::script::{Act, Stage, boot, stages};
use super::tell::Form;
use crate::demo::forecast::Forecaster;
use crate::demo::observer::{Observer, Picture};
use crate::demo::repository::Pushed;
use crate::demo::request::planned;
use crate::demo::world::{NAMESPACE, World};
use crate::view::plan::markdown;

/// How long one wait may take; the longest of the simulated delays is some ten seconds.
const BOUND: Duration = Duration::from_secs(90);

/// Whether the tour came to its end as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every step ended as expected, and containment held.
    Passed,
    /// It did not.
    Failed,
    /// It was told to stop.
    Stopped,
}

/// How a wait ended.
enum Waited {
    Held,
    Missing(Vec<String>),
    Stopped,
}

/// The guide on its tour.
pub struct Guide<'a> {
    world: &'a World,
    observer: &'a mut Observer,
    forecaster: Forecaster,
    form: Form,
    stop: &'a CancellationToken,
    step: usize,
    last: Option<Pushed>,
    request: Option<(&'static str, Vec<plan::Change>)>,
    pushed_at: Instant,
    states: BTreeMap<String, State>,
    reports: BTreeSet<String>,
}

impl<'a> Guide<'a> {
    /// A guide at the start of the tour.
    pub fn new(
        world: &'a World,
        observer: &'a mut Observer,
        forecaster: Forecaster,
        form: Form,
        stop: &'a CancellationToken,
    ) -> Self {
        Self {
            world,
            observer,
            forecaster,
            form,
            stop,
            step: 0,
            last: None,
            request: None,
            pushed_at: Instant::now(),
            states: BTreeMap::new(),
            reports: BTreeSet::new(),
        }
    }

    /// Goes the whole tour.
    ///
    /// # Errors
    /// Where something outside the cluster fails: the repository, or standard output.
    pub async fn go(mut self) -> anyhow::Result<Verdict> {
        let began = Instant::now();
        let stages = stages();
        let mut passed = 0;
        for (step, stage) in std::iter::once(&boot()).chain(&stages).enumerate() {
            self.step = step;
            self.tell(&Happened::Step { step, of: stages.len(), title: stage.title })?;
            match self.stage(stage).await? {
                Waited::Held => passed += usize::from(step > 0),
                Waited::Missing(_) if step == 0 => break,
                Waited::Missing(_) => {}
                Waited::Stopped => return Ok(Verdict::Stopped),
            }
        }
        let breaches: Vec<String> = self.world.embedded.cluster.breaches().iter().map(ToString::to_string).collect();
        let good = passed == stages.len() && breaches.is_empty();
        self.tell(&Happened::Finished { passed, of: stages.len(), breaches, took: began.elapsed() })?;
        Ok(if good { Verdict::Passed } else { Verdict::Failed })
    }

    async fn stage(&mut self, stage: &Stage) -> anyhow::Result<Waited> {
        let began = Instant::now();
        self.reports.clear();
        let mut vms = BTreeSet::new();
        let mut waited = Waited::Held;
        for act in &stage.acts {
            if let Act::Until(claims) = act {
                vms.extend(claims.iter().filter_map(Expect::vm));
            }
            waited = self.act(act).await?;
            if !matches!(waited, Waited::Held) {
                break;
            }
        }
        self.ended(began.elapsed(), &waited, &vms)?;
        Ok(waited)
    }

    async fn act(&mut self, act: &Act) -> anyhow::Result<Waited> {
        let repository = &self.world.repository;
        match act {
            Act::Push { subject, edits } => {
                let pushed = repository.push(subject, &changes(repository, edits)?)?;
                self.pushed(pushed).await?;
            }
            Act::Propose { branch, subject, edits } => {
                let made = repository.propose(branch, subject, &changes(repository, edits)?)?;
                self.proposed(branch, made).await?;
            }
            Act::Merge => return self.merged().await,
            Act::Revert => {
                let reverted = repository.revert(self.last.as_ref().context("there is nothing to revert")?)?;
                self.pushed(reverted).await?;
            }
            Act::Guest { vm, used } => self.guest(vm, *used).await?,
            Act::Until(claims) => return self.until(claims).await,
        }
        Ok(Waited::Held)
    }

    async fn proposed(&mut self, branch: &'static str, made: Pushed) -> anyhow::Result<()> {
        let document = planned(self.world, branch).await?;
        self.tell(&Happened::Request {
            step: self.step,
            branch,
            diff: self.world.repository.difference(&made)?,
            commit: made.id,
            subject: made.subject,
            outcome: document.summary.outcome,
            comment: markdown(&document),
        })?;
        self.request = Some((branch, document.changes));
        Ok(())
    }

    /// Merges what was planned, and holds what the merge brings against the plan.
    async fn merged(&mut self) -> anyhow::Result<Waited> {
        let (branch, planned) = self.request.take().context("there is no request to merge")?;
        let merged = self.world.repository.merge(branch)?;
        let brought = self.pushed(merged).await?;
        let told = |changes: &[plan::Change]| changes.iter().map(plan::Change::line).collect::<Vec<_>>();
        let (planned, brought) = (told(&planned), told(&brought));
        if planned != brought {
            return Ok(Waited::Missing(vec![format!("planned was {planned:?}, and the merge brings {brought:?}")]));
        }
        self.reports.insert(format!("the merge brings what was planned of {branch}: {} changes", planned.len()));
        Ok(Waited::Held)
    }

    /// Tells of a commit that is on `main` now, and which changes it brings.
    async fn pushed(&mut self, pushed: Pushed) -> anyhow::Result<Vec<plan::Change>> {
        self.pushed_at = Instant::now();
        let forecast = self.forecaster.next(self.observer).await?;
        let planned = |change: &plan::Change| PlannedChange {
            vm: change.name.clone(),
            mode: change.mode.as_str(),
            text: change.line(),
        };
        self.tell(&Happened::Commit {
            step: self.step,
            commit: pushed.id.clone(),
            subject: pushed.subject.clone(),
            diff: self.world.repository.difference(&pushed)?,
            plan: forecast.changes.iter().map(planned).collect(),
            problems: forecast.problems,
            removed: forecast.removed,
        })?;
        self.last = Some(pushed);
        Ok(forecast.changes)
    }

    async fn guest(&mut self, vm: &'static str, used: Bytes) -> anyhow::Result<()> {
        let cluster = &self.world.embedded.cluster;
        let pod = cluster.pod_of(&VmKey::new(NAMESPACE, vm)).with_context(|| format!("{vm} has no Pod"))?;
        cluster.set_guest_used(&pod, used).await?;
        self.tell(&Happened::Guest { step: self.step, vm, used: used.to_string() })?;
        Ok(())
    }

    /// Follows what happens until all claims hold, or the bound is reached.
    async fn until(&mut self, claims: &[Expect]) -> anyhow::Result<Waited> {
        let bound = Instant::now() + BOUND;
        loop {
            let picture = self.observer.picture();
            self.reports.extend(reports(&picture));
            let missing = self.missing(claims, &picture);
            if missing.is_empty() {
                return Ok(Waited::Held);
            }
            let seen = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(Waited::Stopped),
                seen = self.observer.next() => seen,
                () = tokio::time::sleep_until(bound) => return Ok(Waited::Missing(missing)),
            };
            self.follow(&seen)?;
        }
    }

    fn missing(&self, claims: &[Expect], picture: &Picture) -> Vec<String> {
        let first = || picture.sources.first()?.observed_commit.as_deref();
        let commit = self.last.as_ref().map(|pushed| pushed.id.as_str()).or_else(first).unwrap_or_default();
        claims.iter().filter_map(|claim| claim.missing(picture, commit)).collect()
    }

    /// Tells what moved. The boot is not followed step by step.
    fn follow(&mut self, seen: &BTreeSet<Change>) -> io::Result<()> {
        for change in seen {
            let Change::Vm(key) = change else { continue };
            let Some(state) = self.observer.view_of(key).map(|vm| State::of(&vm)) else { continue };
            let news = self.states.get(&state.vm).is_none_or(|known| state.is_news(known));
            if news && self.step > 0 {
                let after = self.pushed_at.elapsed();
                self.tell(&Happened::Moved { step: self.step, after, state: state.clone() })?;
            }
            self.states.insert(state.vm.clone(), state);
        }
        Ok(())
    }

    fn ended(&self, took: Duration, waited: &Waited, vms: &BTreeSet<&'static str>) -> io::Result<()> {
        let missing = match waited {
            Waited::Held => Vec::new(),
            Waited::Missing(missing) => missing.clone(),
            Waited::Stopped => return Ok(()),
        };
        let picture = self.observer.picture();
        self.tell(&Happened::Ended {
            step: self.step,
            took,
            ok: missing.is_empty(),
            missing,
            vms: picture.vms.iter().filter(|vm| vms.contains(vm.name.as_str())).cloned().collect(),
            reports: self.reports.iter().cloned().collect(),
        })
    }

    fn tell(&self, happened: &Happened) -> io::Result<()> {
        self.form.tell(happened)
    }
}

/// What the sources report of files.
fn reports(picture: &Picture) -> Vec<String> {
    let told = picture.sources.iter().flat_map(|source| {
        let problems = source.problems.iter().map(|problem| {
            let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("reported: {}{line}: {}", problem.path, problem.message)
        });
        let removed = source.removed.iter();
        problems.chain(removed.map(|entry| format!("reported: {} left {} and is kept", entry.name, entry.path)))
    });
    told.collect()
}
