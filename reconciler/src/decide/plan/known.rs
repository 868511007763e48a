//! Facts of a cluster, found by name.

use std::collections::BTreeMap;

use reef_api::VmKey;
use reef_api::facts::{Claim, ClusterFacts, LimitFacts, NodeFacts, QuotaFacts, VmFacts};

/// The facts, found by name.
pub struct Known<'f> {
    /// Nodes by name.
    pub(super) nodes: BTreeMap<&'f str, &'f NodeFacts>,
    /// VMs by namespace and name.
    pub(super) vms: BTreeMap<VmKey, &'f VmFacts>,
    pub(super) quotas: &'f [QuotaFacts],
    pub(super) limits: &'f [LimitFacts],
}

impl<'f> Known<'f> {
    /// Makes the facts ready to be looked into.
    pub fn of(facts: &'f ClusterFacts) -> Self {
        Self {
            nodes: facts.nodes.iter().map(|node| (node.name.as_str(), node)).collect(),
            vms: facts.vms.iter().map(|vm| (vm.key(), vm)).collect(),
            quotas: &facts.quotas,
            limits: &facts.limit_ranges,
        }
    }

    /// What the nodes' VMs wish for and do not have: they ask the kubelet for it again and again. Those of the plan are left out.
    pub(super) fn waiting(&self, node: &str, planned: impl Fn(&VmKey) -> bool) -> Vec<(VmKey, Claim)> {
        let on_node = self.vms.iter().filter(|(key, _)| !planned(key)).filter_map(|(key, vm)| {
            let pod = vm.pod.as_ref().filter(|pod| pod.node.as_deref() == Some(node))?;
            let more = Claim::from(pod.wish).less(Claim::from(pod.allocated));
            (more != Claim::default()).then(|| (key.clone(), more))
        });
        on_node.collect()
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
