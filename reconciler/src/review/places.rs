//! Where in the files the fields stand that a change and its findings are about.

use reef_api::plan::{Action, Change, Place};
use reef_api::{Size, VmKey};

use super::Side;
use crate::desired::locate;

/// The change with the lines of its fields filled in; the file that states the VM tells them.
pub(super) fn found(mut change: Change, base: Side<'_>, head: Side<'_>) -> Change {
    let side = if change.action == Action::Remove { base } else { head };
    let key = VmKey::new(&change.namespace, &change.name);
    let Some((vm, Some(bytes))) = side.vm(&key) else { return change };
    let at = |path: &str| {
        let (line, column) = locate(bytes, vm.origin.document, path)?;
        Some(Place { file: vm.origin.file.to_string(), line: Some(line), column: Some(column) })
    };
    let path = telling(&change).to_owned();
    change.place = at(&path).or(change.place);
    for finding in &mut change.findings {
        finding.place = at(finding.path.as_deref().unwrap_or(&path)).or_else(|| change.place.clone());
    }
    change
}

/// The field that tells the change best.
fn telling(change: &Change) -> &str {
    let (from, to) = (change.size.from, change.size.to);
    let differs = |part: fn(Size) -> u64| from.map(part) != to.map(part);
    match change.action {
        Action::Create | Action::Remove | Action::Move => "metadata.name",
        Action::Start | Action::Stop => "spec.runPolicy",
        Action::Resize if differs(|size| size.memory.0) => "spec.instance.memory.size",
        Action::Resize if differs(|size| u64::from(size.vcpus.0)) => "spec.instance.cpu.coresPerSocket",
        Action::Resize | Action::Edit => change.fields.first().map_or("spec", String::as_str),
    }
}
