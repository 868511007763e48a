//! When a push reached what: the VM object, the VMM, everything. Looked at from behind the cluster, so that looking costs it nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use reef_api::{Size, VirtualMachine, VmKey, names};
use reef_sim::cluster::Cluster;
use reef_sim::store::{ObjectKey, ResourceId};
use serde_json::Value;
use tokio::time::Instant;

use crate::fleet;

/// The grain of all times: as short as a timer can be.
const GRAIN: Duration = Duration::from_millis(1);
/// When a resize counts as stuck.
const STUCK: Duration = Duration::from_secs(120);
/// Where everything happens.
pub const NAMESPACE: &str = "default";

/// Times since the push began.
#[derive(Clone, Copy, Debug)]
pub struct Stages {
    /// The VM object has the new spec.
    pub applied: Duration,
    /// The VMM has carried out the last request.
    pub last_request: Duration,
    /// The VM says that it has what was asked for, with Pod, VMM and guest in agreement.
    pub settled: Duration,
}

/// Pushes, and follows one VM until it has the size. `applied` is called in the moment in which the VM object is changed.
pub async fn follow(
    cluster: &Cluster,
    name: &str,
    target: Size,
    push: impl FnOnce() -> anyhow::Result<()>,
    mut applied: impl FnMut(),
) -> anyhow::Result<Stages> {
    let vm_key = vm_key(name);
    let before = vm(cluster, &vm_key)?.metadata.generation;
    let pod = cluster.pod_of(&VmKey::new(NAMESPACE, name)).with_context(|| format!("{name} has no Pod"))?;
    let requested = || cluster.vmm_view(&pod).map(|view| (view.vcpus_requested, view.memory_requested_bytes));
    let mut last_seen = requested();
    let (mut applied_at, mut requested_at) = (None, None);
    let begun = Instant::now();
    push()?;
    let mut object: Option<Arc<Value>> = None;
    while begun.elapsed() < STUCK {
        let now = begun.elapsed();
        let seen = requested();
        if seen != last_seen {
            (last_seen, requested_at) = (seen, Some(now));
        }
        let newest = cluster.store().get(&vm_key);
        let same = newest.as_ref().zip(object.as_ref()).is_some_and(|(newest, known)| Arc::ptr_eq(newest, known));
        if !same && newest.is_some() {
            object = newest;
            let vm = vm(cluster, &vm_key)?;
            if applied_at.is_none() && vm.metadata.generation != before {
                applied_at = Some(now);
                applied();
            }
            if let (Some(applied), true) = (applied_at, vm.is_settled() && vm.actual() == Some(target)) {
                let last_request = requested_at.with_context(|| format!("the VMM of {name} was never asked"))?;
                return Ok(Stages { applied, last_request, settled: now });
            }
        }
        tokio::time::sleep(GRAIN).await;
    }
    bail!("{name} has not become {target} within {} s", STUCK.as_secs())
}

/// The key of a VM in the cluster.
pub fn vm_key(name: &str) -> ObjectKey {
    ObjectKey::namespaced(vms(), NAMESPACE, name)
}

/// The resource of VMs.
pub fn vms() -> ResourceId {
    ResourceId::new(names::VM_GROUP, "virtualmachines")
}

fn vm(cluster: &Cluster, key: &ObjectKey) -> anyhow::Result<VirtualMachine> {
    let object = cluster.store().get(key).with_context(|| format!("there is no {key}"))?;
    Ok(serde_json::from_value((*object).clone())?)
}

/// Waits until so many VMs are there and all are settled. Each is read again only when it has changed.
pub async fn all_settled(cluster: &Cluster, count: usize, within: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut open: Vec<(String, Option<Arc<Value>>)> = (0..count).map(|number| (fleet::name(number), None)).collect();
    while begun.elapsed() < within {
        open.retain_mut(|(name, known)| {
            let Some(newest) = cluster.store().get(&vm_key(name)) else { return true };
            if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &newest)) {
                return true;
            }
            let vm = serde_json::from_value::<VirtualMachine>((*newest).clone());
            *known = Some(newest);
            !vm.is_ok_and(|vm| vm.is_settled())
        });
        if open.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let first = open.first().and_then(|(_, object)| object.as_ref()).map(ToString::to_string).unwrap_or_default();
    bail!("{} of {count} VMs are not settled after {} s; the first: {first}", open.len(), within.as_secs())
}
