//! What the policies of VMs forbid: a change that Git states and that is not applied, and a spec that is not taken up.
//!
//! The rules themselves are in the crate `policy`; here they are given what the cluster knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use reef_api::{EffectivePolicy, Reason, Size, VirtualMachine, Vm, VmKey, validate};
use reef_policy::{Asked, Before, Broken, Change, Host, Rulebook, accepted, over_budget};

use super::control::Control;
use super::sources::{Source, Stated};
use super::view::policy_of;
use crate::act::Manifest;
use crate::decide::observed::NodeObserved;
use crate::decide::target::TargetProblem;
use crate::desired::{Desired, DesiredVm};
use crate::observe::{Kind, ObjectKey, Store};

/// What a tip of a source asks for in all, held against the budgets of its VMs' policies.
pub(super) struct Budgeted {
    /// What the tip states.
    desired: Arc<Desired>,
    /// How often a policy had changed by then.
    policies: u64,
    /// Why VMs may not change, for those that may not.
    over: BTreeMap<VmKey, Vec<Broken>>,
}

impl Control {
    /// Why what Git states of a VM must not be applied. What cannot be judged is applied, and judged again by the pipeline.
    pub(super) fn forbidden(&mut self, (kind, key): &Stated, manifest: &Manifest) -> Option<TargetProblem> {
        if *kind != Kind::Vm {
            return None;
        }
        let raw = as_stated(key, manifest)?;
        let policy = policy_of(&self.store, key, &raw).ok()?;
        let vm = validate(&raw, &policy).ok()?;
        let live = self.store.vm(key);
        let node = node_of(&self.store, key);
        let change = Change::between(live.as_deref(), &vm, &raw, host(node.as_ref()));
        let mut broken = Rulebook::of(&policy).judge(&change).broken;
        if change.is_of_size() && policy.budget != reef_api::policy::Budget::default() {
            broken.extend(self.over_budget(manifest, &vm.key));
        }
        let message = sentence(&broken)?;
        let commit = manifest.revision.get(..8).unwrap_or(&manifest.revision);
        let message = format!("commit {commit} ({}) is not applied: {message}", manifest.origin);
        Some(TargetProblem { reason: Reason::Blocked, message })
    }

    /// What of the budgets the whole tip exceeds. Reckoned once for each tip, and anew when a policy changes: what was found stands while it is applied.
    fn over_budget(&mut self, manifest: &Manifest, vm: &VmKey) -> Vec<Broken> {
        let Some((key, source)) = self.sources.about(&vm.namespace).find(|(key, _)| key.to_string() == manifest.source)
        else {
            return Vec::new();
        };
        let stands =
            |known: &&Budgeted| Arc::ptr_eq(&known.desired, &source.desired) && known.policies == self.policies_changed;
        if self.budgeted.get(key).filter(stands).is_none() {
            let over = self.reckon(key, source);
            let budgeted = Budgeted { desired: Arc::clone(&source.desired), policies: self.policies_changed, over };
            self.budgeted.insert(key.clone(), budgeted);
        }
        self.budgeted.get(key).and_then(|known| known.over.get(vm)).cloned().unwrap_or_default()
    }

    /// Holds everything that is to be applied, or was held back, against the budgets: each commit by itself. After a restart of the controller all of it
    /// counts as one.
    fn reckon(&self, name: &ObjectKey, source: &Source) -> BTreeMap<VmKey, Vec<Broken>> {
        let held_back = self.unapplied.iter().filter(|(_, problem)| problem.reason == Reason::Blocked);
        let open = source.pending.iter().chain(held_back.map(|(stated, _)| stated));
        // A cluster that is set up from Git is not held up by the budgets that Git states.
        let status = self.store.sources.get(name).and_then(|source| source.status.as_ref());
        let has_applied = status.is_some_and(|status| status.applied_commit.is_some());
        let mut commits: BTreeMap<Share, Wanted> = BTreeMap::new();
        for (_, key) in open.filter(|(kind, _)| *kind == Kind::Vm) {
            let Some(stated) = source.desired.vms.get(&VmKey::from(key)) else { continue };
            let Some((policy, asked)) = self.asked(key, stated) else { continue };
            if asked.before.is_none() && !has_applied {
                continue;
            }
            let share = (policy.name.clone(), Arc::clone(&stated.revision));
            let wanted = commits.entry(share).or_insert_with(|| Wanted { policy, vms: BTreeMap::new() });
            wanted.vms.insert(VmKey::from(key), asked);
        }
        commits.into_values().flat_map(Wanted::over).collect()
    }

