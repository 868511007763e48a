//! Many VMs, one a line: desired, requested and actual beside each other, so that what differs is seen.

use comfy_table::{Cell, ColumnConstraint, Width};
use reef_api::{Reason, Size};

use super::text::{Paint, Tone, fitted, short, table};
use super::vm::VmView;

/// What the slashes of the table mean.
pub const LEGEND: &str = "d/r/a: desired by the spec, requested of the VMM, actual in the guest\n";

/// The longest phase and its padding: the table does not jump when a VM moves.
const PHASE_WIDTH: u16 = 21;

/// Whether the namespace is a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// It is.
    Shown,
    /// It is not: all are in one.
    Hidden,
}

/// What a narrow terminal can do without, the first of them first: the Pod follows the size, and `reef status VM` tells all.
const SPARE: [&str; 3] = ["POD", "NODE", "COMMIT"];

/// All VMs as a table, no wider than `width`.
pub fn vms(vms: &[VmView], namespaces: Namespaces, paint: Paint, width: Option<u16>) -> String {
    let mut header = vec!["VM", "NODE", "PHASE", "VCPUS d/r/a", "MEMORY d/r/a", "POD", "COMMIT", "WAITS FOR"];
    if namespaces == Namespaces::Shown {
        header.insert(0, "NAMESPACE");
    }
    let mut lines = table(&header, paint);
    if let Some(phase) = lines.column_iter_mut().nth(header.len() - 6) {
        phase.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(PHASE_WIDTH)));
    }
    for vm in vms {
        let mut row = row(vm, paint);
        if namespaces == Namespaces::Shown {
            row.insert(0, Cell::new(&vm.namespace));
        }
        lines.add_row(row);
    }
    fitted(lines, width, &SPARE)
}

fn row(vm: &VmView, paint: Paint) -> Vec<Cell> {
    let phase = if vm.settled() { Tone::Good } else { Tone::Moving };
    let pod = vm.pod.as_ref().map(|pod| format!("{} / {}", pod.wish.cpu_limit, pod.wish.memory));
    let commit = vm.asked_by.commit.as_deref().map(short);
    vec![
        Cell::new(&vm.name),
        Cell::new(vm.node.as_deref().unwrap_or("-")),
        paint.cell(vm.phase, phase),
        three(vm, |size| size.vcpus.to_string(), paint),
        three(vm, |size| size.memory.to_string(), paint),
        Cell::new(pod.as_deref().unwrap_or("-")),
        Cell::new(commit.as_deref().unwrap_or("-")),
        paint.cell(waits_for(vm), tone(vm)),
    ]
}

/// A VM that left Git waits for a person, where it waits for nothing else.
fn waits_for(vm: &VmView) -> &str {
    match &vm.waiting {
        Some(waiting) => &waiting.reason,
        None if vm.removed_from_git => Reason::RemovedFromGit.as_str(),
        None => "-",
    }
}

/// Desired, requested and actual of one resource.
fn three(vm: &VmView, part: fn(Size) -> String, paint: Paint) -> Cell {
    let told = |size: Option<Size>| size.map_or_else(|| "-".to_owned(), part);
    let values = [told(Some(vm.desired)), told(vm.requested), told(vm.actual)];
    let [desired, requested, actual] = &values;
    let tone = if desired == requested && requested == actual { Tone::Neutral } else { Tone::Moving };
    paint.cell(values.join("/"), tone)
}

const fn tone(vm: &VmView) -> Tone {
    match &vm.waiting {
        None if vm.removed_from_git => Tone::Moving,
        None => Tone::Neutral,
        Some(waiting) if waiting.stuck => Tone::Bad,
        Some(_) => Tone::Moving,
    }
}
