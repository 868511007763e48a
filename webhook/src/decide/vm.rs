//! Whether a VM may be written as it is: by the rules of the API, by its policy, and by who states it.

use std::collections::BTreeMap;

use reef_api::names::ORIGIN_ANNOTATION;
use reef_api::source::DriftPolicy;
use reef_api::vm::RunPolicy;
use reef_api::{EffectivePolicy, PodSize, PolicyConflict, Size, VirtualMachine, Vm, validate};
use reef_policy::{Change, Host, Rulebook};
use serde_json::Value;

use super::Verdict;
use super::owned;

/// A write of a VM.
#[derive(Clone, Copy, Debug)]
pub struct VmQuestion<'a> {
    /// The VM as it is to be.
    pub new: &'a VirtualMachine,
    /// The same as it was sent.
    pub new_object: &'a Value,
    /// The VM as the cluster has it, as object and as it is stored; nothing for a new one.
    pub old: Option<(&'a VirtualMachine, &'a Value)>,
    /// Its policy, or the policies that are equally specific.
    pub policy: &'a Result<EffectivePolicy, PolicyConflict>,
    /// Who states it, where somebody else than whoever asks does.
    pub owner: Option<&'a Owner>,
}

/// The source that states a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `NAMESPACE/NAME` of the GitSource.
    pub source: String,
    /// What it says of changes by others.
    pub drift: DriftPolicy,
}

/// What is said of a write of a VM.
pub fn vm(question: &VmQuestion<'_>) -> Verdict {
    let ending = question.new.metadata.deletion_timestamp.is_some();
    let same =
        question.old.is_some_and(|(old, _)| old.spec == question.new.spec && labels(old) == labels(question.new));
    // Finalizers, annotations, and what is going away: nothing of that may ever be held up.
    if ending || same {
        return Verdict::allowed();
    }
    let mut verdict = Verdict::default();
    drift(question, &mut verdict);
    match question.policy {
        Ok(policy) => sizes(question, policy, &mut verdict),
        Err(conflict) => conflicting(question, conflict, &mut verdict),
    }
    verdict
}

static NONE: BTreeMap<String, String> = BTreeMap::new();

fn labels(vm: &VirtualMachine) -> &BTreeMap<String, String> {
    vm.metadata.labels.as_ref().unwrap_or(&NONE)
}

fn drift(question: &VmQuestion<'_>, verdict: &mut Verdict) {
    let (Some(owner), Some((old, object))) = (question.owner, question.old) else { return };
    let changed = owned::changed(object, question.new_object);
    if changed.is_empty() || owner.drift == DriftPolicy::Allow {
        return;
    }
    let origin = old.metadata.annotations.as_ref().and_then(|found| found.get(ORIGIN_ANNOTATION));
    let place = origin.map(|origin| format!(", {origin}")).unwrap_or_default();
    let (fields, source) = (changed.join(", "), &owner.source);
    match owner.drift {
        DriftPolicy::Deny => verdict.refused.push(format!(
            "{fields} is stated by GitSource {source}{place}, which denies changes by hand; change it there, or suspend the VM (reef suspend) and have spec.drift of the source changed"
        )),
        DriftPolicy::Warn | DriftPolicy::Allow => {
            verdict.warnings.push(format!("{fields} is stated by GitSource {source}{place}: change it there, it will be brought back"));
        }
    }
}

/// Two policies on one VM: the controller writes nothing of its size, and says so. Here it is refused where it would be asked to.
fn conflicting(question: &VmQuestion<'_>, conflict: &PolicyConflict, verdict: &mut Verdict) {
    let size = |vm: &VirtualMachine| reef_api::defaulted(vm, &EffectivePolicy::default()).size;
    if question.old.is_none_or(|(old, _)| size(old) != size(question.new)) {
        verdict.refused.push(conflict.to_string());
    } else {
        verdict.warnings.push(conflict.to_string());
    }
}

fn sizes(question: &VmQuestion<'_>, policy: &EffectivePolicy, verdict: &mut Verdict) {
    let vm = match validate(question.new, policy) {
        Ok(vm) => vm,
        Err(violations) => return verdict.refused.extend(violations.iter().map(ToString::to_string)),
    };
    let live = question.old.map(|(old, _)| old);
    let change = Change::between(live, &vm, question.new, Host::Unknown);
    let judgement = Rulebook::of(policy).judge(&change);
    verdict.refused.extend(judgement.broken.iter().map(ToString::to_string));
    if let Some(live) = live.filter(|live| is_up(live)) {
        verdict.warnings.extend(restart(live, &vm, &change));
        verdict.warnings.extend(later(live, question.new));
    }
    verdict.warnings.extend(idle(&vm));
}

/// Whether it has a VMM that runs, as far as its status tells.
fn is_up(live: &VirtualMachine) -> bool {
    let status = live.status.as_ref();
    let about = status.and_then(|status| status.vm_pod_uid.as_deref());
    live.spec.run_policy != Some(RunPolicy::Halted)
        && about.is_some_and(|pod| status.is_some_and(|status| status.report_about(pod).is_some()))
}

fn restart(live: &VirtualMachine, vm: &Vm, change: &Change<'_>) -> Option<String> {
    let report = live.status.as_ref()?.vmm.as_ref()?;
    let boot = report.boot;
    let range = (Size::new(boot.min_vcpus, boot.min_memory), Size::new(boot.max_vcpus, boot.max_memory));
    (change.restart && change.is_of_size()).then(|| {
        format!(
            "{} takes a restart: the VM booted for {} to {}, and keeps {} until then",
            vm.size,
            range.0,
            range.1,
            report.actual()
        )
    })
}

/// What takes effect only when the VM is started anew.
fn later(live: &VirtualMachine, new: &VirtualMachine) -> Option<String> {
    let (old, new) = (&live.spec, &new.spec);
    let cpu = |spec: &reef_api::VirtualMachineSpec| spec.instance.cpu.clone().unwrap_or_default();
    let memory = |spec: &reef_api::VirtualMachineSpec| spec.instance.memory.clone().unwrap_or_default();
    let fields = [
        ("spec.vmm", old.vmm == new.vmm),
        ("spec.instance.cpu.min", cpu(old).min == cpu(new).min),
        ("spec.instance.cpu.max", cpu(old).max == cpu(new).max),
        ("spec.instance.memory.min", memory(old).min == memory(new).min),
        ("spec.instance.memory.max", memory(old).max == memory(new).max),
        ("spec.instance.kernel", old.instance.kernel == new.instance.kernel),
        ("spec.instance.disks", old.instance.disks == new.instance.disks),
        ("spec.volumes", old.volumes == new.volumes),
        ("spec.nodeSelector", old.node_selector == new.node_selector),
        ("spec.affinity", old.affinity == new.affinity),
    ];
    let changed: Vec<&str> = fields.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
    let verb = if changed.len() == 1 { "takes" } else { "take" };
    (!changed.is_empty()).then(|| format!("{} {verb} effect when the VM is started anew", changed.join(", ")))
}

/// Resources that are set aside and that the VM cannot use.
fn idle(vm: &Vm) -> Option<String> {
    let needed = PodSize::carrying(vm.size, vm.overhead, vm.overcommit);
    let stated = vm.stated.filter(|stated| stated.memory > needed.memory || stated.cpu_request > needed.cpu_request)?;
    Some(format!("spec.resources sets {stated} aside, and the VM can use {needed} of it"))
}

#[cfg(test)]
mod tests;
