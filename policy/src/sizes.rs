//! What a policy says of a size by itself: bounds, step, and memory for each vCPU.

use std::fmt;

use reef_api::plan::Rule;
use reef_api::{Bytes, EffectivePolicy, Size, Vcpus};

use crate::change::{Broken, broken};

/// Paths of the two values of a size.
pub(crate) const VCPUS: &str = "spec.instance.cpu";
pub(crate) const MEMORY: &str = "spec.instance.memory.size";

/// What of a size lies outside of what the policy allows.
pub(crate) fn judge(policy: &EffectivePolicy, size: Size) -> Vec<Broken> {
    let mut found = Vec::new();
    bounds(policy, size, &mut found);
    steps(policy, size, &mut found);
    ratio(policy, size, &mut found);
    found
}

fn bounds(policy: &EffectivePolicy, size: Size, found: &mut Vec<Broken>) {
    let (least, most) = (policy.bounds.min.unwrap_or_default(), policy.bounds.max.unwrap_or_default());
    let Size { vcpus, memory } = size;
    let remedy = "ask for a size within the bounds, or have the policy changed";
    let mut outside = |path, value: &dyn fmt::Display, verb: &str, limit: &dyn fmt::Display| {
        found.push(broken(Rule::Policy, path, value, format!("{} {verb} {limit}", named(policy)), remedy));
    };
    if let Some(least) = least.vcpus.filter(|least| vcpus < *least) {
        outside(VCPUS, &vcpus, "allows no fewer than", &least);
    }
    if let Some(most) = most.vcpus.filter(|most| vcpus > *most) {
        outside(VCPUS, &vcpus, "allows no more than", &most);
    }
    if let Some(least) = least.memory.filter(|least| memory < *least) {
        outside(MEMORY, &memory, "allows no less than", &least);
    }
    if let Some(most) = most.memory.filter(|most| memory > *most) {
        outside(MEMORY, &memory, "allows no more than", &most);
    }
}

fn steps(policy: &EffectivePolicy, size: Size, found: &mut Vec<Broken>) {
    let nearest = |value: u64, step: u64| (value - value % step, value.saturating_add(step - value % step));
    let mut between = |path, value: &dyn fmt::Display, step: &dyn fmt::Display, remedy: String| {
        found.push(broken(Rule::Policy, path, value, format!("{} allows steps of {step}", named(policy)), remedy));
    };
    let vcpus = policy.step.vcpus.filter(|step| step.0 > 0 && !size.vcpus.0.is_multiple_of(step.0));
    if let Some(step) = vcpus {
        let (below, above) = nearest(u64::from(size.vcpus.0), u64::from(step.0));
        between(VCPUS, &size.vcpus, &step, either((below > 0).then_some(below), above));
    }
    let memory = policy.step.memory.filter(|step| step.0 > 0 && !size.memory.0.is_multiple_of(step.0));
    if let Some(step) = memory {
        let (below, above) = nearest(size.memory.0, step.0);
        between(MEMORY, &size.memory, &step, either((below > 0).then_some(Bytes(below)), Bytes(above)));
    }
}

fn either<T: fmt::Display>(below: Option<T>, above: T) -> String {
    below.map_or_else(|| format!("ask for {above}"), |below| format!("ask for {below} or {above}"))
}

/// Exact, without dividing: memory is held against the limit times the vCPUs.
fn ratio(policy: &EffectivePolicy, size: Size, found: &mut Vec<Broken>) {
    let range = policy.memory_per_vcpu;
    let times = |limit: Bytes, vcpus: Vcpus| u128::from(limit.0) * u128::from(vcpus.0);
    let memory = u128::from(size.memory.0);
    let asked = |limit: Bytes| Bytes(u64::try_from(times(limit, size.vcpus)).unwrap_or(u64::MAX));
    let mut outside = |verb: &str, limit: Bytes, bound: &str| {
        let remedy = format!("ask for {bound} {} with {} vCPU", asked(limit), size.vcpus);
        let limit = format!("{} {verb} {limit} for each vCPU", named(policy));
        found.push(broken(Rule::Policy, MEMORY, size, limit, remedy));
    };
    if let Some(least) = range.min.filter(|least| memory < times(*least, size.vcpus)) {
        outside("asks for no less than", least, "at least");
    }
    if let Some(most) = range.max.filter(|most| memory > times(*most, size.vcpus)) {
        outside("allows no more than", most, "at most");
    }
}

/// A policy in a sentence.
pub(crate) fn named(policy: &EffectivePolicy) -> String {
    format!("SizingPolicy {}", policy.name.as_deref().unwrap_or("(default)"))
}
