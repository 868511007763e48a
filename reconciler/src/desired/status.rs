//! What a `Desired` knows of objects by their names, and what a GitSource's status tells of it: the problems, as far as they fit.

use reef_api::VmKey;
use reef_api::source::SourceProblem;

use super::Desired;
use super::object::{Kind, Listed, ObjectName};

impl Desired {
    /// Whether an object is asked for.
    #[must_use]
    pub fn defines(&self, name: &ObjectName) -> bool {
        match name.kind {
            Kind::VirtualMachine => self.vms.contains_key(&name.key()),
            Kind::SizingPolicy => self.policies.contains_key(&name.key()),
        }
    }

    /// Which file defines an object, or did so last.
    pub(super) fn listed(&self, name: &ObjectName) -> Option<Listed> {
        let file = match name.kind {
            Kind::VirtualMachine => self.vms.get(&name.key()).map(|vm| &vm.origin.file),
            Kind::SizingPolicy => self.policies.get(&name.key()).map(|policy| &policy.origin.file),
        };
        file.map(|path| Listed { path: path.clone(), removed: false }).or_else(|| self.left.get(name).cloned())
    }

    /// Everything that is or was asked for.
    pub(super) fn defined_or_left(&self) -> impl Iterator<Item = (ObjectName, Listed)> {
        let named = |kind, key: &VmKey| ObjectName { kind, namespace: key.namespace.clone(), name: key.name.clone() };
        let listed = |path: &std::sync::Arc<str>| Listed { path: path.clone(), removed: false };
        let vms = self.vms.iter();
        let vms = vms.map(move |(key, vm)| (named(Kind::VirtualMachine, key), listed(&vm.origin.file)));
        let policies = self.policies.iter();
        let policies = policies.map(move |(key, policy)| (named(Kind::SizingPolicy, key), listed(&policy.origin.file)));
        let left = self.left.iter().map(|(name, listed)| (name.clone(), listed.clone()));
        vms.chain(policies).chain(left)
    }

    /// The first `most` problems for the status.
    #[must_use]
    pub fn source_problems(&self, most: usize) -> Vec<SourceProblem> {
        let told = self.problems.iter().take(most).map(|problem| SourceProblem {
            path: problem.origin.file.to_string(),
            line: (problem.origin.line > 0).then_some(problem.origin.line),
            message: match &problem.object {
                Some(object) => format!("{object}: {}", problem.message),
                None => problem.message.clone(),
            },
        });
        told.collect()
    }
}
