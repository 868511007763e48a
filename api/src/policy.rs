//! SizingPolicy: what a namespace allows its VMs, and how the policy for one VM is found.
//!
//! Only fields that work are in the schema. Selection is pure; which policies exist is told by the caller.

#![allow(clippy::duplicated_attributes, reason = "each printer column repeats the same attribute names")]

use crate::size::DEFAULT_OVERHEAD;
use crate::units::{Bytes, Lease, Overcommit, Vcpus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Sizing rules for the VMs of one namespace that the selector matches.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "reef.dev",
    version = "v1alpha1",
    kind = "SizingPolicy",
    namespaced,
    shortname = "szp",
    category = "reef",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Overhead", type_ = "string", json_path = ".spec.overhead"),
    printcolumn(name = "Overcommit", type_ = "string", json_path = ".spec.cpuOvercommit"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(status = "SizingPolicyStatus")]
#[serde(rename_all = "camelCase")]
pub struct SizingPolicySpec {
    /// VMs that the policy is for, by label. Absent or empty: all of the namespace. The more specific selector wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// Sizes outside these bounds are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Range>,
    /// Floor and ceiling that a VM boots with where its own spec names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Range>,
    /// What the VMM needs beside the guest. 256Mi when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overhead: Option<Bytes>,
    /// vCPUs for each CPU that the Pod requests, at least 1. 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_overcommit: Option<Overcommit>,
    /// How memory is asked back from a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shrink: Option<ShrinkPolicy>,
    /// What becomes of a growth that the node has no room for at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<DeferredPolicy>,
}

/// How memory is asked back from a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShrinkPolicy {
    /// Whether a step waits until what the guest uses fits below it. `Guard` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<ShrinkGate>,
}

/// What a step of a shrink has to pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ShrinkGate {
    /// What the guest uses, and a margin, has to fit below the step; otherwise the shrink waits.
    #[default]
    Guard,
    /// The guest is asked whatever it uses. It may end processes of its own to follow.
    Press,
}

impl ShrinkGate {
    /// Whether it is the one that holds where nothing is stated.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a growth that the node has no room for at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeferredPolicy {
    /// How long the wish stands and counts against the node, before it is taken back and waits for room. From `30s` to `24h`; `10m` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Whether the VM meanwhile gets as much of it as the node has room for. It does not when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_step: Option<bool>,
}

/// What a VM gets while its node has no room for the whole of a growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meanwhile {
    /// What it had.
    #[default]
    Nothing,
    /// As much as there is room for.
    LargestStep,
}

/// Status of a policy; empty so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SizingPolicyStatus {}

/// A lower and an upper size; each value is optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// Lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<PartialSize>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<PartialSize>,
}

/// A size in which each value is optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartialSize {
    /// vCPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<Vcpus>,
    /// Guest memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
}

/// The rules that hold for one VM: those of its policy, or the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectivePolicy {
    /// Name of the policy, where there is one.
    pub name: Option<String>,
    /// Sizes outside are refused.
    pub bounds: Range,
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
