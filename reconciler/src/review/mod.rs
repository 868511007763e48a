//! Two states of a repository become a plan: compared, judged, and put into the document that every output is made of.
//!
//! Pure. What the states are, and what is known of the cluster, is handed in.

mod between;
mod compare;
mod difference;
mod drift;
mod lint;
mod live;
mod past;
mod places;
mod written;

use std::collections::BTreeMap;

use reef_api::VmKey;
use reef_api::facts::ClusterFacts;
use reef_api::names::reef_api_version;
use reef_api::plan::{Action, CapacityPlan, Change, FactsOrigin, PLAN_KIND, Place, Remark, State, Summary};

use crate::decide::plan::plan;
use crate::desired::{Desired, Origin, Problem};
use crate::source::Snapshot;

pub use between::{between, state};
pub use compare::{Compared, Policies, compare};
pub use drift::{Change as ObjectChange, ObjectDrift, drifts};
pub use lint::lint;
pub use live::live_base;
pub use past::{PastSize, past_sizes};

use written::Pages;

/// One of the two states: its name, what it states, and its files.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// What the plan calls it.
    pub state: &'a State,
    /// What it states.
    pub desired: &'a Desired,
    /// Its files, as far as they are at hand.
    pub files: &'a Snapshot,
}

/// What is known of the cluster.
#[derive(Clone, Copy, Debug)]
pub struct Cluster<'a> {
    /// Where the facts come from.
    pub origin: &'a FactsOrigin,
    /// The facts; none where nothing is known.
    pub facts: Option<&'a ClusterFacts>,
    /// The GitSource that applies the repository, as `NAMESPACE/NAME`, where that is known.
    pub source: Option<&'a str>,
}

/// Plans the step from the base to the head.
pub fn review(base: Side<'_>, head: Side<'_>, cluster: Cluster<'_>) -> CapacityPlan {
    let policies = cluster.facts.map(|facts| facts.policies.as_slice()).unwrap_or_default();
    let compared = compare(base.desired, head.desired, policies, cluster.source);
    let planned = plan(&compared.subjects, cluster.facts);
    let (mut old, mut new) = (Pages::of(base), Pages::of(head));
    let told = |mut change: Change| {
        let key = VmKey::new(&change.namespace, &change.name);
        let after = new.written(&key);
        let gone = if change.action == Action::Remove { old.written(&key) } else { None };
        if let Some(written) = gone.as_ref().or(after.as_ref()) {
            places::find(&mut change, written);
        }
        if let (Some(before), Some(after)) = (old.text(&key), after) {
            change.diff = difference::lines(before, after.text());
        }
        change
    };
    let changes: Vec<Change> = planned.changes.into_iter().map(told).collect();
    let problems = added(&base.desired.problems, &head.desired.problems);
    CapacityPlan {
        api_version: reef_api_version(),
        kind: PLAN_KIND.to_owned(),
        base: base.state.clone(),
        head: head.state.clone(),
        facts: cluster.origin.clone(),
        summary: Summary::of(&changes, !problems.is_empty()),
        changes,
        nodes: planned.nodes,
        policies: compared.policies,
        problems,
        warnings: added(&base.desired.warnings, &head.desired.warnings),
    }
}

/// What the head has and the base had not.
fn added(base: &[Problem], head: &[Problem]) -> Vec<Remark> {
    let mut known: BTreeMap<&Origin, Vec<&Problem>> = BTreeMap::new();
    base.iter().for_each(|problem| known.entry(&problem.origin).or_default().push(problem));
    let is_known = |problem: &Problem| known.get(&problem.origin).is_some_and(|same| same.contains(&problem));
    head.iter().filter(|problem| !is_known(problem)).map(remark).collect()
}

fn remark(problem: &Problem) -> Remark {
    Remark {
        place: place(&problem.origin),
        object: problem.object.as_ref().map(ToString::to_string),
        message: problem.message.clone(),
        snippet: problem.snippet.clone(),
    }
}

fn place(origin: &Origin) -> Place {
    let counted = |number: u32| (number > 0).then_some(number);
    Place { file: origin.file.to_string(), line: counted(origin.line), column: counted(origin.column) }
}
