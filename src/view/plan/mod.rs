//! Capacity plans for people and for forges. Everything is made of the plan's document and of nothing else.

mod annotations;
mod markdown;
mod sarif;
mod text;

use reef_api::plan::{Action, Amounts, CapacityPlan, Change, FactsKind, Mode, Outcome};

pub use annotations::{github, gitlab};
pub use markdown::markdown;
pub use sarif::sarif;
pub use text::{remarks, text};

/// One change in one line: the VM, how, from what to what, and why.
pub fn line(change: &Change) -> String {
    let (vm, mode, why) = (change.vm(), change.mode.as_str(), change.why());
    match change.action {
        Action::Create if change.mode == Mode::Live => format!("{vm}  create      {} ({why})", sizes(change)),
        _ => format!("{vm}  {mode:<10}  {} ({why})", sizes(change)),
    }
}

/// What happens to the size, in words.
fn sizes(change: &Change) -> String {
    match (change.size.from, change.size.to) {
        (None, Some(to)) => to.to_string(),
        (Some(from), Some(to)) if from == to => match change.action {
            Action::Start | Action::Stop | Action::Move => format!("{}, {to}", change.action.as_str()),
            _ => format!("{to}, no resize"),
        },
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        (Some(from), None) if change.action == Action::Remove => format!("{from}, no longer stated"),
        (_, None) => "not applied".to_owned(),
    }
}

/// The plan in one sentence.
fn headline(plan: &CapacityPlan) -> String {
    let summary = &plan.summary;
    let counts = [
        (summary.live, "live"),
        (summary.restart, "restart"),
        (summary.deferred, "deferred"),
        (summary.blocked, "blocked"),
        (summary.infeasible, "infeasible"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, mode)| format!("{count} {mode}")).collect();
    let problems = match plan.problems.len() {
        0 => String::new(),
        1 => "; 1 problem".to_owned(),
        many => format!("; {many} problems"),
    };
    let takes = if summary.takes == Amounts::default() { String::new() } else { format!("; {}", summary.takes) };
    match summary.vms {
        0 => format!("nothing changes{problems}"),
        1 => format!("1 VM changes: {}{takes}{problems}", counts.join(", ")),
        many => format!("{many} VMs change: {}{takes}{problems}", counts.join(", ")),
    }
}

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
