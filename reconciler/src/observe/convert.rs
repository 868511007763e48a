//! A VirtualMachine, its Pods and its node as the one value that the pipeline reads.
//!
//! Pure. Which Pods belong to a VM is said by their owner's uid: a name may have been used before.

use std::collections::BTreeMap;

use reef_api::VirtualMachine;

use super::conditions::in_order;
use super::keep::KeptPod;
use super::pod::PodOdd;
use crate::decide::observed::{NodeObserved, PodObserved, Refusal, VmObserved};

/// The Pods of one VM, and those that carry its mark but cannot be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pods {
    /// The oldest first.
    pub read: Vec<PodObserved>,
    /// In the order of their names.
    pub odd: Vec<PodOdd>,
    /// Names of Pods that an earlier VM of this name has left and that may still run.
    pub leftovers: Vec<String>,
}

impl Pods {
    /// Reads those of `pods` that the VM with this uid owns, and names those that an earlier one has left.
    pub fn of<'a>(uid: &str, pods: impl IntoIterator<Item = &'a KeptPod>) -> Self {
        let mut read = BTreeMap::new();
        let (mut odd, mut leftovers) = (Vec::new(), Vec::new());
        for pod in pods {
            if pod.owner.as_deref() != Some(uid) {
                leftovers.extend(pod.name.clone().filter(|_| pod.leftover));
                continue;
            }
            match &pod.observed {
                Ok(observed) => {
                    read.insert((pod.created, observed.name.clone()), observed.clone());
                }
                Err(error) => odd.push(error.clone()),
            }
        }
        Self { read: read.into_values().collect(), odd, leftovers }
    }
}

/// Puts together what is known of a VM. None when the object lacks what every stored object has.
pub fn vm_observed(
    vm: &VirtualMachine,
    pods: Vec<PodObserved>,
    node: impl FnOnce(&str) -> Option<NodeObserved>,
    refusal: Option<Refusal>,
) -> Option<VmObserved> {
    let mut status = vm.status.clone().unwrap_or_default();
    status.conditions = in_order(status.conditions);
    let mut observed = VmObserved {
        uid: vm.metadata.uid.clone()?,
        resource_version: vm.metadata.resource_version.clone()?,
        generation: vm.metadata.generation.unwrap_or(0),
        deleting: vm.metadata.deletion_timestamp.is_some(),
        status,
        pods,
        leftovers: Vec::new(),
        node: None,
        refusal,
        neighbourhood: None,
        contest: None,
    };
    let name = observed.pod().and_then(|pod| pod.node.clone());
    observed.node = name.as_deref().and_then(node);
    Some(observed)
}
