//! What a source has applied and no longer states. The objects themselves tell: each names its source and its file.

use std::collections::BTreeMap;
use std::sync::Arc;

use reef_api::names::{ORIGIN_ANNOTATION, SOURCE_ANNOTATION};
use reef_api::source::{GitSourceStatus, RemovedObject};
use reef_api::{EventName, GitSourceSpec, VmKey};

use super::control::Control;
use super::sources::{self, Source};
use crate::act::{self, Request, VmRef};
use crate::decide::action::PlannedEvent;
use crate::desired::{self, Desired, Listed, ObjectName};
use crate::observe::{Kind, ObjectKey};

impl Control {
    /// The objects of the cluster that a source has applied; by its status, some of them it had already given up.
    pub(super) fn applied_by(&self, key: &ObjectKey, spec: &GitSourceSpec, status: &GitSourceStatus) -> Desired {
        let source = key.to_string();
        let mut left = BTreeMap::new();
        // Nobody but one with an account has applied anything elsewhere.
        let within = spec.service_account_name.is_none().then_some(key.namespace.as_str());
        for (kind, name) in [(Kind::Vm, desired::Kind::VirtualMachine), (Kind::Policy, desired::Kind::SizingPolicy)] {
            for (object, marks) in self.store.annotations(kind, within) {
                if marks.get(SOURCE_ANNOTATION) != Some(&source) {
                    continue;
                }
                let path = file(marks.get(ORIGIN_ANNOTATION).map(String::as_str).unwrap_or_default());
                let named = ObjectName { kind: name, namespace: object.namespace, name: object.name };
                let known = |entry: &RemovedObject| lists(entry, key, &named);
                let listed = Listed { path: Arc::from(path), removed: status.removed.iter().any(known) };
                left.insert(named, listed);
            }
        }
        Desired::remembered(left)
    }

    /// What a source no longer states, and is still there.
    pub(super) fn removed_of(&self, key: &ObjectKey, source: &Source) -> Vec<RemovedObject> {
        let there = |name: &ObjectName| {
            let kind = match name.kind {
                desired::Kind::VirtualMachine => Kind::Vm,
                desired::Kind::SizingPolicy => Kind::Policy,
            };
            self.store.version(kind, &ObjectKey::from(&name.key())).is_some()
        };
        let kept = source.desired.removed().filter(|(name, _)| there(name));
        let told = kept.map(|(name, listed)| RemovedObject {
            kind: name.kind.to_string(),
            name: name.name.clone(),
            namespace: (name.namespace != key.namespace).then(|| name.namespace.clone()),
            path: listed.path.to_string(),
        });
        told.collect()
    }

    /// Events for the VMs that a status lists as removed for the first time.
    pub(super) fn removals(&self, key: &ObjectKey, next: &GitSourceStatus, before: &GitSourceStatus) -> Vec<Request> {
        let at = self.seams.clock.now();
        let commit = next.observed_commit.as_deref().unwrap_or_default();
        let event = |RemovedObject { name, namespace, path, .. }: RemovedObject| {
            let vm_key = ObjectKey::new(namespace.unwrap_or_else(|| key.namespace.clone()), name);
            let vm = self.store.vm(&vm_key)?;
            let reference =
                VmRef { key: VmKey::from(&vm_key), uid: vm.metadata.uid.clone()?, resource_version: String::new() };
            let message = format!(
                "commit {commit} of GitSource {key} no longer states this VM ({path}); it is kept, delete it by hand"
            );
            let generation = vm.metadata.generation.unwrap_or(0);
            let planned = PlannedEvent { name: EventName::VMRemovedFromGit, generation, message, at };
            Some(act::event(&reference, &planned))
        };
        sources::newly_removed(next, before).into_iter().filter_map(event).collect()
    }
}

/// Whether an entry of a source's status is about an object.
fn lists(entry: &RemovedObject, source: &ObjectKey, object: &ObjectName) -> bool {
    let namespace = entry.namespace.as_deref().unwrap_or(&source.namespace);
    entry.kind == object.kind.to_string() && entry.name == object.name && namespace == object.namespace
}

/// The file of an origin such as `vms/web.yaml:3`.
fn file(origin: &str) -> &str {
    match origin.rsplit_once(':') {
        Some((file, line)) if line.bytes().all(|digit| digit.is_ascii_digit()) => file,
        _ => origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_an_origin_is_what_stands_before_its_line() {
        let files = ["vms/web.yaml:3", "vms/web.yaml", "a:b.yaml:12", "a:b.yaml", ""].map(file);
        assert_eq!(files, ["vms/web.yaml", "vms/web.yaml", "a:b.yaml", "a:b.yaml", ""]);
    }
}
