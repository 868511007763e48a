//! Where in the files the fields stand that a change and its findings are about.

use reef_api::Size;
use reef_api::plan::{Action, Change};

use super::written::Written;

/// Fills in the lines of the change's fields, as the document that states the VM tells them.
pub(super) fn find(change: &mut Change, written: &Written<'_>) {
    let path = telling(change).to_owned();
    change.place = Some(written.at(&path));
    for finding in &mut change.findings {
        finding.place = Some(written.at(finding.path.as_deref().unwrap_or(&path)));
    }
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
