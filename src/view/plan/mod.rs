//! Capacity plans for people and for forges. Everything is made of the plan's document and of nothing else.

mod annotations;
mod markdown;
mod sarif;
mod text;

use reef_api::plan::{CapacityPlan, FactsKind, Outcome};

pub use annotations::{github, gitlab};
pub use markdown::markdown;
pub use sarif::sarif;
pub use text::{remarks, text};

/// What is compared, and by what facts.
fn compared(plan: &CapacityPlan) -> String {
    let state = |state: &reef_api::plan::State| match &state.commit {
        Some(commit) if !commit.starts_with(&state.name) => format!("{} ({})", state.name, super::text::short(commit)),
        Some(commit) => super::text::short(commit),
        None => state.name.clone(),
    };
    let at = plan.facts.at.map(|at| format!(" of {at:.0}")).unwrap_or_default();
    let facts = match plan.facts.from {
        FactsKind::Cluster => format!("judged by the cluster{at}"),
        FactsKind::Snapshot => format!("judged by a snapshot{at}"),
        FactsKind::Offline => "judged without a cluster: nothing is known of nodes, quotas, and what runs".to_owned(),
    };
    format!("{} compared with {}, {facts}", state(&plan.head), state(&plan.base))
}

/// What the outcome means for whoever has to decide.
const fn verdict(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unchanged => "nothing to do",
        Outcome::Changes => "everything can be carried out",
        Outcome::Infeasible => "some changes can never be carried out where the VMs run",
        Outcome::Blocked => "a rule forbids some changes",
        Outcome::Problems => "some files cannot be used",
    }
}
