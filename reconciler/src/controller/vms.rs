//! One look at one VM: what is in doubt is read again, what Git states is applied, then the pipeline is asked and its action sent out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use jiff::Timestamp;
use reef_api::VmKey;
use tokio::time::Instant;
use tracing::Instrument;

use super::backoff::Budget;
use super::control::Control;
use super::stated::Begun;
use super::suspects::Hold;
use super::task::{Acted, Read, Report, Task};
use super::view::{Beside, Commit, View, view};
use crate::act::{self, Caller, VmRef};
use crate::decide::action::{Action, Step};
use crate::decide::{grant, pipeline, refused};
use crate::observe::{Kind, ObjectKey, Store};

/// A VM is looked at as soon as the policies beside it are applied; this is for those that never will be.
const POLICY_PAUSE: Duration = Duration::from_secs(1);

impl Control {
    pub(super) fn pass_vm(&mut self, key: &ObjectKey, now: Instant) {
        self.seams.metrics.passes.inc();
        let audited = self.is_audited(key, now);
        let doubts = self.store.doubts_about(key);
        if !doubts.is_empty() {
            return self.reread(Task::Vm(key.clone()), &doubts);
        }
        // A policy of the same commit says how a VM boots.
        if self.sources.policies_pending(&key.namespace, now) {
            return self.look_later(Task::Vm(key.clone()), POLICY_PAUSE);
        }
        if self.apply_stated(Task::Vm(key.clone()), (Kind::Vm, key.clone()), now) == Begun::Yes {
            if audited {
                self.missed(key);
            }
            return;
        }
        let Some(commit) = self.commit_of(key, now) else { return };
        let Some(view) = self.view_of(key, commit, now) else { return self.forget(key, now) };
        let at = self.seams.clock.now();
        match self.decide(key, &view, at) {
            Some(step) => {
                self.count_vm(key, &view, &step, (now, at));
                let _entered = span(key, &view).entered();
                if audited && step.action != Action::Rest {
                    self.missed(key);
                }
                self.take_step(key, &view, step, now);
            }
            None => {
                self.rest(&Task::Vm(key.clone()));
            }
        }
    }

    /// Reads objects again whose state is in doubt.
    pub(super) fn reread(&mut self, task: Task, doubts: &[(Kind, ObjectKey)]) {
        let caller = self.caller.clone();
        let asked: Vec<_> =
            doubts.iter().map(|(kind, key)| (*kind, key.clone(), self.store.version(*kind, key))).collect();
        self.jobs.start(task, async move {
            let mut reads = Vec::new();
            for (kind, key, before) in asked {
                let outcome = caller.call(&act::get(kind, &key)).await;
                reads.push(Read { kind, key, before, outcome });
            }
            Report::Reread(reads)
        });
    }

    fn view_of(&mut self, key: &ObjectKey, commit: Commit, now: Instant) -> Option<View> {
        let unapplied = self.unapplied.get(&(Kind::Vm, key.clone())).cloned();
        let unapplied = unapplied.or_else(|| self.sources.complaint(key));
        let mut found = view(&self.store, key, Beside { unapplied, refusal: None, commit }, &self.settings)?;
        self.hold_suspended(key, &mut found, now);
        self.heed_retry(key, found.target.asked.retry.as_ref());
        let observed = &found.observed;
        let pod = observed.pod().map(|pod| pod.uid.clone()).unwrap_or_default();
        let refused = observed.status.resize.as_ref().and_then(|resize| resize.refused.as_ref());
        let in_status = refused.is_some_and(|known| known.generation == observed.generation && refused::holds(known));
        self.refusals.review(key, observed.generation, &pod, in_status);
        if let Some((refusal, until)) = self.refusals.of(key, now) {
            found.observed.refusal = Some(refusal);
            self.queue.at(Task::Vm(key.clone()), until);
        }
        if let Some((contest, until)) = self.contests.review(key, &found.observed, writer(&self.store, key, &pod), now)
        {
            found.observed.contest = Some(contest);
            self.queue.at(Task::Vm(key.clone()), until);
        }
        self.see_pod(key, &mut found);
        self.see_neighbours(key, &mut found);
        Some(found)
    }

    /// Whoever asks for another try wants nothing held against the VM that is remembered in memory alone.
    fn heed_retry(&mut self, key: &ObjectKey, asked: Option<&String>) {
        if self.retried.get(key) == asked {
            return;
        }
        match asked {
            Some(asked) => self.retried.insert(key.clone(), asked.clone()),
            None => self.retried.remove(key),
        };
        self.refusals.forget(key);
        self.contests.forget(key);
        if self.attempts.remove(&(Kind::Vm, key.clone())).is_some() {
            self.look_at(Task::Vm(key.clone()));
        }
    }

