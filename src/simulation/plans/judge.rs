//! Whether a verdict came true, by what the cluster says of the VM. It shares nothing with the planner.

use std::collections::BTreeMap;

use reef_api::plan::{Action, CapacityPlan, Change, Mode, Rule};
use reef_api::{VirtualMachine, condition};

/// What came true of a plan.
#[derive(Debug, Default)]
pub struct Verdicts {
    /// The mode of each verdict that came true, and the rule that decided.
    pub right: Vec<(Mode, Option<Rule>)>,
    /// What did not, in sentences.
    pub wrong: Vec<String>,
}

/// Holds a plan against the VMs as they were and as they came to rest.
pub fn judged(
    plan: &CapacityPlan,
    before: &BTreeMap<String, VirtualMachine>,
    after: &BTreeMap<String, VirtualMachine>,
) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let places = |change: &Change| matches!(change.action, Action::Create | Action::Start);
    let goes_on = |change: &Change| change.mode == Mode::Restart && limited(change);
    let in_part = plan.changes.iter().any(goes_on);
    let is_open = plan.changes.iter().any(places) || before.values().any(waits);
    for change in &plan.changes {
        match came_true(change, before.get(&change.name), after, (is_open, in_part)) {
            Ok(()) => verdicts.right.push((change.mode, change.findings.first().map(|finding| finding.rule))),
            Err(what) => verdicts.wrong.push(format!(
                "{} was to be {} {} ({}), and {what}",
                change.vm(),
                change.action.as_str(),
                change.mode.as_str(),
                change.why()
            )),
        }
    }
    verdicts
}

fn came_true(
    change: &Change,
    before: Option<&VirtualMachine>,
    after: &BTreeMap<String, VirtualMachine>,
    (is_open, in_part): (bool, bool),
) -> Result<(), String> {
    let Some(vm) = after.get(&change.name) else {
        // A new VM that its policy forbids is not made.
        let kept_out = change.mode == Mode::Blocked && before.is_none();
        return if kept_out { Ok(()) } else { Err("it is not there".to_owned()) };
    };
    let says = || format!("it says {}", said(vm));
    let has_it = vm.is_settled() && vm.actual() == change.size.to;
    let held = |truth: bool| if truth { Ok(()) } else { Err(says()) };
    match (change.mode, change.action) {
        (Mode::Live, Action::Stop) => held(reason(vm) == "Halted"),
        (Mode::Live, _) if rests(vm) => held(reason(vm) == "Halted"),
        // One whose Pod has found no node is made anew, and then has what its plan promised.
        (Mode::Live, Action::Edit) => held(has_it || before.is_none_or(|vm| reason(vm) != "Scheduling")),
        (Mode::Live, _) => held(has_it),
        (Mode::Infeasible, Action::Resize | Action::Edit) => {
            // One that was on its way, or could not get there without a restart, goes back to what it settled with.
            let kept = vm.actual() == before.and_then(VirtualMachine::actual);
            let refused = reason(vm) == "Infeasible" && (kept || before.is_some_and(|vm| !vm.is_settled()));
            // What no node can hold after a restart is not asked for while the VM runs; meanwhile it may go back to what it settled with.
            held(refused || (["RestartRequired", "Scheduling"].contains(&reason(vm).as_str()) && !has_it))
        }
        (Mode::Infeasible, _) => held(reason(vm) == "Scheduling"),
        (Mode::Restart, Action::Edit) => Ok(()),
        (Mode::Restart, _) => held(reason(vm) == "RestartRequired"),
        // Of those that do not all fit, one has to wait; where one of them is yet to be placed, that depends on where.
        (Mode::Deferred, _) if contended(change) => held(is_open || after.values().any(waits)),
        // What goes on of a change that needs a restart for its other part gives room back, which a plan does not count on.
        (Mode::Deferred, _) => {
            held(waits(vm) || (in_part && (has_it || (limited(change) && reason(vm) == "RestartRequired"))))
        }
        (Mode::Blocked, _) => held(refused(vm, before)),
    }
}

/// Whether the cluster still has of a VM what it had, and says why once nothing else is to be said.
fn refused(vm: &VirtualMachine, before: Option<&VirtualMachine>) -> bool {
    let kept = before.is_some_and(|before| before.spec == vm.spec);
    kept && (reason(vm) == "Blocked" || !vm.is_settled() || rests(vm))
}

/// Whether one of its resources needs a restart while the other one goes on.
fn limited(change: &Change) -> bool {
    change.findings.iter().any(|finding| finding.rule == Rule::Hypervisor)
}

fn contended(change: &Change) -> bool {
    change.findings.first().is_some_and(|finding| finding.rule == Rule::Contended)
}

/// Whether a VM waits for room.
fn waits(vm: &VirtualMachine) -> bool {
    matches!(reason(vm).as_str(), "Deferred" | "Scheduling")
}

/// Whether it is stated to be stopped.
fn rests(vm: &VirtualMachine) -> bool {
    vm.spec.run_policy == Some(reef_api::vm::RunPolicy::Halted)
}

fn reason(vm: &VirtualMachine) -> String {
    let conditions = vm.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    condition::find(conditions, condition::READY).map(|ready| ready.reason.clone()).unwrap_or_default()
}

/// What a VM says, and has.
pub fn said(vm: &VirtualMachine) -> String {
    let conditions = vm.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let message = condition::find(conditions, condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
    let actual = vm.actual().map(|size| size.to_string()).unwrap_or_default();
    let node = vm.status.as_ref().and_then(|status| status.node_name.clone()).unwrap_or_default();
    format!("{} ({message}), has {actual} {node}", reason(vm))
}
