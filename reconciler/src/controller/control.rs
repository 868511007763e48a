//! The state of the loop, and what each thing that happens does to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use kube::runtime::watcher::Event;
use tokio::time::Instant;

use super::applications::Applications;
use super::audit::Audit;
use super::backoff::{Backoffs, Budget};
use super::census::Census;
use super::checks::{Checks, Judged, PlanKey};
use super::contests::Contests;
use super::jobs::Jobs;
use super::neighbours::Neighbours;
use super::policed::Budgeted;
use super::queue::Queue;
use super::refusals::Refusals;
use super::sightings::Sightings;
use super::sources::{Fetched, Sources, Stated};
use super::stages::Stages;
use super::stated::{Agreement, Attempt};
use super::steady::SteadyClock;
use super::suspects::Suspects;
use super::task::{Report, Task};
use crate::act::Caller;
use crate::decide::target::TargetProblem;
use crate::observe::{Change, Interruption, KeptPod, Kind, Object, ObjectKey, Seen, Store};
use crate::seams::{Seams, Settings};

/// When nothing is due.
const FAR: Duration = Duration::from_secs(3600);

/// Everything that the loop owns.
pub(super) struct Control {
    pub(super) seams: Seams,
    pub(super) settings: Settings,
    pub(super) caller: Caller,
    pub(super) store: Store,
    pub(super) queue: Queue<Task>,
    pub(super) jobs: Jobs<Task, Report>,
    pub(super) backoffs: Backoffs<Task>,
    /// Tasks that failed rest until then, whatever is observed meanwhile.
    pub(super) resting: BTreeMap<Task, Instant>,
    pub(super) budgets: BTreeMap<ObjectKey, Budget>,
    pub(super) refusals: Refusals,
    /// The last request of each VM for another try.
    pub(super) retried: BTreeMap<ObjectKey, String>,
    /// Of which commit Argo CD has applied a VM.
    pub(super) applications: Applications,
    pub(super) contests: Contests,
    pub(super) suspects: Suspects,
    pub(super) sightings: Sightings,
    pub(super) neighbours: Neighbours,
    pub(super) sources: Sources,
    /// Fetches under way, by key and uid of the source.
    pub(super) fetches: Jobs<(ObjectKey, String), Fetched>,
    pub(super) fetch_backoffs: Backoffs<ObjectKey>,
    /// Capacity checks without a verdict.
    pub(super) checks: Checks,
    /// Plans under way, by key and uid of the check.
    pub(super) plans: Jobs<PlanKey, Judged>,
    /// Repositories that tell of changes.
    pub(super) changes: SelectAll<BoxStream<'static, ObjectKey>>,
    /// What was applied last, where it has not led to agreement.
    pub(super) attempts: BTreeMap<Stated, Attempt>,
    /// What agreed when it was compared last.
    pub(super) agreed: BTreeMap<Stated, Agreement>,
    /// Why Git's state of an object could not be applied.
    pub(super) unapplied: BTreeMap<Stated, TargetProblem>,
    /// What the tip of each source asks for in all, where budgets were asked.
    pub(super) budgeted: BTreeMap<ObjectKey, Budgeted>,
    /// How often a policy has changed.
    pub(super) policies_changed: u64,
    /// What each VM waited for when it was looked at last.
    pub(super) waiting: BTreeMap<ObjectKey, reef_api::Reason>,
    /// The API server asked for a pause until then.
    pub(super) paused_until: Option<Instant>,
    /// The pass over all VMs that checks that none was missed.
    pub(super) audit: Audit,
    /// How many VMs stand where; for metrics alone.
    pub(super) census: Census,
    /// How long resizes take; for metrics alone.
    pub(super) stages: Stages,
    /// When metrics were told last how things stand.
    pub(super) measured_at: Option<Instant>,
}

/// Whether the watches that there are can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Watches {
    /// They can.
    Stand,
    /// They are of a past that is gone: new ones have to begin.
    Void,
}

impl Control {
    pub(super) fn new(mut seams: Seams, settings: Settings) -> Self {
        seams.clock = Arc::new(SteadyClock::new(seams.clock));
        let caller = Caller::new(seams.client.clone(), seams.metrics.clone());
        Self {
            seams,
            settings,
            caller,
            store: Store::default(),
            queue: Queue::default(),
            jobs: Jobs::default(),
            backoffs: Backoffs::default(),
            resting: BTreeMap::new(),
            budgets: BTreeMap::new(),
            refusals: Refusals::default(),
            retried: BTreeMap::new(),
            applications: Applications::default(),
            contests: Contests::default(),
            suspects: Suspects::beginning(Instant::now()),
            sightings: Sightings::default(),
            neighbours: Neighbours::default(),
            sources: Sources::default(),
            fetches: Jobs::default(),
            fetch_backoffs: Backoffs::default(),
            checks: Checks::default(),
            plans: Jobs::default(),
            changes: SelectAll::new(),
            attempts: BTreeMap::new(),
            agreed: BTreeMap::new(),
            unapplied: BTreeMap::new(),
            budgeted: BTreeMap::new(),
            policies_changed: 0,
            waiting: BTreeMap::new(),
            paused_until: None,
            audit: Audit::default(),
            census: Census::default(),
            stages: Stages::default(),
            measured_at: None,
        }
    }