    /// Adds how often the numbers of the VM's Pod were read.
    fn see_pod(&mut self, key: &ObjectKey, view: &mut View) {
        for pod in &mut view.observed.pods {
            pod.reads = self.sightings.reads(key, pod);
        }
    }

    /// Adds the VMs of its node where that matters, and wakes those of them that wait for what this one takes.
    fn see_neighbours(&mut self, key: &ObjectKey, view: &mut View) {
        let observed = &view.observed;
        let pod = observed.pod().filter(|pod| pod.alive());
        let place = pod.and_then(|pod| Some((pod.node.clone()?, pod.claim())));
        let waiter = refused::waiter(&view.target, observed, self.seams.clock.now());
        let waits = waiter.is_some() || pod.is_some_and(|pod| pod.pending.is_some());
        let node = place.as_ref().map(|(node, _)| node.clone());
        for woken in self.neighbours.note(key, place, waiter) {
            self.look_at(Task::Vm(woken));
        }
        view.observed.neighbourhood = node.filter(|_| waits).map(|node| self.neighbours.of(&node, &self.store));
    }

    /// Reads the VM's Pod again, or sees to it that this is done a moment later.
    fn read_again(&mut self, key: &ObjectKey, view: &View, name: &str, now: Instant) {
        let Some(pod) = view.observed.pods.iter().find(|pod| pod.name == name) else { return };
        let at = self.sightings.begin(key, pod, now);
        if at > now {
            return self.queue.at(Task::Vm(key.clone()), at);
        }
        let pod = (Kind::Pod, ObjectKey::new(key.namespace.as_str(), name));
        self.reread(Task::Vm(key.clone()), &[pod]);
    }

    /// Asks the pipeline. A panic in it is this VM's alone.
    fn decide(&self, key: &ObjectKey, view: &View, now: Timestamp) -> Option<Step> {
        let decided = catch_unwind(AssertUnwindSafe(|| pipeline::next(&view.target, &view.observed, now)));
        if decided.is_err() {
            self.seams.metrics.panics.inc();
            tracing::error!(vm = %key, "deciding about a VM ended in a panic; the VM is left alone for a while");
        }
        decided.ok()
    }

    fn take_step(&mut self, key: &ObjectKey, view: &View, step: Step, now: Instant) {
        self.tell_waiting(key, &step);
        let task = Task::Vm(key.clone());
        if let Some(after) = step.look_again {
            self.look_later(task.clone(), after);
        }
        match &step.action {
            Action::Rest => return self.backoffs.succeeded(&task),
            Action::ReadPod { name } => return self.read_again(key, view, name, now),
            Action::CreatePod(_) | Action::DeletePod { .. } | Action::ResizePod { .. } | Action::WriteStatus { .. } => {
            }
        }
        match self.hold(key, view, &step.action, now) {
            Hold::Free => {}
            Hold::Until(until) => return self.queue.at(task, until),
            Hold::Read((kind, object)) => {
                self.store.own(kind, &object);
                self.store.doubt(kind, &object);
                return self.reread(task, &[(kind, object)]);
            }
        }
        let budget = self.budgets.entry(key.clone()).or_insert_with(|| Budget::new(now));
        if let Err(until) = budget.spend(now) {
            if budget.tell() {
                tracing::warn!(vm = %key, "a VM is written to again and again, as if another hand undid it; slowing down");
            }
            self.resting.insert(task.clone(), until);
            return self.queue.at(task, until);
        }
        let vm = VmRef {
            key: VmKey::from(key),
            uid: view.observed.uid.clone(),
            resource_version: view.observed.resource_version.clone(),
        };
        let generation = view.observed.generation;
        let work = work(self.caller.clone(), vm, step.action, generation);
        self.jobs.start(task, work.instrument(span(key, view)));
    }

    /// What holds an action up: a write of ours or of another process that may still arrive.
    fn hold(&mut self, key: &ObjectKey, view: &View, action: &Action, now: Instant) -> Hold {
        let object = written(key, action);
        let own = self.suspects.holds(key, &object, |(kind, key)| self.store.version(*kind, key), now);
        if let (Hold::Free, Action::CreatePod(_)) = (&own, action) {
            let last = view.observed.status.vm_pod_name.as_ref().map(|last| pod_of(key, last).1);
            return self.suspects.holds_creation(key, &object.1, last, now);
        }
        let relied = relied_on(key, view, action).filter(|(kind, object)| self.store.inherited(*kind, object));
        match (own, relied) {
            (Hold::Free, Some(relied)) => self.suspects.inherited(relied, now),
            (own, _) => own,
        }
    }

