//! Quotas and limit ranges, as far as VMs can break them.

use std::collections::BTreeMap;
use std::str::FromStr;

use k8s_openapi::api::core::v1::{LimitRange, ResourceQuota};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use reef_api::facts::{LimitFacts, QuotaFacts, QuotaLimit, QuotaResource};
use reef_api::{Bytes, MilliCpu};

/// Scopes that every Pod of a VM is in: it has requests, and no deadline.
const SCOPES: [&str; 2] = ["NotBestEffort", "NotTerminating"];

/// A quota; none where it is about Pods that no VM has, or about nothing of theirs.
pub(super) fn quota(quota: &ResourceQuota) -> Option<QuotaFacts> {
    let spec = quota.spec.as_ref()?;
    let scopes = spec.scopes.iter().flatten();
    if spec.scope_selector.is_some() || scopes.into_iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
        return None;
    }
    let status = quota.status.as_ref()?;
    let (hard, used) = (status.hard.as_ref()?, status.used.as_ref()?);
    let limits: Vec<QuotaLimit> = NAMES
        .iter()
        .filter_map(|(name, resource)| {
            let hard = amount(*resource, hard.get(*name)?)?;
            let used = used.get(*name).and_then(|used| amount(*resource, used)).unwrap_or_default();
            Some(QuotaLimit { resource: *resource, hard, used })
        })
        .collect();
    let named = |name: &Option<String>| name.clone().unwrap_or_default();
    (!limits.is_empty()).then(|| QuotaFacts {
        namespace: named(&quota.metadata.namespace),
        name: named(&quota.metadata.name),
        limits,
    })
}

/// The names that Kubernetes has for what a quota can limit of VMs.
const NAMES: [(&str, QuotaResource); 8] = [
    ("cpu", QuotaResource::RequestsCpu),
    ("requests.cpu", QuotaResource::RequestsCpu),
    ("limits.cpu", QuotaResource::LimitsCpu),
    ("memory", QuotaResource::RequestsMemory),
    ("requests.memory", QuotaResource::RequestsMemory),
    ("limits.memory", QuotaResource::LimitsMemory),
    ("pods", QuotaResource::Pods),
    ("count/pods", QuotaResource::Pods),
];

fn amount(resource: QuotaResource, quantity: &Quantity) -> Option<u64> {
    let text = quantity.0.as_str();
    match resource {
        QuotaResource::RequestsCpu | QuotaResource::LimitsCpu => text.parse::<MilliCpu>().ok().map(|cpu| cpu.0),
        QuotaResource::RequestsMemory | QuotaResource::LimitsMemory | QuotaResource::Pods => {
            text.parse::<Bytes>().ok().map(|bytes| bytes.0)
        }
    }
}

/// A limit range; none where it bounds no Pod and no container.
pub(super) fn limit_range(range: &LimitRange) -> Option<LimitFacts> {
    let named = |name: &Option<String>| name.clone().unwrap_or_default();
    let mut facts = LimitFacts {
        namespace: named(&range.metadata.namespace),
        name: named(&range.metadata.name),
        min_cpu: None,
        max_cpu: None,
        min_memory: None,
        max_memory: None,
    };
    let items = range.spec.iter().flat_map(|spec| &spec.limits);
    for item in items.filter(|item| matches!(item.type_.as_str(), "Pod" | "Container")) {
        facts.min_cpu = facts.min_cpu.max(read(item.min.as_ref(), "cpu"));
        facts.min_memory = facts.min_memory.max(read(item.min.as_ref(), "memory"));
        facts.max_cpu = smaller(facts.max_cpu, read(item.max.as_ref(), "cpu"));
        facts.max_memory = smaller(facts.max_memory, read(item.max.as_ref(), "memory"));
    }
    let bounds =
        facts.min_cpu.is_some() || facts.max_cpu.is_some() || facts.min_memory.is_some() || facts.max_memory.is_some();
    bounds.then_some(facts)
}

fn read<T: FromStr>(quantities: Option<&BTreeMap<String, Quantity>>, name: &str) -> Option<T> {
    quantities?.get(name)?.0.parse().ok()
}

fn smaller<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