    /// Whether everything has been listed once; nothing is decided before.
    pub(super) fn ready(&self) -> bool {
        self.store.synced()
    }

    /// When there is something to look at, and room for the work that may come of it.
    pub(super) fn wake(&self, now: Instant) -> Instant {
        if !self.ready() || self.jobs.len() >= self.settings.concurrency.max(1) {
            return now + FAR;
        }
        let due = self.queue.next().unwrap_or(now + FAR);
        self.paused_until.map_or(due, |paused| due.max(paused))
    }

    /// Takes in what a watch tells, and says whether the watches can go on.
    pub(super) fn seen(&mut self, (kind, event): Seen) -> Watches {
        self.count_seen(kind, &event);
        match event {
            Ok(event) => {
                if let Event::Delete(object) = &event {
                    self.doubt_sources_of(kind, object);
                }
                let changes = self.store.observe(kind, event);
                self.concern(changes);
            }
            Err(Interruption::Failed(error)) => tracing::warn!(%kind, %error, "a watch failed and begins anew"),
            Err(Interruption::Restored(restored)) => {
                tracing::warn!(%kind, %restored, "everything is listed anew");
                self.forget_past();
                return Watches::Void;
            }
        }
        Watches::Stand
    }

    /// Begins as a new process would, but for what is under way: each write of it names a version, and is refused.
    fn forget_past(&mut self) {
        self.store.forget_past();
        self.sightings = Sightings::default();
        self.suspects = Suspects::beginning(Instant::now());
        self.attempts.clear();
    }

    /// Looks at the first task that is due.
    pub(super) fn pass(&mut self, now: Instant) {
        let due = self.queue.next();
        let Some(task) = self.queue.pop(now) else { return };
        self.count_wait(due, now);
        // Whatever ends for this task asks for another look at it.
        if self.jobs.has(&task) {
            return;
        }
        if let Some(until) = self.resting.get(&task).copied().filter(|until| *until > now) {
            return self.queue.at(task, until);
        }
        self.resting.remove(&task);
        match &task {
            Task::Vm(key) => self.pass_vm(key, now),
            Task::Policy(key) => self.pass_policy(key, now),
            Task::Source(key) => self.pass_source(key, now),
            Task::Check(key) => self.pass_check(key, now),
            Task::Application(key) => self.pass_application(key),
        }
    }

    /// Queues everything that changes concern.
    pub(super) fn concern(&mut self, changes: BTreeSet<Change>) {
        for change in changes {
            match change {
                Change::Vm(key) => self.look_at(Task::Vm(key)),
                Change::Node(name) => self.concern_node(&name),
                Change::Policy(key) => {
                    self.policies_changed = self.policies_changed.wrapping_add(1);
                    self.concern_namespace(&key.namespace);
                    self.look_at(Task::Policy(key));
                }
                Change::Source(key) => self.look_at(Task::Source(key)),
                Change::Check(key) => self.look_at(Task::Check(key)),
            }
        }
    }

    fn concern_node(&mut self, name: &str) {
        let on_node = |pod: &KeptPod| {
            let node = pod.observed.as_ref().ok().and_then(|pod| pod.node.as_deref());
            node == Some(name)
        };
        let pods = self.store.pods.iter().filter(|(_, held)| held.object.as_deref().is_ok_and(on_node));
        let vms: Vec<ObjectKey> = pods
            .filter_map(|(key, held)| Some(ObjectKey::new(key.namespace.as_str(), held.mark.as_deref()?)))
            .collect();
        vms.into_iter().for_each(|key| self.look_at(Task::Vm(key)));
    }

    fn concern_namespace(&mut self, namespace: &str) {
        let vms: Vec<ObjectKey> = self.store.vms.within(namespace).map(|(key, _)| key.clone()).collect();
        vms.into_iter().for_each(|key| self.look_at(Task::Vm(key)));
    }

    /// Queues a task for now.
    pub(super) fn look_at(&mut self, task: Task) {
        self.audit.excuse(&task);
        self.queue.at(task, Instant::now());
    }

    /// Queues a task for later.
    pub(super) fn look_later(&mut self, task: Task, after: Duration) {
        self.queue.at(task, Instant::now() + after);
    }

    /// Lets a task rest after a failure.
    pub(super) fn rest(&mut self, task: &Task) -> Duration {
        let pause = self.backoffs.failed(task, self.seams.jitter.as_ref());
        let until = Instant::now() + pause;
        self.resting.insert(task.clone(), until);
        self.queue.at(task.clone(), until);
        pause
    }

    /// Puts an answer into the store before anything else is decided.
    pub(super) fn put(&mut self, kind: Kind, object: Object) {
        let changes = self.store.put(kind, object);
        self.concern(changes);
    }
}
