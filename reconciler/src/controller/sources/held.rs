//! One source as the loop holds it, and all of them in the order of their keys. No calls, no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reef_api::source::{GitSourceStatus, SourcePlan};
use reef_api::{Reason, Suspended, VmKey};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fetch::Tip;
use super::statement::Statement;
use super::trouble::Trouble;
use crate::decide::target::TargetProblem;
use crate::desired::{self, Desired, Grants, ObjectName, ParseCache};
use crate::observe::{Kind, ObjectKey};
use crate::source::{Location, Snapshot};

/// How long the VMs of a namespace wait for a policy: one that cannot be applied must not leave a VM down that has failed.
const POLICY_PATIENCE: Duration = Duration::from_secs(30);

/// An object that Git states.
pub(in crate::controller) type Stated = (Kind, ObjectKey);

/// One source.
pub(in crate::controller) struct Source {
    /// UID of the GitSource; another one is another source.
    pub(in crate::controller) uid: String,
    /// Generation of the spec that was fetched by last.
    pub(in crate::controller) generation: i64,
    /// The last tip that could be read.
    pub(in crate::controller) snapshot: Option<Arc<Snapshot>>,
    /// What it asks for.
    pub(in crate::controller) desired: Arc<Desired>,
    /// What its account may write outside its namespace, as far as the tip states it.
    pub(in crate::controller) grants: Grants,
    /// What was read of its files; lent to a fetch that is under way.
    pub(in crate::controller) cache: ParseCache,
    /// Why the last fetch failed.
    pub(in crate::controller) trouble: Option<Trouble>,
    /// Whether a fetch has ended since the start.
    pub(in crate::controller) fetched: bool,
    /// When to fetch next.
    pub(in crate::controller) next_fetch: Instant,
    /// Whether the repository changed while a fetch was under way.
    pub(in crate::controller) again: bool,
    /// When a fetch was begun last.
    pub(in crate::controller) begun: Option<Instant>,
    /// The request for a reconcile that the fetch under way answers.
    pub(in crate::controller) handling: Option<String>,
    /// The request for a reconcile that was answered last.
    pub(in crate::controller) handled: Option<String>,
    /// What the tip states and has not been compared with the cluster, or applied, yet.
    pub(in crate::controller) pending: BTreeSet<Stated>,
    /// What the tip before stated and this one does not.
    pub(in crate::controller) given_up: BTreeSet<Stated>,
    /// Since when something is pending.
    pub(in crate::controller) pending_since: Option<Instant>,
    /// Since when a policy is among it.
    pub(in crate::controller) policies_since: Option<Instant>,
    /// Whether what it states is applied.
    pub(in crate::controller) applies: bool,
    /// What its tip would change, where it only reads.
    pub(in crate::controller) plan: Option<SourcePlan>,
    /// Whether that could not be told, and a fetch has ended since.
    pub(in crate::controller) plan_again: bool,
    /// Who has suspended it, while somebody has.
    pub(in crate::controller) suspended: Option<Suspended>,
    /// Where changes are listened for, and how to stop that.
    pub(in crate::controller) listening: Option<(Location, CancellationToken)>,
}

impl Source {
    /// A source that is to be fetched now. What it had before a restart is known from what it has applied.
    pub(in crate::controller) fn new(uid: String, applied: Desired, status: &GitSourceStatus, now: Instant) -> Self {
        Self {
            uid,
            generation: 0,
            snapshot: None,
            desired: Arc::new(applied),
            grants: Grants::default(),
            cache: ParseCache::default(),
            trouble: None,
            fetched: false,
            next_fetch: now,
            again: false,
            begun: None,
            handling: None,
            handled: status.last_handled_reconcile_at.clone(),
            pending: BTreeSet::new(),
            given_up: BTreeSet::new(),
            pending_since: None,
            policies_since: None,
            applies: true,
            plan: status.plan.clone(),
            plan_again: false,
            suspended: None,
            listening: None,
        }
    }

