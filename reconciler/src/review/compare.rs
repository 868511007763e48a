//! Two states of a repository beside each other: which VMs differ, in which fields, and what a plan has to judge about them.
//!
//! Pure. The policies of the base decide; what those of the head would say otherwise is told beside it.

use std::collections::{BTreeMap, BTreeSet};

use reef_api::facts::PolicyFacts;
use reef_api::plan::PolicyEffect;
use reef_api::{
    EffectivePolicy, PolicyConflict, SizingPolicySpec, Violation, VirtualMachine, Vm, VmKey, defaulted, validate,
};
use reef_policy::{Before, Change, Host, Rulebooks};
use serde_json::Value;

use super::place;
use crate::decide::plan::{FieldChange, Subject, Wanted};
use crate::decide::target::Placement;
use crate::desired::{Desired, DesiredVm, Kind, PolicyKey};

/// The policies that hold in one state, by namespace and name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies(BTreeMap<PolicyKey, SizingPolicySpec>);

impl Policies {
    /// Those of the cluster, with those that a state of the repository states in their place.
    pub fn of(cluster: &[PolicyFacts], stated: &Desired) -> Self {
        let there = cluster.iter().map(|policy| (VmKey::new(&policy.namespace, &policy.name), policy.spec.clone()));
        let stated = stated.policies.iter().map(|(key, policy)| (key.clone(), policy.spec.clone()));
        Self(there.chain(stated).collect())
    }

    /// Finds the policy for a VM.
    ///
    /// # Errors
    /// When two policies of the same specificity match.
    pub fn select(&self, vm: &VirtualMachine) -> Result<EffectivePolicy, PolicyConflict> {
        let (namespace, none) = (vm.metadata.namespace.as_deref().unwrap_or_default(), BTreeMap::new());
        let own = self.0.range(VmKey::new(namespace, "")..).take_while(|(key, _)| key.namespace == namespace);
        let own = own.map(|(key, spec)| (key.name.as_str(), spec));
        EffectivePolicy::select(own, vm.metadata.labels.as_ref().unwrap_or(&none))
    }
}

/// What a plan is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// The VMs that differ, by namespace and name.
    pub subjects: Vec<Subject>,
    /// What the policies of the head would say otherwise.
    pub policies: Vec<PolicyEffect>,
}

/// Compares two states. `source` is the GitSource that applies them, where that is known.
pub fn compare(base: &Desired, head: &Desired, cluster: &[PolicyFacts], source: Option<&str>) -> Compared {
    let (before, after) = (Policies::of(cluster, base), Policies::of(cluster, head));
    let stated = head.vms.iter().filter_map(|(key, vm)| {
        let old = base.vms.get(key);
        let same = old.is_some_and(|old| old.manifest == vm.manifest && old.origin.file == vm.origin.file);
        if same { None } else { subject(key, old.map(AsRef::as_ref), vm, &before, source) }
    });
    let gone = head.removed().filter(|(name, _)| name.kind == Kind::VirtualMachine);
    let gone = gone.filter_map(|(name, _)| removed(&name.key(), base.vms.get(&name.key())?, &before));
    let mut subjects: Vec<Subject> = stated.chain(gone).collect();
    subjects.sort_by(|one, other| one.key.cmp(&other.key));
    let policies = if before == after { Vec::new() } else { effects(head, &before, &after) };
    Compared { subjects, policies }
}

fn subject(
    key: &VmKey,
    old: Option<&DesiredVm>,
    vm: &DesiredVm,
    policies: &Policies,
    source: Option<&str>,
) -> Option<Subject> {
    let raw = vm.vm(&key.namespace)?;
    let selected = policies.select(&raw);
    let policy = selected.clone().unwrap_or_default();
    let wanted = match selected {
        Err(conflict) => Wanted::Conflict(conflict),
        Ok(policy) => match validate(&raw, &policy) {
            Ok(vm) => Wanted::Stated(Box::new(vm)),
            Err(violations) => Wanted::Invalid(defaulted(&raw, &policy).size, violations),
        },
    };
    let before = old.and_then(|old| effective(key, old, policies));
    let resized = before.as_ref().map(|before| before.size) != wanted.size();
    let spec = &raw.spec;
    Some(Subject {
        key: key.clone(),
        fields: old.map(|old| fields(&old.manifest.value(), &vm.manifest.value(), resized)).unwrap_or_default(),
        before,
        wanted,
        labels: raw.metadata.labels.clone().unwrap_or_default(),
        policy,
        source: source.map(str::to_owned),
        place: Some(place(&vm.origin)),
        moved_from: old.filter(|old| old.origin.file != vm.origin.file).map(|old| old.origin.file.to_string()),
        placement: Placement {
            image: String::new(),
            devices: BTreeSet::new(),
            node_selector: spec.node_selector.clone(),
            affinity: spec.affinity.clone(),
            tolerations: spec.tolerations.clone(),
        },
    })
}

fn removed(key: &VmKey, old: &DesiredVm, policies: &Policies) -> Option<Subject> {
    Some(Subject {
        key: key.clone(),
        before: Some(effective(key, old, policies)?),
        wanted: Wanted::Nothing,
        labels: BTreeMap::new(),
        policy: EffectivePolicy::default(),
        fields: Vec::new(),
        source: None,
        place: Some(place(&old.origin)),
        moved_from: None,
        placement: Placement::default(),
    })
}