    fn tell_waiting(&mut self, key: &ObjectKey, step: &Step) {
        let before = self.waiting.get(key).copied();
        if before == step.waiting_on {
            return;
        }
        match step.waiting_on {
            Some(reason) => {
                tracing::info!(vm = %key, %reason, "a VM waits");
                self.waiting.insert(key.clone(), reason);
            }
            None => {
                self.sightings.forget(key);
                tracing::info!(vm = %key, "a VM is as its spec says");
                self.waiting.remove(key);
            }
        }
    }

    /// A VM that is not there, or cannot be read, leaves nothing behind, once no Pod of it can come any more.
    fn forget(&mut self, key: &ObjectKey, now: Instant) {
        let task = Task::Vm(key.clone());
        match self.suspects.forget(key, now) {
            Hold::Free => self.backoffs.succeeded(&task),
            Hold::Until(until) => self.queue.at(task, until),
            Hold::Read(object) => self.reread(task, &[object]),
        }
        self.retried.remove(key);
        self.refusals.forget(key);
        self.applications.forget(key);
        self.contests.forget(key);
        self.sightings.forget(key);
        for woken in self.neighbours.note(key, None, None) {
            self.look_at(Task::Vm(woken));
        }
        self.uncount_vm(key);
        self.budgets.remove(key);
        self.waiting.remove(key);
    }
}

/// What each line about a look and its action names: the VM, and the commit that its target is of.
fn span(key: &ObjectKey, view: &View) -> tracing::Span {
    let revision = view.target.revision.as_deref();
    tracing::info_span!("resize", vm = %key, revision, generation = view.target.generation)
}

/// Who else than Reef resized a Pod of the VM last, where the Pod tells.
fn writer<'a>(store: &'a Store, vm: &'a ObjectKey, pod_uid: &str) -> Option<&'a str> {
    let (_, held) = store.pods_of(vm).find(|(_, held)| held.uid == pod_uid)?;
    held.object.as_ref().ok()?.resizer.as_deref()
}

/// The other object that an action relies on: a raised grant on a Pod that is not lowered meanwhile, a lowered Pod on a grant that is not raised.
fn relied_on(vm: &ObjectKey, view: &View, action: &Action) -> Option<(Kind, ObjectKey)> {
    let pod = view.observed.pod()?;
    match action {
        Action::WriteStatus { status, .. }
            if grant::raises(view.observed.status.resize.as_ref(), status.resize.as_ref()) =>
        {
            Some(pod_of(vm, &pod.name))
        }
        Action::ResizePod { wish, .. } if !wish.covers(pod.spec) => Some((Kind::Vm, vm.clone())),
        _ => None,
    }
}

/// The object that an action writes to.
fn written(vm: &ObjectKey, action: &Action) -> (Kind, ObjectKey) {
    match action {
        Action::Rest | Action::WriteStatus { .. } => (Kind::Vm, vm.clone()),
        Action::ReadPod { name } => pod_of(vm, name),
        Action::CreatePod(wanted) => pod_of(vm, wanted.metadata.name.as_deref().unwrap_or_default()),
        Action::DeletePod { name, .. } | Action::ResizePod { name, .. } => pod_of(vm, name),
    }
}

fn pod_of(vm: &ObjectKey, name: &str) -> (Kind, ObjectKey) {
    (Kind::Pod, ObjectKey::new(vm.namespace.as_str(), name))
}

async fn work(caller: Caller, vm: VmRef, action: Action, generation: i64) -> Report {
    let pod_uid = match &action {
        Action::ResizePod { uid, .. } => Some(uid.clone()),
        Action::CreatePod(_) => Some(String::new()),
        Action::Rest | Action::ReadPod { .. } | Action::DeletePod { .. } | Action::WriteStatus { .. } => None,
    };
    let wish = action.wish();
    match act::execute(&caller, &vm, &action).await {
        Some(effect) => {
            let made_otherwise = act::made_otherwise(&action, &effect);
            Report::Acted(Box::new(Acted { effect, generation, pod_uid, wish, made_otherwise }))
        }
        None => Report::Reread(Vec::new()),
    }
}