    /// Takes over what a tip asks for. Everything that is not the same as before is pending.
    pub(in crate::controller) fn adopt(&mut self, snapshot: Arc<Snapshot>, desired: Arc<Desired>, now: Instant) {
        let stated_before: Vec<Stated> = self.stated().collect();
        let before = std::mem::replace(&mut self.desired, desired);
        self.snapshot = Some(snapshot);
        if !self.applies {
            return;
        }
        let stated: BTreeSet<Stated> = self.stated().collect();
        self.given_up = stated_before.into_iter().filter(|before| !stated.contains(before)).collect();
        self.pending.retain(|pending| stated.contains(pending));
        let vms = changed(&before.vms, &self.desired.vms).map(|key| (Kind::Vm, ObjectKey::from(key)));
        let policies =
            changed(&before.policies, &self.desired.policies).map(|key| (Kind::Policy, ObjectKey::from(key)));
        let changed: Vec<Stated> = vms.chain(policies).collect();
        self.pending.extend(changed);
        if !self.pending.is_empty() && self.pending_since.is_none() {
            self.pending_since = Some(now);
        }
        self.policies_since = self.policies_since.or(Some(now)).filter(|_| self.policies_pending());
    }

    /// Takes in whether what it states is applied, and tells whether that is news. What it states is pending from the moment in which it begins to be.
    pub(in crate::controller) fn apply(&mut self, applies: bool, now: Instant) -> bool {
        if self.applies == applies {
            return false;
        }
        self.applies = applies;
        self.pending = if applies && self.snapshot.is_some() { self.stated().collect() } else { BTreeSet::new() };
        self.given_up.clear();
        self.pending_since = Some(now).filter(|_| !self.pending.is_empty());
        self.policies_since = Some(now).filter(|_| self.policies_pending());
        true
    }

    /// Takes in whether it is suspended. What has waited meanwhile begins to be applied when it no longer is.
    pub(in crate::controller) fn suspend(&mut self, suspended: Option<Suspended>, now: Instant) {
        self.suspended = suspended;
        self.pending_since = Some(now).filter(|_| !self.pending.is_empty());
        self.policies_since = Some(now).filter(|_| self.policies_pending());
    }

    /// Whether its account may write in a namespace that is not its own.
    fn goes_to(&self, namespace: &str) -> bool {
        self.grants.allowed.iter().any(|(_, allowed)| allowed == namespace)
    }

    fn policies_pending(&self) -> bool {
        let first = (Kind::Policy, ObjectKey::new("", ""));
        self.pending.range(first..).next().is_some_and(|(kind, _)| *kind == Kind::Policy)
    }

    /// Whether a policy of this namespace is among what is pending.
    fn policies_pending_in(&self, namespace: &str) -> bool {
        let first = (Kind::Policy, ObjectKey::new(namespace, ""));
        let next = self.pending.range(first..).next();
        next.is_some_and(|(kind, key)| *kind == Kind::Policy && key.namespace == namespace)
    }

    /// Everything that the tip states.
    pub(in crate::controller) fn stated(&self) -> impl Iterator<Item = Stated> + '_ {
        let vms = self.desired.vms.keys().map(|key| (Kind::Vm, ObjectKey::from(key)));
        vms.chain(self.desired.policies.keys().map(|key| (Kind::Policy, ObjectKey::from(key))))
    }

    /// An object agrees, was applied, or cannot be.
    pub(in crate::controller) fn settle(&mut self, stated: &Stated) -> bool {
        let settled = self.pending.remove(stated) && self.pending.is_empty();
        if self.pending.is_empty() {
            self.pending_since = None;
        }
        self.policies_since = self.policies_since.filter(|_| self.policies_pending());
        settled
    }

    /// What it states of an object that is to be applied.
    fn statement<'a>(&'a self, source: &'a ObjectKey, (kind, key): &Stated) -> Option<Statement<'a>> {
        if !self.applies {
            return None;
        }
        let key = VmKey::from(key);
        match kind {
            Kind::Vm => self.desired.vms.get(&key).map(|vm| Statement {
                source,
                manifest: &vm.manifest,
                origin: &vm.origin,
                revision: &vm.revision,
            }),
            Kind::Policy => self.desired.policies.get(&key).map(|policy| Statement {
                source,
                manifest: &policy.manifest,
                origin: &policy.origin,
                revision: &policy.revision,
            }),
            Kind::Pod | Kind::Node | Kind::Source | Kind::Check => None,
        }
    }

    /// What is wrong with the document of a VM in the tip.
    fn complaint(&self, key: &ObjectKey) -> Option<TargetProblem> {
        if !self.applies {
            return None;
        }
        let about = |object: &ObjectName| {
            object.kind == desired::Kind::VirtualMachine && object.namespace == key.namespace && object.name == key.name
        };
        let problem = self.desired.problems.iter().find(|problem| problem.object.as_ref().is_some_and(about))?;
        let message = format!("{}: {}; the last good state stays", problem.origin, problem.message);
        Some(TargetProblem { reason: Reason::Problems, message })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some((_, token)) = &self.listening {
            token.cancel();
        }
    }
}

