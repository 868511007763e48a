//! The daemon of one node: two watches, and a task for each VM that runs here.
//!
//! Starts and stops tasks and passes views on. Knows nothing of grants, and never touches a VMM.

use crate::backoff::Doubling;
use crate::host::PodRef;
use crate::publish::Publisher;
use crate::roster::{Assignment, Roster, Touched};
use crate::seams::{Seams, Settings};
use crate::view::Sighting;
use crate::vm_task::{Shared, VmTask};
use crate::watch;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, future::BoxFuture};
use reef_api::VmKey;
use reef_watch::Health;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::watch as latest;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Why the daemon of a node ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Without the name of its node it would watch everything.
    #[error("the name of the node is empty; state it with --node")]
    NoNode,
    /// A watch ended, which it never does: it is restarted after every failure.
    #[error("the watch of {kind} ended")]
    WatchEnded {
        /// What was watched.
        kind: &'static str,
    },
}

/// Looks after the VMs of a node until `shutdown`.
///
/// # Errors
/// See [`RunError`]. Nothing that the API server, a VM or the node does ends it.
pub async fn run(
    seams: Seams,
    settings: Settings,
    shutdown: CancellationToken,
    health: Health,
) -> Result<(), RunError> {
    if settings.node.is_empty() {
        return Err(RunError::NoNode);
    }
    let begin = {
        let (client, node, backoff) =
            (seams.watch_client.clone(), settings.node.clone(), Doubling::new(seams.jitter.clone()));
        let counted = seams.metrics.watches.clone();
        move || {
            let vms = watch::vms(client.clone(), &node, backoff.clone(), counted.clone());
            (vms, watch::pods(client.clone(), &node, backoff.clone(), counted.clone()))
        }
    };
    let (mut vms, mut pods) = begin();
    let mut heartbeat = tokio::time::interval(settings.heartbeat);
    let mut node = Node::new(seams, settings);
    loop {
        let past = node.roster.past();
        let touched = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = node.ended.next() => node.ended(ended),
            change = vms.next() => {
                node.roster.vm_changed(change.ok_or(RunError::WatchEnded { kind: "VirtualMachines" })?)
            }
            change = pods.next() => {
                node.roster.pod_changed(change.ok_or(RunError::WatchEnded { kind: "Pods" })?)
            }
            _ = heartbeat.tick() => node.idle(),
        };
        if node.roster.past() != past {
            tracing::warn!("the cluster was restored from a backup: everything is listed anew");
            (vms, pods) = begin();
        }
        node.assign(touched);
        health.turned(node.roster.is_synced());
        node.shared.metrics.turned(node.tasks.len());
    }
    node.stop().await;
    Ok(())
}

type Ended = (VmKey, Result<(), JoinError>);

struct Node {
    roster: Roster,
    shared: Shared,
    tasks: BTreeMap<VmKey, Task>,
    ended: FuturesUnordered<BoxFuture<'static, Ended>>,
}

/// A task that runs, by what makes it another one: the VM's UID, its Pod and its container.
struct Task {
    vm_uid: String,
    pod: PodRef,
    views: latest::Sender<Sighting>,
    stop: CancellationToken,
}

impl Node {
    fn new(seams: Seams, settings: Settings) -> Self {
        let publisher = Publisher::new(seams.client, settings.write_deadline);
        let backoff = Doubling::new(seams.jitter.clone());
        let Seams { host, dial, jitter, metrics, .. } = seams;
        let shared = Shared { host, dial, publisher, settings, backoff, jitter, metrics };
        Self { roster: Roster::default(), shared, tasks: BTreeMap::new(), ended: FuturesUnordered::new() }
    }

    /// Everything that may have to be started or stopped.
    fn known(&self) -> BTreeSet<VmKey> {
        self.roster.keys().into_iter().chain(self.tasks.keys().cloned()).collect()
    }

    /// VMs without a task: one whose task has failed gets another.
    fn idle(&self) -> Touched {
        Touched::Vms(self.roster.keys().into_iter().filter(|key| !self.tasks.contains_key(key)).collect())
    }

    /// A task that ended on request may have a successor at once. One that failed has none before the next heartbeat.
    fn ended(&mut self, (key, outcome): Ended) -> Touched {
        self.tasks.remove(&key);
        match outcome {
            Ok(()) => Touched::Vms(BTreeSet::from([key])),
            Err(error) => {
                self.shared.metrics.task_failed();
                tracing::error!(vm = %key, %error, "task of a VM failed; it begins anew");
                Touched::NONE
            }
        }
    }

    fn assign(&mut self, touched: Touched) {
        if !self.roster.is_synced() {
            return;
        }
        let keys = match touched {
            Touched::Vms(keys) => keys,
            Touched::All => self.known(),
        };
        for key in keys {
            let assignment = self.roster.assignment(&key, &self.shared.settings.node);
            match (self.tasks.get(&key), assignment) {
                (None, None) => {}
                (None, Some(Assignment { vm, pod, past })) => {
                    let vm = Sighting { view: vm.clone(), past };
                    self.start(key, vm, pod);
                }
                (Some(task), None) => task.stop.cancel(),
                (Some(task), Some(assignment)) => task.pass(&assignment),
            }
        }
    }

    fn start(&mut self, key: VmKey, vm: Sighting, pod: PodRef) {
        let vm_uid = vm.view.uid.clone();
        let (views, received) = latest::channel(vm);
        let stop = CancellationToken::new();
        let task = VmTask::new(self.shared.clone(), pod.clone(), received).run(stop.clone());
        let handle = AbortOnDropHandle::new(tokio::spawn(task));
        let named = key.clone();
        self.ended.push(async move { (named, handle.await) }.boxed());
        self.tasks.insert(key, Task { vm_uid, pod, views, stop });
    }

    /// Lets every task end where it is. What is left after the grace is dropped, which is a crash, and safe.
    async fn stop(mut self) {
        for task in self.tasks.values() {
            task.stop.cancel();
        }
        let all = async { while self.ended.next().await.is_some() {} };
        if tokio::time::timeout(self.shared.settings.grace, all).await.is_err() {
            tracing::warn!("tasks did not end in time");
        }
    }
}

impl Task {
    /// Passes a view on, or ends the task where the VM is another one or runs elsewhere now.
    fn pass(&self, assignment: &Assignment<'_>) {
        if self.vm_uid != assignment.vm.uid || self.pod != assignment.pod {
            self.stop.cancel();
            return;
        }
        self.views.send_if_modified(|seen| {
            let modified = seen.view != *assignment.vm || seen.past != assignment.past;
            if modified {
                seen.view.clone_from(assignment.vm);
                seen.past = assignment.past;
            }
            modified
        });
    }
}
