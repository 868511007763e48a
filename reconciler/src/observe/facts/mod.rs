//! Objects of the API as the facts that a plan needs. Pure.
//!
//! Requests are counted twice: as the scheduler counts them (for Pods that are yet to be placed) and as the kubelet does (for Pods that grow).

mod limits;
mod requests;
mod suspensions;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{LimitRange, Node, Pod, ResourceQuota};
use reef_api::facts::{ClusterFacts, NodeFacts, PolicyFacts, TaintFacts, VmFacts, VmPodFacts, VmmFacts};
use reef_api::names::SOURCE_ANNOTATION;
use reef_api::{EffectivePolicy, GitSource, SizingPolicy, VirtualMachine, defaulted};

use super::node::node_observed;
use super::pod::{owner_uid, pod_observed};
use crate::decide::observed::PodObserved;

use requests::{Requests, requests};

/// Everything that was listed of a cluster.
#[derive(Debug, Default)]
pub struct Listed {
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Pods of all namespaces and owners.
    pub pods: Vec<Pod>,
    /// VirtualMachines.
    pub vms: Vec<VirtualMachine>,
    /// SizingPolicies.
    pub policies: Vec<SizingPolicy>,
    /// ResourceQuotas.
    pub quotas: Vec<ResourceQuota>,
    /// LimitRanges.
    pub limit_ranges: Vec<LimitRange>,
    /// GitSources.
    pub sources: Vec<GitSource>,
}

/// The facts of what was listed.
pub fn facts(listed: &Listed) -> ClusterFacts {
    let mut by_node: BTreeMap<&str, Requests> = BTreeMap::new();
    let mut of_vms: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in listed.pods.iter().filter(|pod| !has_ended(pod)) {
        if let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) {
            let sum = by_node.entry(node).or_default();
            *sum = sum.plus(requests(pod));
        }
        if let Some(uid) = owner_uid(pod) {
            of_vms.entry(uid).or_default().push(pod);
        }
    }
    let taken = |node: &Node| node.metadata.name.as_deref().and_then(|name| by_node.get(name).copied());
    let pods = |vm: &VirtualMachine| {
        let own = vm.metadata.uid.as_deref().and_then(|uid| of_vms.get(uid));
        own.into_iter().flatten().filter_map(|pod| pod_observed(pod).ok()).collect()
    };
    let mut facts = ClusterFacts {
        nodes: listed.nodes.iter().filter_map(|node| of_node(node, taken(node).unwrap_or_default())).collect(),
        vms: listed.vms.iter().map(|vm| vm_facts(vm, pods(vm))).collect(),
        policies: listed.policies.iter().map(of_policy).collect(),
        quotas: listed.quotas.iter().filter_map(limits::quota).collect(),
        limit_ranges: listed.limit_ranges.iter().filter_map(limits::limit_range).collect(),
        suspended_sources: listed.sources.iter().filter_map(suspensions::source).collect(),
    };
    facts.nodes.sort_by(|one, other| one.name.cmp(&other.name));
    facts.vms.sort_by_key(VmFacts::key);
    facts.policies.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    facts.suspended_sources.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    facts.quotas.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    facts.limit_ranges.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    facts
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// A node; none when it does not say what it can give.
fn of_node(node: &Node, taken: Requests) -> Option<NodeFacts> {
    let observed = node_observed(node)?;
    let spec = node.spec.as_ref();
    let taints = spec.and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    // A cordoned node carries a taint of its own, which says the same.
    let keeps_away: BTreeSet<TaintFacts> = taints
        .iter()
        .filter(|taint| taint.effect != "PreferNoSchedule")
        .map(|taint| TaintFacts {
            key: taint.key.clone(),
            value: taint.value.clone().unwrap_or_default(),
            effect: taint.effect.clone(),
        })
        .collect();
    Some(NodeFacts {
        name: observed.name,
        cpu: observed.cpu,
        memory: observed.memory,
        requested: taken.scheduled,
        allocated: taken.allocated,
        schedulable: observed.ready && spec.and_then(|spec| spec.unschedulable) != Some(true),
        labels: node.metadata.labels.clone().unwrap_or_default(),
        taints: keeps_away.into_iter().collect(),
    })
}

/// A VM with those of its Pods that can be read.
pub fn vm_facts(vm: &VirtualMachine, pods: Vec<PodObserved>) -> VmFacts {
    let effective = defaulted(vm, &EffectivePolicy::default());
    let status = vm.status.as_ref();
    let named = status.and_then(|status| status.vm_pod_uid.as_deref());
    let mut alive: Vec<PodObserved> = pods.into_iter().filter(PodObserved::alive).collect();
    alive.sort_by_key(|pod| Some(pod.uid.as_str()) != named);
    let pod = alive.into_iter().next();
    let report = status.and_then(|status| status.vmm.as_ref());
    let report = report.filter(|report| pod.as_ref().is_some_and(|pod| pod.uid == report.pod_uid));
    VmFacts {
        namespace: effective.key.namespace,
        name: effective.key.name,
        source: vm.metadata.annotations.as_ref().and_then(|found| found.get(SOURCE_ANNOTATION)).cloned(),
        size: effective.size,
        promised: status.and_then(|status| status.resize.as_ref()).map(|resize| resize.target),
        run_policy: Some(effective.run_policy),
        labels: vm.metadata.labels.clone().unwrap_or_default(),
        vmm: report.map(|report| VmmFacts {
            kind: effective.vmm,
            version: Some(report.version.clone()).filter(|version| !version.is_empty()),
            boot: report.boot,
            limitations: report.limitations.clone(),
            actual: report.actual(),
        }),
        stated: effective.stated,
        suspended: suspensions::vm(vm),
        pod: pod.map(|pod| VmPodFacts { allocated: pod.allocated.unwrap_or(pod.spec), wish: pod.spec, node: pod.node }),
    }
}

fn of_policy(policy: &SizingPolicy) -> PolicyFacts {
    PolicyFacts {
        namespace: policy.metadata.namespace.clone().unwrap_or_default(),
        name: policy.metadata.name.clone().unwrap_or_default(),
        spec: policy.spec.clone(),
    }
}
