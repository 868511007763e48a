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

use reef_api::VmKey;
use reef_api::facts::ClusterFacts;
use reef_api::names::reef_api_version;
use reef_api::plan::{CapacityPlan, Change, FactsOrigin, PLAN_KIND, Place, Remark, State, Summary};

use crate::decide::plan::plan;
use crate::desired::{Desired, Located, Origin, Problem};
use crate::source::{RepoPath, Snapshot};

pub use between::{between, state};
pub use compare::{Compared, Policies, compare};
pub use drift::{Change as ObjectChange, ObjectDrift, drifts};
pub use lint::lint;
pub use live::live_base;
pub use past::{PastSize, past_sizes};

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
    let told = |mut change: Change| {
        let key = VmKey::new(&change.namespace, &change.name);
        let (before, after) = (base.written(&key), head.written(&key));
        places::find(&mut change, before.as_ref(), after.as_ref());
        if let (Some(before), Some(after)) = (before, after) {
            change.diff = difference::lines(before.located.text(), after.located.text());
        }
        change
    };
    let changes: Vec<Change> = planned.changes.into_iter().map(told).collect();
    let new = |problem: &&Problem| !base.desired.problems.contains(problem);
    let problems: Vec<Remark> = head.desired.problems.iter().filter(new).map(remark).collect();
    let known = |warning: &&Problem| !base.desired.warnings.contains(warning);
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
        warnings: head.desired.warnings.iter().filter(known).map(remark).collect(),
    }
}

/// A VM's document, in the file that states it.
struct Written<'a> {
    file: &'a str,
    located: Located<'a>,
}

impl<'a> Side<'a> {
    /// The document of a VM of this state, as far as its file is at hand.
    fn written(self, key: &VmKey) -> Option<Written<'a>> {
        let origin = &self.desired.vms.get(key)?.origin;
        let file = self.files.files.get(&RepoPath::parse(&origin.file).ok()?)?;
        let located = Located::of(file.bytes.as_deref()?, origin.document)?;
        Some(Written { file: &origin.file, located })
    }
}

impl Written<'_> {
    /// The place of a field, or of what is next to it.
    fn at(&self, path: &str) -> Place {
        let (line, column) = self.located.at(path);
        Place { file: self.file.to_owned(), line: Some(line), column: Some(column) }
    }
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
