//! Facts of a cluster, found by name; and who of it, beside the plan, asks for room as well.

use std::collections::BTreeMap;

use reef_api::facts::{Claim, ClusterFacts, LimitFacts, NodeFacts, PolicyFacts, QuotaFacts, VmFacts};
use reef_api::{EffectivePolicy, PodSize, VmKey};

/// The facts, found by name.
pub struct Known<'f> {
    /// Nodes by name.
    pub(super) nodes: BTreeMap<&'f str, &'f NodeFacts>,
    /// VMs by namespace and name.
    pub(super) vms: BTreeMap<VmKey, &'f VmFacts>,
    pub(super) quotas: &'f [QuotaFacts],
    pub(super) limits: &'f [LimitFacts],
    policies: &'f [PolicyFacts],
}

/// A VM that is not part of the plan and asks for room.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Other {
    pub(super) name: String,
    /// How much more it asks for.
    pub(super) more: Claim,
    /// All that its Pod would have.
    pub(super) whole: Claim,
}

impl<'f> Known<'f> {
    /// Makes the facts ready to be looked into.
    pub fn of(facts: &'f ClusterFacts) -> Self {
        Self {
            nodes: facts.nodes.iter().map(|node| (node.name.as_str(), node)).collect(),
            vms: facts.vms.iter().map(|vm| (vm.key(), vm)).collect(),
            quotas: &facts.quotas,
            limits: &facts.limit_ranges,
            policies: &facts.policies,
        }
    }

    /// VMs of a node that have less than they want: they ask the kubelet for it again and again. Those that are `planned` are left out.
    pub(super) fn waiting(&self, node: &str, planned: impl Fn(&VmKey) -> bool) -> Vec<Other> {
        let others = self.vms.iter().filter(|(key, _)| !planned(key)).filter_map(|(key, vm)| {
            let pod = vm.pod.as_ref().filter(|pod| pod.node.as_deref() == Some(node))?;
            let whole = Claim::from(self.wanted(vm).max(pod.wish));
            let more = whole.less(Claim::from(pod.allocated));
            (more != Claim::default()).then(|| Other { name: key.to_string(), more, whole })
        });
        others.collect()
    }

    /// What VMs of a node wish for and do not have: it counts with the scheduler, until the wish is taken back.
    pub(super) fn standing(&self, node: &str) -> Claim {
        let pods = self.vms.values().filter_map(|vm| vm.pod.as_ref()).filter(|pod| pod.node.as_deref() == Some(node));
        pods.fold(Claim::default(), |sum, pod| sum.plus(Claim::from(pod.wish).less(Claim::from(pod.allocated))))
    }

    /// VMs whose Pod waits for a node.
    pub(super) fn unplaced(&self, planned: impl Fn(&VmKey) -> bool) -> Vec<Other> {
        let others = self.vms.iter().filter(|(key, _)| !planned(key)).filter_map(|(key, vm)| {
            let pod = vm.pod.as_ref().filter(|pod| pod.node.is_none())?;
            let whole = Claim::from(pod.wish);
            Some(Other { name: key.to_string(), more: whole, whole })
        });
        others.collect()
    }

    /// The Pod size of what a VM's spec asks for, as far as it can have that without a restart. A wish that was taken back is made again when there is room.
    fn wanted(&self, vm: &VmFacts) -> PodSize {
        let own = self.policies.iter().filter(|policy| policy.namespace == vm.namespace);
        let own = own.map(|policy| (policy.name.as_str(), &policy.spec));
        let policy = EffectivePolicy::select(own, &vm.labels).unwrap_or_default();
        let within = vm.vmm.as_ref().is_some_and(|vmm| vmm.boot.allows(vm.size));
        let size = if within { vm.size } else { vm.vmm.as_ref().map_or(vm.size, |vmm| vmm.actual) };
        PodSize::carrying(size, policy.overhead, policy.overcommit)
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
