//! One attempt to answer a check: which commit, its files, what the cluster has, and the plan. Reads only; what is told of it is decided elsewhere.

use std::sync::Arc;
use std::time::Duration;

use reef_api::facts::ClusterFacts;
use reef_api::plan::{CapacityPlan, FactsKind, FactsOrigin, State};
use reef_api::{CapacityCheckSpec, GitSourceSpec, Reason, VirtualMachine};
use tokio::time::Instant;

use super::application;
use crate::act::{self, Caller, Facts, Unlisted, UnlistedKind};
use crate::controller::sources::{Trouble, locate, read_as};
use crate::decide::check::{Answer, Planned};
use crate::desired::{Desired, ParseCache};
use crate::observe::ObjectKey;
use crate::review::{self, Cluster, Side, live_base, review};
use crate::seams::Seams;
use crate::source::{FileUrls, Retry, Snapshot};

/// How long the plan of a source's newest commit may take.
const FORECAST: Duration = Duration::from_secs(120);

/// The source that a check names.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) key: ObjectKey,
    pub(super) spec: GitSourceSpec,
}

/// Everything that an attempt needs.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) key: ObjectKey,
    pub(super) spec: CapacityCheckSpec,
    /// The Application that the check is a hook of.
    pub(super) application: Option<ObjectKey>,
    pub(super) source: Option<Source>,
    pub(super) files: FileUrls,
}

/// Makes one attempt, which may take so long.
pub(super) async fn answer(seams: Seams, caller: Caller, order: Order, left: Duration) -> Answer {
    within(left, planned(&seams, &caller, &order)).await
}

async fn planned(seams: &Seams, caller: &Caller, order: &Order) -> Result<Planned, Answer> {
    let source = order.source.as_ref().ok_or_else(|| unjudged(format!(
        "GitSource {}/{} of spec.sourceRef is not there, or cannot be read; apply it before the sync: it holds repository, folder and credentials",
        order.key.namespace, order.spec.source_ref.name
    )))?;
    let revision = match (&order.spec.revision, &order.application) {
        (Some(stated), _) => stated.to_ascii_lowercase(),
        (None, Some(application)) => application::revision(caller, application, source).await?,
        (None, None) => {
            return Err(unjudged(
                "no Application of Argo CD tracks the check by the annotation argocd.argoproj.io/tracking-id, and spec.revision names no commit; \
                 state metadata.name (and not generateName) and let Argo CD track by annotation, or state spec.revision"
                    .to_owned(),
            ));
        }
    };
    of_commit(seams, caller, source, order.files, revision).await
}

/// What the newest commit of a source would change.
pub(super) async fn of_tip(seams: Seams, caller: Caller, source: Source, files: FileUrls, commit: String) -> Answer {
    within(FORECAST, of_commit(&seams, &caller, &source, files, commit)).await
}

async fn within(limit: Duration, planned: impl Future<Output = Result<Planned, Answer>>) -> Answer {
    match tokio::time::timeout(limit, planned).await {
        Ok(Ok(planned)) => Answer::Planned(Box::new(planned)),
        Ok(Err(answer)) => answer,
        Err(_) => Answer::Waits {
            reason: Reason::Planning,
            message: "the repository or the API server was too slow".to_owned(),
        },
    }
}

async fn of_commit(
    seams: &Seams,
    caller: &Caller,
    source: &Source,
    files: FileUrls,
    revision: String,
) -> Result<Planned, Answer> {
    let files = fetched(seams, caller, source, files, &revision).await?;
    let cluster = act::facts(caller).await.map_err(unlisted)?;
    let plan = reviewed(seams, caller, source, (&revision, &files), cluster).await?;
    Ok(Planned { revision, plan })
}

/// The files of the commit, by the credentials of the source.
async fn fetched(
    seams: &Seams,
    caller: &Caller,
    source: &Source,
    files: FileUrls,
    revision: &str,
) -> Result<Arc<Snapshot>, Answer> {
    let location = locate(caller, &source.key, &source.spec, files).await.map_err(troubled)?;
    let location = location.at_commit(revision).map_err(|error| troubled(error.into()))?;
    let begun = Instant::now();
    let fetched = seams.repositories.fetch(&location, None).await;
    seams.metrics.git.took(begun.elapsed());
    fetched.map_err(|error| troubled(error.into()))
}

/// Plans the step from what the cluster has to what the commit states: Argo CD applies it over whatever is there, its last sync may have been of a part, and
/// its commit be gone. The policies are those of the cluster, so that no commit allows itself what it asks for.
async fn reviewed(
    seams: &Seams,
    caller: &Caller,
    source: &Source,
    (revision, files): (&str, &Arc<Snapshot>),
    cluster: Facts,
) -> Result<CapacityPlan, Answer> {
    let mut cache = ParseCache::default();
    let (key, spec, name) = (&source.key, &source.spec, source.key.to_string());
    let stated = read_as(caller, (key, spec), files, &Desired::default(), &mut cache).await.map_err(troubled)?;
    let base = in_cluster(&stated, &cluster.vms, &name);
    let head = read_as(caller, (key, spec), files, &base, &mut cache).await.map_err(troubled)?;
    let there = State { name: "the cluster".to_owned(), commit: None, subject: None };
    let none = Snapshot { files: Default::default(), ..Snapshot::clone(files) };
    let facts = applied_by_others(cluster.facts, key);
    let origin = FactsOrigin { from: FactsKind::Cluster, at: Some(seams.clock.now()), cluster: None };
    Ok(review(
        Side { state: &there, desired: &base, files: &none },
        Side { state: &review::state(revision, files), desired: &head, files },
        Cluster { origin: &origin, facts: Some(&facts), source: Some(&name) },
    ))
}

fn in_cluster(stated: &Desired, vms: &[VirtualMachine], source: &str) -> Desired {
    Desired { policies: Default::default(), ..live_base(stated, vms, Some(source)) }
}

/// The source of a check is where the files are read; that it is suspended keeps nothing from what Argo CD applies.
fn applied_by_others(mut facts: ClusterFacts, source: &ObjectKey) -> ClusterFacts {
    facts.suspended_sources.retain(|held| (&held.namespace, &held.name) != (&source.namespace, &source.name));
    facts
}

fn unjudged(message: String) -> Answer {
    Answer::Unjudged { reason: Reason::NotJudged, message }
}

fn troubled(trouble: Trouble) -> Answer {
    let (reason, message) = (trouble.reason(), trouble.to_string());
    match trouble.retry() {
        Retry::Backoff => Answer::Waits { reason, message },
        Retry::AfterChange => Answer::Unjudged { reason, message },
    }
}

fn unlisted(unlisted: Unlisted) -> Answer {
    match unlisted.kind {
        UnlistedKind::Forbidden => Answer::Unjudged {
            reason: Reason::Forbidden,
            message: format!(
                "{unlisted}; apply argocd/rbac.yaml, which gives the controller the right to list what a plan is judged by"
            ),
        },
        UnlistedKind::Unknown | UnlistedKind::Other => {
            Answer::Waits { reason: Reason::Planning, message: unlisted.to_string() }
        }
    }
}
