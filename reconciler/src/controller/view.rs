//! What the pipeline is asked about one VM: its target and what is observed of it, taken out of the store.
//!
//! Pure. A spec, a policy or a Pod that cannot be used becomes a problem of the target, in words.

use reef_api::names::REVISION_ANNOTATION;
use reef_api::{EffectivePolicy, Reason, VirtualMachine, defaulted, validate};

use crate::decide::observed::{Refusal, VmObserved};
use crate::decide::target::{Placement, Target, TargetProblem};
use crate::observe::{ObjectKey, PodOdd, Pods, Store, vm_observed};

/// Target and observation of one VM.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What it is to become.
    pub target: Target,
    /// What it is.
    pub observed: VmObserved,
}

/// What is known beside the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// Why Git's state of this VM could not be applied, where it could not.
    pub unapplied: Option<TargetProblem>,
    /// The refusal that is remembered.
    pub refusal: Option<Refusal>,
}

/// Takes the view of one VM. None when it is not there or cannot be read.
pub fn view(store: &Store, key: &ObjectKey, beside: Beside, image: &str) -> Option<View> {
    let vm = &store.vm(key)?;
    let uid = vm.metadata.uid.as_deref()?;
    let mut odd: Vec<String> = Vec::new();
    let mut readable = Vec::new();
    for (pod, held) in store.pods_of(key) {
        match &held.object {
            Ok(pod) => readable.push(pod.as_ref()),
            Err(error) => odd.push(format!("Pod {pod} cannot be read: {error}")),
        }
    }
    let pods = Pods::of(uid, readable);
    odd.extend(pods.odd.iter().map(PodOdd::to_string));
    let mut observed =
        vm_observed(vm, pods.read, |node| store.nodes.get(&ObjectKey::new("", node))?.0.clone(), beside.refusal)?;
    observed.leftovers = pods.leftovers;
    let pods_problem = (!odd.is_empty()).then(|| TargetProblem { reason: Reason::Invalid, message: odd.join("; ") });
    Some(View { target: target(store, key, vm, image, pods_problem.or(beside.unapplied)), observed })
}

/// A VM with a Pod that cannot be read counts as invalid even where its spec is fine: a second Pod must not be started beside it.
fn target(store: &Store, key: &ObjectKey, vm: &VirtualMachine, image: &str, other: Option<TargetProblem>) -> Target {
    let (policy, conflict) = match policy(store, key, vm) {
        Ok(policy) => (policy, None),
        Err(problem) => (EffectivePolicy::default(), Some(problem)),
    };
    let (effective, invalid) = match validate(vm, &policy) {
        Ok(effective) => (effective, None),
        Err(violations) => {
            let message = violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            (defaulted(vm, &policy), Some(TargetProblem { reason: Reason::Invalid, message }))
        }
    };
    Target {
        generation: vm.metadata.generation.unwrap_or(0),
        revision: vm.metadata.annotations.as_ref().and_then(|found| found.get(REVISION_ANNOTATION).cloned()),
        vm: effective,
        problem: conflict.or(invalid).or(other),
        hold: None,
        placement: Placement {
            image: image.to_owned(),
            node_selector: vm.spec.node_selector.clone(),
            affinity: vm.spec.affinity.clone(),
            tolerations: vm.spec.tolerations.clone(),
        },
    }
}

/// A policy that cannot be read may be the one that holds for this VM, so nothing is decided without it.
fn policy(store: &Store, key: &ObjectKey, vm: &VirtualMachine) -> Result<EffectivePolicy, TargetProblem> {
    let conflict = |message| TargetProblem { reason: Reason::PolicyConflict, message };
    for (policy, held) in store.policies.within(&key.namespace) {
        if let Err(error) = &held.object {
            return Err(conflict(format!("SizingPolicy {policy} cannot be read ({error}); correct or delete it")));
        }
    }
    let labels = vm.metadata.labels.clone().unwrap_or_default();
    EffectivePolicy::select(store.policies_in(&key.namespace), &labels).map_err(|error| conflict(error.to_string()))
}
