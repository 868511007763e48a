//! The policy that holds for one VM: found among those of its namespace, with everything that it leaves open filled in.
//!
//! Selection is pure; which policies exist is told by the caller.

use super::{
    Budget, Meanwhile, MemoryRange, PartialSize, PolicyRule, Range, RestartPolicy, ShrinkGate, SizingPolicySpec,
};
use crate::size::DEFAULT_OVERHEAD;
use crate::units::{Bytes, Lease, Overcommit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use std::collections::BTreeMap;
use std::fmt;

/// The rules that hold for one VM: those of its policy, or the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectivePolicy {
    /// Name of the policy, where there is one.
    pub name: Option<String>,
    /// Sizes outside are refused.
    pub bounds: Range,
    /// Sizes are multiples of it.
    pub step: PartialSize,
    /// Guest memory for each vCPU.
    pub memory_per_vcpu: MemoryRange,
    /// What becomes of a size that needs a restart.
    pub restart: RestartPolicy,
    /// Whether size and running are kept as they are.
    pub protected: bool,
    /// What one commit may change.
    pub budget: Budget,
    /// Rules of one's own.
    pub rules: Vec<PolicyRule>,
    /// Floor and ceiling at boot.
    pub boot: Range,
    /// What the VMM needs beside the guest.
    pub overhead: Bytes,
    /// vCPUs for each requested CPU.
    pub overcommit: Overcommit,
    /// What a step of a shrink has to pass.
    pub shrink_gate: ShrinkGate,
    /// How long a wish without room stands.
    pub lease: Lease,
    /// What a VM gets while it waits for room.
    pub meanwhile: Meanwhile,
}

impl Default for EffectivePolicy {
    fn default() -> Self {
        Self {
            name: None,
            bounds: Range::default(),
            step: PartialSize::default(),
            memory_per_vcpu: MemoryRange::default(),
            restart: RestartPolicy::default(),
            protected: false,
            budget: Budget::default(),
            rules: Vec::new(),
            boot: Range::default(),
            overhead: DEFAULT_OVERHEAD,
            overcommit: Overcommit::NONE,
            shrink_gate: ShrinkGate::default(),
            lease: Lease::USUAL,
            meanwhile: Meanwhile::default(),
        }
    }
}

/// Two policies match one VM and neither is more specific.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyConflict {
    /// Names of the policies, in order.
    pub names: Vec<String>,
}

impl fmt::Display for PolicyConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SizingPolicies {} match this VM with equally specific selectors; give one of them a further label",
            self.names.join(" and ")
        )
    }
}

impl EffectivePolicy {
    /// Finds the policy for a VM with these labels among the policies of its namespace.
    ///
    /// # Errors
    /// When two policies of the same specificity match.
    pub fn select<'a>(
        policies: impl IntoIterator<Item = (&'a str, &'a SizingPolicySpec)>,
        labels: &BTreeMap<String, String>,
    ) -> Result<Self, PolicyConflict> {
        let mut best: Vec<(usize, &str, &SizingPolicySpec)> = Vec::new();
        for (name, spec) in policies {
            let Some(rank) = specificity(spec.selector.as_ref(), labels) else { continue };
            match best.first().map(|(found, ..)| rank.cmp(found)) {
                None | Some(std::cmp::Ordering::Greater) => best = vec![(rank, name, spec)],
                Some(std::cmp::Ordering::Equal) => best.push((rank, name, spec)),
                Some(std::cmp::Ordering::Less) => {}
            }
        }
        match best.as_slice() {
            [] => Ok(Self::default()),
            [(_, name, spec)] => Ok(Self::of(name, spec)),
            several => {
                let mut names: Vec<String> = several.iter().map(|(_, name, _)| (*name).to_owned()).collect();
                names.sort();
                Err(PolicyConflict { names })
            }
        }
    }

    fn of(name: &str, spec: &SizingPolicySpec) -> Self {
        let deferred = spec.deferred.unwrap_or_default();
        Self {
            name: Some(name.to_owned()),
            bounds: spec.bounds.unwrap_or_default(),
            step: spec.step.unwrap_or_default(),
            memory_per_vcpu: spec.memory_per_vcpu.unwrap_or_default(),
            restart: spec.restart.unwrap_or_default(),
            protected: spec.protected.unwrap_or(false),
            budget: spec.budget.unwrap_or_default(),
            rules: spec.rules.clone(),
            boot: spec.boot.unwrap_or_default(),
            overhead: spec.overhead.unwrap_or(DEFAULT_OVERHEAD),
            overcommit: spec.cpu_overcommit.unwrap_or(Overcommit::NONE),
            shrink_gate: spec.shrink.and_then(|shrink| shrink.gate).unwrap_or_default(),
            lease: deferred.lease.unwrap_or_default(),
            meanwhile: if deferred.largest_step == Some(true) { Meanwhile::LargestStep } else { Meanwhile::Nothing },
        }
    }
}

/// How many requirements of the selector these labels fulfil; none when one of them fails.
fn specificity(selector: Option<&LabelSelector>, labels: &BTreeMap<String, String>) -> Option<usize> {
    let Some(selector) = selector else { return Some(0) };
    let pairs = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.iter().flatten();
    let count = selector.match_labels.as_ref().map_or(0, BTreeMap::len)
        + selector.match_expressions.as_ref().map_or(0, Vec::len);
    let fits = pairs.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.into_iter().all(|expression| fulfils(expression, labels));
    fits.then_some(count)
}

fn fulfils(expression: &LabelSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let found = labels.get(&expression.key);
    let values = expression.values.as_deref().unwrap_or_default();
    match expression.operator.as_str() {
        "In" => found.is_some_and(|value| values.contains(value)),
        "NotIn" => found.is_none_or(|value| !values.contains(value)),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        // An operator of a newer Kubernetes: matching nothing is the safe reading.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(labels: &[(&str, &str)]) -> SizingPolicySpec {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        SizingPolicySpec {
            selector: Some(LabelSelector { match_labels: Some(labels), match_expressions: None }),
            ..SizingPolicySpec::default()
        }
    }

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_more_specific_selector_wins() {
        let (all, team, both) =
            (SizingPolicySpec::default(), policy(&[("team", "db")]), policy(&[("team", "db"), ("tier", "gold")]));
        let policies = [("all", &all), ("team", &team), ("both", &both)];
        let gold = EffectivePolicy::select(policies, &labels(&[("team", "db"), ("tier", "gold")])).unwrap();
        assert_eq!(gold.name.as_deref(), Some("both"));
        let web = EffectivePolicy::select(policies, &labels(&[("team", "web")])).unwrap();
        assert_eq!(web.name.as_deref(), Some("all"));
    }

    #[test]
    fn a_tie_is_a_conflict_that_names_both() {
        let (one, two) = (policy(&[("team", "db")]), policy(&[("tier", "gold")]));
        let conflict =
            EffectivePolicy::select([("two", &two), ("one", &one)], &labels(&[("team", "db"), ("tier", "gold")]));
        assert_eq!(conflict, Err(PolicyConflict { names: vec!["one".to_owned(), "two".to_owned()] }));
    }

    #[test]
    fn without_a_policy_the_defaults_hold() {
        assert_eq!(EffectivePolicy::select([], &BTreeMap::new()), Ok(EffectivePolicy::default()));
    }
}
