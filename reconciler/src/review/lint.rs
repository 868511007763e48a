//! What can be said of a state without a cluster and without another state: everything that is wrong with it, at once.

use reef_api::plan::{Place, Remark};
use reef_api::{VmKey, validate};

use super::{Policies, Side, place, remark};
use crate::desired::{DesiredVm, shown_at};

/// All that is wrong, by file and line: what cannot be read, and VMs that break the policies which the same state states.
pub fn problems(side: Side<'_>) -> Vec<Remark> {
    let policies = Policies::of(&[], side.desired);
    let broken = side.desired.vms.iter().flat_map(|(key, vm)| against_policy(side, key, vm, &policies));
    let mut all: Vec<Remark> = side.desired.problems.iter().map(remark).chain(broken).collect();
    all.sort_by(|one, other| one.place.cmp(&other.place));
    all
}

/// What is used, and may not be meant so.
pub fn warnings(side: Side<'_>) -> Vec<Remark> {
    side.desired.warnings.iter().map(remark).collect()
}

fn against_policy(side: Side<'_>, key: &VmKey, vm: &DesiredVm, policies: &Policies) -> Vec<Remark> {
    let Some(raw) = vm.vm(&key.namespace) else { return Vec::new() };
    let labels = raw.metadata.labels.clone().unwrap_or_default();
    let told = |path: &str, message: String| at(side, key, vm, path, message);
    match policies.select(&key.namespace, &labels) {
        Err(conflict) => vec![told("metadata.labels", conflict.to_string())],
        Ok(policy) => {
            let violations = validate(&raw, &policy).err().unwrap_or_default();
            violations.iter().map(|violation| told(violation.path, violation.to_string())).collect()
        }
    }
}

fn at(side: Side<'_>, key: &VmKey, vm: &DesiredVm, path: &str, message: String) -> Remark {
    let found = side.vm(key).and_then(|(_, bytes)| shown_at(bytes?, vm.origin.document, path));
    let (place, snippet) = match found {
        Some((line, column, snippet)) => {
            (Place { file: vm.origin.file.to_string(), line: Some(line), column: Some(column) }, snippet)
        }
        None => (place(&vm.origin), None),
    };
    Remark { place, object: Some(format!("VirtualMachine {key}")), message, snippet }
}
