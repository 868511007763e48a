//! The rules for one VM: those of its SizingPolicy or the defaults, and what they make of its spec.

use std::collections::BTreeMap;

use reef_api::policy::{Allowance, Budget, MemoryRange, PartialSize, PolicyRule, Range, RestartPolicy};
use reef_api::{
    Bytes, EffectivePolicy, Lease, LimitsDecidedBy, Meanwhile, Overcommit, PodSize, PolicyConflict, ShrinkGate, Size,
    VirtualMachine, defaulted, validate,
};
use reef_policy::{Before, Change, Host, Rulebook};
use serde::Serialize;

/// The rules, and what comes of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// Name of the SizingPolicy; nothing where none matches.
    pub name: Option<String>,
    /// Why none holds, though some match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
    /// Sizes outside are refused.
    pub bounds: Range,
    /// Smallest size without a restart, if the VM boots now.
    pub floor: Size,
    /// Largest size without a restart, if the VM boots now.
    pub ceiling: Size,
    /// Who decides floor and ceiling.
    pub decided_by: LimitsDecidedBy,
    /// What the VMM needs beside the guest.
    pub overhead: Bytes,
    /// vCPUs for each CPU that the Pod requests.
    pub overcommit: Overcommit,
    /// The Pod that carries the size.
    pub pod: PodSize,
    /// What a step of a shrink has to pass.
    pub shrink_gate: ShrinkGate,
    /// How long a wish without room stands.
    pub lease: Lease,
    /// Whether it gets as much as there is room for meanwhile.
    pub largest_step: bool,
    /// Sizes are multiples of it.
    pub step: PartialSize,
    /// Guest memory for each vCPU.
    pub memory_per_vcpu: MemoryRange,
    /// What becomes of a size that needs a restart.
    pub restart: RestartPolicy,
    /// Whether its size and that it runs are kept as they are.
    pub protected: bool,
    /// What one commit may change.
    pub budget: Budget,
    /// Rules of the policy's owner.
    pub rules: Vec<PolicyRule>,
    /// What of the spec is against the rules.
    pub violations: Vec<String>,
}

impl PolicyView {
    /// What a policy decides for a VM. Where two match, neither holds, and the defaults are shown.
    pub fn of(vm: &VirtualMachine, policy: &Result<EffectivePolicy, PolicyConflict>) -> Self {
        let usual = EffectivePolicy::default();
        let rules = policy.as_ref().unwrap_or(&usual);
        let effective = defaulted(vm, rules);
        Self {
            name: rules.name.clone(),
            conflict: policy.as_ref().err().map(ToString::to_string),
            bounds: rules.bounds,
            floor: effective.floor,
            ceiling: effective.ceiling,
            decided_by: LimitsDecidedBy::of(vm, rules),
            overhead: rules.overhead,
            overcommit: rules.overcommit,
            pod: effective.pod_size(effective.size),
            shrink_gate: rules.shrink_gate,
            lease: rules.lease,
            largest_step: rules.meanwhile == Meanwhile::LargestStep,
            step: rules.step,
            memory_per_vcpu: rules.memory_per_vcpu,
            restart: rules.restart,
            protected: rules.protected,
            budget: rules.budget,
            rules: rules.rules.clone(),
            violations: violations(vm, rules),
        }
    }
}

/// What is against the rules: of a size that was not taken up, as the change that it is; else of the size as it stands.
fn violations(vm: &VirtualMachine, rules: &EffectivePolicy) -> Vec<String> {
    let effective = match validate(vm, rules) {
        Ok(effective) => effective,
        Err(violations) => return violations.iter().map(ToString::to_string).collect(),
    };
    let promised = vm.status.as_ref().and_then(|status| status.resize.as_ref()).map(|resize| resize.target);
    let before = promised.filter(|promised| *promised != effective.size).map_or(Before::Unknown, Before::Had);
    let none = BTreeMap::new();
    let labels = vm.metadata.labels.as_ref().unwrap_or(&none);
    let change = Change { before, after: &effective, labels, stops: false, restart: false, host: Host::Unknown };
    Rulebook::of(rules).judge(&change).broken.iter().map(ToString::to_string).collect()
}

/// What a policy forbids beside sizes outside of its bounds, each in a sentence.
pub(super) fn forbids(policy: &PolicyView) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let step = [policy.step.vcpus.map(|step| format!("{step} vCPU")), policy.step.memory.map(|step| step.to_string())];
    let step: Vec<String> = step.into_iter().flatten().collect();
    if !step.is_empty() {
        facts.push(("step", format!("whole multiples of {}", step.join(" and "))));
    }
    match (policy.memory_per_vcpu.min, policy.memory_per_vcpu.max) {
        (Some(least), Some(most)) => facts.push(("ratio", format!("{least} to {most} of memory for each vCPU"))),
        (Some(least), None) => facts.push(("ratio", format!("at least {least} of memory for each vCPU"))),
        (None, Some(most)) => facts.push(("ratio", format!("at most {most} of memory for each vCPU"))),
        (None, None) => {}
    }
    if policy.restart == RestartPolicy::Never {
        facts.push(("restart", "a size that needs one is refused".to_owned()));
    }
    if policy.protected {
        facts.push(("protected", "no commit changes its size or stops it".to_owned()));
    }
    let allowances = [("for all its VMs", policy.budget.namespace), ("on one node", policy.budget.node)];
    for (place, allowance) in allowances {
        facts.extend(allowance.and_then(allowed).map(|told| ("budget", format!("one commit: {told} {place}"))));
    }
    facts.extend(policy.rules.iter().map(|rule| ("rule", format!("{} ({})", rule.expression, rule.message))));
    facts
}

fn allowed(allowance: Allowance) -> Option<String> {
    let parts = [
        allowance.vms.map(|vms| format!("{vms} VMs")),
        allowance.vcpus.map(|vcpus| format!("{vcpus} more vCPU")),
        allowance.memory.map(|memory| format!("{memory} more")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Bounds as a sentence goes on with them.
pub(super) fn bounds(range: &Range) -> String {
    let told = |word: &str, size: Option<PartialSize>| {
        let size = size?;
        let vcpus = size.vcpus.map(|vcpus| format!("{vcpus} vCPU"));
        let memory = size.memory.map(|memory| memory.to_string());
        let parts: Vec<String> = vcpus.into_iter().chain(memory).collect();
        (!parts.is_empty()).then(|| format!("{word} {}", parts.join(", ")))
    };
    let parts: Vec<String> = [told("from", range.min), told("up to", range.max)].into_iter().flatten().collect();
    if parts.is_empty() { "any size".to_owned() } else { parts.join(" ") }
}
