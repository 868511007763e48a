//! What can be said of a state without a cluster and without another state: everything that is wrong with it, at once.

use reef_api::names::reef_api_version;
use reef_api::plan::{CapacityPlan, FactsKind, FactsOrigin, PLAN_KIND, Remark, State, Summary};
use reef_api::{Violation, VmKey};

use super::compare::Judge;
use super::written::Pages;
use super::{Policies, Side, place, remark};
use crate::desired::DesiredVm;

/// A plan of nothing but remarks, so that forges are told of them as they are told of plans: what cannot be read, and VMs that break the policies
/// which the same state states, by file and line; and what is used, and may not be meant so.
pub fn lint(side: Side<'_>) -> CapacityPlan {
    let problems = problems(side);
    CapacityPlan {
        api_version: reef_api_version(),
        kind: PLAN_KIND.to_owned(),
        base: State::default(),
        head: side.state.clone(),
        facts: FactsOrigin { from: FactsKind::Offline, at: None, cluster: None },
        summary: Summary::of(&[], !problems.is_empty()),
        changes: Vec::new(),
        nodes: Vec::new(),
        policies: Vec::new(),
        problems,
        warnings: side.desired.warnings.iter().map(remark).collect(),
    }
}

fn problems(side: Side<'_>) -> Vec<Remark> {
    let policies = Policies::of(&[], side.desired);
    let (mut judge, mut pages) = (Judge::of(&policies), Pages::of(side));
    let broken = side.desired.vms.iter().flat_map(|(key, vm)| against_policy(&mut pages, key, vm, &mut judge));
    let mut all: Vec<Remark> = side.desired.problems.iter().map(remark).chain(broken).collect();
    all.sort_by(|one, other| one.place.cmp(&other.place));
    all
}

fn against_policy(pages: &mut Pages<'_>, key: &VmKey, vm: &DesiredVm, judge: &mut Judge<'_>) -> Vec<Remark> {
    let Some(raw) = vm.vm(&key.namespace) else { return Vec::new() };
    let broken = judge.verdict(&raw).err().unwrap_or_default();
    if broken.is_empty() {
        return Vec::new();
    }
    let written = pages.written(key);
    let told = |violation: &Violation| Remark {
        place: written.as_ref().map_or_else(|| place(&vm.origin), |written| written.at(violation.path)),
        object: Some(format!("VirtualMachine {key}")),
        message: violation.to_string(),
        snippet: written.as_ref().and_then(|written| written.snippet(violation.path)),
    };
    broken.iter().map(told).collect()
}