/// A VM of the base with everything filled in, whether it is valid or not.
fn effective(key: &VmKey, vm: &DesiredVm, policies: &Policies) -> Option<Vm> {
    let raw = vm.vm(&key.namespace)?;
    Some(defaulted(&raw, &policies.select(&raw).unwrap_or_default()))
}

/// Fields that make up the size: told by the size itself where that differs.
const SIZE_FIELDS: [&str; 3] =
    ["spec.instance.cpu.sockets", "spec.instance.cpu.coresPerSocket", "spec.instance.memory.size"];

fn fields(before: &Value, after: &Value, resized: bool) -> Vec<FieldChange> {
    let mut paths = BTreeSet::new();
    for part in ["metadata.labels", "metadata.annotations", "spec"] {
        let pointer = format!("/{}", part.replace('.', "/"));
        differing(part, before.pointer(&pointer), after.pointer(&pointer), &mut paths);
    }
    let told = paths.into_iter().filter(|path| !resized || !SIZE_FIELDS.contains(&path.as_str()));
    told.map(FieldChange::of).collect()
}

/// Paths at which two values differ; lists are compared as a whole.
fn differing(path: &str, before: Option<&Value>, after: Option<&Value>, paths: &mut BTreeSet<String>) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                differing(&format!("{path}.{name}"), before.get(name), after.get(name), paths);
            }
        }
        // An object that appears or goes is told by its fields.
        (None, Some(Value::Object(fields))) | (Some(Value::Object(fields)), None) if !fields.is_empty() => {
            for (name, value) in fields {
                let (old, new) = if before.is_some() { (Some(value), None) } else { (None, Some(value)) };
                differing(&format!("{path}.{name}"), old, new, paths);
            }
        }
        (before, after) if before != after => drop(paths.insert(path.to_owned())),
        _ => {}
    }
}

/// What the policies of the head would say of the head's VMs, where that is not what those of the base say.
fn effects(head: &Desired, before: &Policies, after: &Policies) -> Vec<PolicyEffect> {
    let (mut old, mut new) = (Judge::of(before), Judge::of(after));
    let effects = head.vms.iter().filter_map(|(key, vm)| {
        let raw = vm.vm(&key.namespace)?;
        let message = match (old.verdict(&raw), new.verdict(&raw)) {
            (Ok(old), Ok(new)) => altered(&old, &new)?,
            (Ok(_), Err(why)) => format!("would be blocked: {}", sentence(&why)),
            (Err(_), Ok(_)) => "would no longer be blocked".to_owned(),
            (Err(old), Err(new)) if old != new => format!("would be blocked for another reason: {}", sentence(&new)),
            (Err(_), Err(_)) => return None,
        };
        Some(PolicyEffect { namespace: key.namespace.clone(), name: key.name.clone(), message })
    });
    effects.collect()
}

fn sentence(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Policies that are asked about VMs as they stand, and not about a change.
pub(super) struct Judge<'p> {
    policies: &'p Policies,
    rulebooks: Rulebooks,
}

impl<'p> Judge<'p> {
    pub(super) fn of(policies: &'p Policies) -> Self {
        Self { policies, rulebooks: Rulebooks::default() }
    }

    /// The VM with everything filled in.
    ///
    /// # Errors
    /// What is wrong with it, and what of its policy its size breaks, whatever it had before.
    pub(super) fn verdict(&mut self, raw: &VirtualMachine) -> Result<Vm, Vec<Violation>> {
        let policy = self.policies.select(raw).map_err(|conflict| vec![claimed(&conflict)])?;
        let vm = validate(raw, &policy)?;
        let (none, host) = (BTreeMap::new(), Host::Unknown);
        let labels = raw.metadata.labels.as_ref().unwrap_or(&none);
        let change = Change { before: Before::Unknown, after: &vm, labels, stops: false, restart: false, host };
        let broken = self.rulebooks.of(&vm.key.namespace, &policy).judge(&change).broken;
        if broken.is_empty() { Ok(vm) } else { Err(broken.into_iter().map(|broken| broken.violation).collect()) }
    }
}

/// Two policies claim a VM, which is its labels' doing.
fn claimed(conflict: &PolicyConflict) -> Violation {
    let names = conflict.names.join(" and ");
    Violation {
        path: "metadata.labels",
        found: format!("matched by SizingPolicies {names}"),
        limit: "with equally specific selectors only one may match".to_owned(),
        remedy: "give one of them a further label".to_owned(),
    }
}

/// What of a VM that stays allowed is another thing under the new policies.
fn altered(old: &Vm, new: &Vm) -> Option<String> {
    let (pod, other) = (old.pod_size(old.size), new.pod_size(new.size));
    let mut parts = Vec::new();
    if pod != other {
        parts.push(format!("its Pod would be {other} instead of {pod}"));
    }
    if (old.floor, old.ceiling) != (new.floor, new.ceiling) {
        parts.push(format!("it would boot to be resized between {} and {}", new.floor, new.ceiling));
    }
    if old.shrink_gate != new.shrink_gate {
        parts.push(format!("its shrink gate would be {:?}", new.shrink_gate));
    }
    if old.lease != new.lease {
        parts.push(format!("a wish without room would stand for {}", new.lease));
    }
    if old.meanwhile != new.meanwhile {
        parts.push("what it gets while it waits for room would be another thing".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