    /// What a VM asks for, and the policy that judges it; nothing where that cannot be told.
    fn asked(&self, key: &ObjectKey, stated: &DesiredVm) -> Option<(EffectivePolicy, Asked)> {
        let raw = stated.vm(&key.namespace)?;
        let policy = policy_of(&self.store, key, &raw).ok()?;
        let asked = Asked {
            vm: key.to_string(),
            before: self.store.vm(key).as_deref().map(accepted),
            after: validate(&raw, &policy).ok()?.size,
            node: node_of(&self.store, key).map(|node| node.name),
        };
        Some((policy, asked))
    }
}

/// The part of a commit that one policy judges: its name, and the commit.
type Share = (Option<String>, Arc<str>);

/// What VMs of one policy ask for together.
struct Wanted {
    policy: EffectivePolicy,
    vms: BTreeMap<VmKey, Asked>,
}

impl Wanted {
    /// What of the budget they exceed, by VM.
    fn over(self) -> BTreeMap<VmKey, Vec<Broken>> {
        let (keys, asked): (Vec<VmKey>, Vec<Asked>) = self.vms.into_iter().unzip();
        let mut found = over_budget(&self.policy, &asked);
        keys.into_iter().filter_map(|key| Some((key.clone(), found.remove(&key.to_string())?))).collect()
    }
}

/// A VM as Git states it.
fn as_stated(key: &ObjectKey, manifest: &Manifest) -> Option<VirtualMachine> {
    let mut raw: VirtualMachine = manifest.stated.read()?;
    raw.metadata.namespace = Some(key.namespace.clone());
    Some(raw)
}

fn host(node: Option<&NodeObserved>) -> Host<'_> {
    node.map_or(Host::None, |node| Host::Node { name: &node.name, cpu: node.cpu, memory: node.memory })
}

/// The node on which a VM's Pod runs.
fn node_of(store: &Store, key: &ObjectKey) -> Option<NodeObserved> {
    let pods = store.pods_of(key).filter_map(|(_, held)| held.object.as_ref().ok()?.observed.as_ref().ok());
    let name = pods.filter(|pod| pod.alive()).find_map(|pod| pod.node.clone())?;
    store.nodes.get(&ObjectKey::new("", name))?.0.clone()
}

/// What of the spec that the cluster has must not be taken up, whoever wrote it. Budgets, which are about commits, are not asked.
pub(super) fn untaken(
    vm: &Vm,
    raw: &VirtualMachine,
    policy: &EffectivePolicy,
    node: Option<&NodeObserved>,
) -> Option<String> {
    let status = raw.status.as_ref();
    // One that waits for its first node was accepted when its Pod was made.
    let placed = status.and_then(|status| status.vm_pod_uid.as_ref()).map(|_| vm.size);
    let promised = status.and_then(|status| status.resize.as_ref()).map(|resize| resize.target).or(placed);
    let before = promised.map_or(Before::New, Before::Had);
    let change = Change { before, stops: false, ..Change::between(Some(raw), vm, raw, host(node)) };
    // Every look at every VM comes by here: rules are read only where there is something to ask them.
    if !change.is_of_size() {
        return None;
    }
    sentence(&Rulebook::of(policy).judge(&change).broken)
}

fn sentence(broken: &[Broken]) -> Option<String> {
    (!broken.is_empty()).then(|| broken.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// The same VM with another size.
pub(super) fn with_size(raw: &VirtualMachine, size: Size) -> VirtualMachine {
    let mut vm = raw.clone();
    let cpu = vm.spec.instance.cpu.get_or_insert_default();
    cpu.sockets = Some(1);
    cpu.cores_per_socket = i32::try_from(size.vcpus.0).ok();
    vm.spec.instance.memory.get_or_insert_default().size = Some(size.memory);
    vm
}
