//! Facts of a cluster, found by name.

use std::collections::BTreeMap;

use reef_api::facts::{Claim, ClusterFacts, LimitFacts, NodeFacts, PolicyFacts, QuotaFacts, SuspensionFacts, VmFacts};
use reef_api::{EffectivePolicy, PodSize, VmKey};

use crate::decide::held::in_class;

/// The facts, found by name.
pub(super) struct Known<'f> {
    /// Nodes by name.
    pub(super) nodes: BTreeMap<&'f str, &'f NodeFacts>,
    /// VMs by namespace and name.
    pub(super) vms: BTreeMap<VmKey, &'f VmFacts>,
    /// Suspensions of GitSources, by `NAMESPACE/NAME`.
    pub(super) suspended: BTreeMap<String, &'f SuspensionFacts>,
    pub(super) quotas: &'f [QuotaFacts],
    pub(super) limits: &'f [LimitFacts],
    policies: &'f [PolicyFacts],
}

impl<'f> Known<'f> {
    /// Makes the facts ready to be looked into.
    pub(super) fn of(facts: &'f ClusterFacts) -> Self {
        Self {
            nodes: facts.nodes.iter().map(|node| (node.name.as_str(), node)).collect(),
            vms: facts.vms.iter().map(|vm| (vm.key(), vm)).collect(),
            suspended: facts
                .suspended_sources
                .iter()
                .map(|source| (format!("{}/{}", source.namespace, source.name), &source.suspended))
                .collect(),
            quotas: &facts.quotas,
            limits: &facts.limit_ranges,
            policies: &facts.policies,
        }
    }

    /// The Pod size of what a VM's spec asks for, as far as it can have that without a restart. A wish that was taken back is made again when there is room.
    pub(super) fn wanted(&self, vm: &VmFacts) -> PodSize {
        let own = self.policies.iter().filter(|policy| policy.namespace == vm.namespace);
        let own = own.map(|policy| (policy.name.as_str(), &policy.spec));
        let policy = EffectivePolicy::select(own, &vm.labels).unwrap_or_default();
        let within = vm.vmm.as_ref().is_some_and(|vmm| vmm.boot.allows(vm.size));
        let size = if within { vm.size } else { vm.vmm.as_ref().map_or(vm.size, |vmm| vmm.actual) };
        let needed = PodSize::carrying(size, policy.overhead, policy.overcommit);
        let whole = vm.stated.map_or(needed, |stated| stated.max(needed));
        vm.pod.as_ref().map_or(whole, |pod| in_class(pod.wish, whole))
    }
}

/// What of a node is not taken, by one of the two counts.
pub(super) fn free(node: &NodeFacts, taken: Claim) -> Claim {
    all(node).less(taken)
}

/// All that a node has.
pub(super) fn all(node: &NodeFacts) -> Claim {
    Claim { cpu: node.cpu, memory: node.memory }
}