fn changed<'a, T>(
    before: &'a BTreeMap<VmKey, Arc<T>>,
    after: &'a BTreeMap<VmKey, Arc<T>>,
) -> impl Iterator<Item = &'a VmKey> {
    let same = |key: &VmKey, entry: &Arc<T>| before.get(key).is_some_and(|before| Arc::ptr_eq(before, entry));
    after.iter().filter(move |(key, entry)| !same(key, entry)).map(|(key, _)| key)
}

/// All sources.
#[derive(Default)]
pub(in crate::controller) struct Sources {
    by_key: BTreeMap<ObjectKey, Source>,
    /// Those that may state objects of other namespaces.
    abroad: BTreeSet<ObjectKey>,
}

impl Sources {
    pub(in crate::controller) fn get(&self, key: &ObjectKey) -> Option<&Source> {
        self.by_key.get(key)
    }

    pub(in crate::controller) fn get_mut(&mut self, key: &ObjectKey) -> Option<&mut Source> {
        self.by_key.get_mut(key)
    }

    pub(in crate::controller) fn all(&self) -> impl Iterator<Item = &Source> {
        self.by_key.values()
    }

    pub(in crate::controller) fn insert(&mut self, key: ObjectKey, source: Source) {
        self.abroad.remove(&key);
        self.by_key.insert(key, source);
    }

    pub(in crate::controller) fn remove(&mut self, key: &ObjectKey) -> Option<Source> {
        self.abroad.remove(key);
        self.by_key.remove(key)
    }

    /// Takes over what the tip of a source asks for.
    pub(in crate::controller) fn adopt(&mut self, key: &ObjectKey, tip: Tip, now: Instant) {
        let Some(source) = self.by_key.get_mut(key) else { return };
        source.grants = tip.grants;
        source.adopt(tip.snapshot, tip.desired, now);
        if !source.grants.allowed.is_empty() {
            self.abroad.insert(key.clone());
        } else {
            self.abroad.remove(key);
        }
    }

    /// The sources that may state objects of a namespace: its own, and those of others whose account may write there.
    pub(in crate::controller) fn about<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Source)> {
        let from = ObjectKey::new(namespace, "");
        let own = self.by_key.range(from..).take_while(move |(key, _)| key.namespace == namespace);
        let others = self.abroad.iter().filter(move |key| key.namespace != namespace);
        let others = others.filter_map(|key| self.by_key.get_key_value(key));
        own.chain(others.filter(move |(_, source)| source.goes_to(namespace)))
    }

    /// Whether nobody else may state what a source states.
    pub(in crate::controller) fn alone(&self, key: &ObjectKey) -> bool {
        !self.abroad.contains(key) && self.about(&key.namespace).count() == 1
    }

    /// Everybody who states an object.
    pub(in crate::controller) fn statements<'a>(&'a self, stated: &'a Stated) -> Vec<Statement<'a>> {
        let sources = self.about(&stated.1.namespace);
        sources.filter_map(|(key, source)| source.statement(key, stated)).collect()
    }

    /// Whether a policy of a namespace is still to be applied, and has not been for too long.
    pub(in crate::controller) fn policies_pending(&self, namespace: &str, now: Instant) -> bool {
        let waits = |since: Instant| now < since + POLICY_PATIENCE;
        let mut going = self.about(namespace).filter(|(_, source)| source.suspended.is_none());
        going.any(|(_, source)| source.policies_since.is_some_and(waits) && source.policies_pending_in(namespace))
    }

    /// What is wrong with the documents of a VM.
    pub(in crate::controller) fn complaint(&self, key: &ObjectKey) -> Option<TargetProblem> {
        self.about(&key.namespace).find_map(|(_, source)| source.complaint(key))
    }

    /// Marks an object as dealt with, and names the sources of which nothing is pending any more.
    pub(in crate::controller) fn settle(&mut self, stated: &Stated) -> Vec<ObjectKey> {
        let concerned: Vec<ObjectKey> = self.about(&stated.1.namespace).map(|(key, _)| key.clone()).collect();
        let settled = |key: &ObjectKey| self.by_key.get_mut(key).is_some_and(|source| source.settle(stated));
        concerned.into_iter().filter(settled).collect()
    }
}
