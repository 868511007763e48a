//! What the pipeline is asked about one VM: its target and what is observed of it, taken out of the store.
//!
//! Pure. A spec, a policy or a Pod that cannot be used becomes a problem of the target, in words.

use reef_api::names::REVISION_ANNOTATION;
use reef_api::{EffectivePolicy, Reason, VirtualMachine, Vm, defaulted, validate};

use super::policed::{untaken, with_size};
use crate::decide::asked::Asked;
use crate::decide::observed::{NodeObserved, Refusal, VmObserved};
use crate::decide::target::{Placement, Target, TargetProblem};
use crate::observe::{ObjectKey, PodOdd, Pods, Store, vm_observed};
use crate::seams::Settings;

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
    /// Who says of which commit its spec is.
    pub commit: Commit,
}

/// Who says of which commit the spec of a VM is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Commit {
    /// The annotation by which the controller applies.
    #[default]
    Annotated,
    /// Argo CD has applied it, as a sync of this commit where one is told.
    Synced(Option<String>),
}

/// Takes the view of one VM. None when it is not there or cannot be read.
pub fn view(store: &Store, key: &ObjectKey, beside: Beside, settings: &Settings) -> Option<View> {
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
    // A second Pod must not be started beside one that cannot be read.
    let pods_problem = (!odd.is_empty()).then(|| TargetProblem { reason: Reason::Invalid, message: odd.join("; ") });
    let target = target((store, key), vm, &beside.commit, settings, observed.node.as_ref());
    let problem = target.problem.or(pods_problem).or(beside.unapplied);
    Some(View { target: Target { problem, ..target }, observed })
}

fn target(
    (store, key): (&Store, &ObjectKey),
    vm: &VirtualMachine,
    commit: &Commit,
    settings: &Settings,
    node: Option<&NodeObserved>,
) -> Target {
    let revision = revision(vm, commit);
    let taken = match policy_of(store, key, vm) {
        Ok(policy) => taken(vm, revision, &policy, node),
        Err(problem) => Taken::otherwise(vm, revision, &EffectivePolicy::default(), problem),
    };
    Target {
        generation: vm.metadata.generation.unwrap_or(0),
        revision: taken.revision,
        vm: taken.vm,
        problem: taken.problem,
        asked: Asked::of(vm.metadata.annotations.as_ref()),
        hold: None,
        placement: Placement {
            image: settings.vmm_image.clone(),
            devices: settings.vm_devices.clone(),
            node_selector: vm.spec.node_selector.clone(),
            affinity: vm.spec.affinity.clone(),
            tolerations: vm.spec.tolerations.clone(),
        },
    }
}

/// What is taken up of a spec.
struct Taken {
    vm: Vm,
    revision: Option<String>,
    problem: Option<TargetProblem>,
}

impl Taken {
    fn otherwise(
        vm: &VirtualMachine,
        revision: Option<String>,
        policy: &EffectivePolicy,
        problem: TargetProblem,
    ) -> Self {
        Self { vm: defaulted(vm, policy), revision, problem: Some(problem) }
    }
}

/// What its policy forbids of a spec is not taken up: the VM goes on with the size that it was promised last. One that never had a size is not started.
fn taken(
    vm: &VirtualMachine,
    revision: Option<String>,
    policy: &EffectivePolicy,
    node: Option<&NodeObserved>,
) -> Taken {
    let invalid = |message| TargetProblem { reason: Reason::Invalid, message };
    let effective = match validate(vm, policy) {
        Ok(effective) => effective,
        Err(violations) => {
            let message = violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return Taken::otherwise(vm, revision, policy, invalid(message));
        }
    };
    let Some(message) = untaken(&effective, vm, policy, node) else {
        return Taken { vm: effective, revision, problem: None };
    };
    let Some(before) = vm.status.as_ref().and_then(|status| status.resize.as_ref()) else {
        return Taken::otherwise(vm, revision, policy, invalid(message));
    };
    let message = format!("{message}; the VM keeps {}", before.target);
    Taken {
        vm: defaulted(&with_size(vm, before.target), policy),
        revision: before.revision.clone(),
        problem: Some(TargetProblem { reason: Reason::Blocked, message }),
    }
}

fn revision(vm: &VirtualMachine, commit: &Commit) -> Option<String> {
    match commit {
        Commit::Annotated => vm.metadata.annotations.as_ref()?.get(REVISION_ANNOTATION).cloned(),
        Commit::Synced(revision) => revision.clone(),
    }
}

/// A policy that cannot be read may be the one that holds for this VM, so nothing is decided without it.
pub(super) fn policy_of(store: &Store, key: &ObjectKey, vm: &VirtualMachine) -> Result<EffectivePolicy, TargetProblem> {
    let conflict = |message| TargetProblem { reason: Reason::PolicyConflict, message };
    for (policy, held) in store.policies.within(&key.namespace) {
        if let Err(error) = &held.object {
            return Err(conflict(format!("SizingPolicy {policy} cannot be read ({error}); correct or delete it")));
        }
    }
    let labels = vm.metadata.labels.clone().unwrap_or_default();
    EffectivePolicy::select(store.policies_in(&key.namespace), &labels).map_err(|error| conflict(error.to_string()))
}
