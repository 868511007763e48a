//! The rules for one VM: those of its SizingPolicy or the defaults, and what they make of its spec.

use reef_api::policy::{PartialSize, Range};
use reef_api::{
    Bytes, EffectivePolicy, Lease, LimitsDecidedBy, Meanwhile, Overcommit, PodSize, PolicyConflict, ShrinkGate, Size,
    VirtualMachine, defaulted, validate,
};
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
    /// What of the spec is against the rules.
    pub violations: Vec<String>,
}

impl PolicyView {
    /// What a policy decides for a VM. Where two match, neither holds, and the defaults are shown.
    pub fn of(vm: &VirtualMachine, policy: &Result<EffectivePolicy, PolicyConflict>) -> Self {
        let usual = EffectivePolicy::default();
        let rules = policy.as_ref().unwrap_or(&usual);
        let effective = defaulted(vm, rules);
        let violations = validate(vm, rules).err().unwrap_or_default();
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
            violations: violations.iter().map(ToString::to_string).collect(),
        }
    }
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
