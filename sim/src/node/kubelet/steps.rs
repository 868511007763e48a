//! The life of one Pod on a node: admitted, started, ended, stopped, removed; and its guest's controls.
//!
//! Each step looks at where the Pod is and at the time; none waits.

use rand::RngExt;
use reef_api::Bytes;
use reef_api::launch::LaunchFailure;
use tokio::time::Instant;

use super::Kubelet;
use super::guest_control::Wishes;
use super::resize::{Verdict, judge};
use super::status::render;
use super::worker::{Exit, Stage, Worker};
use crate::node::events::{Tone, record};
use crate::node::pod::{PodView, RestartPolicy};
use crate::node::resources::Amounts;
use crate::store::{DeleteOptions, Preconditions, meta};
use crate::vmm::guest::IDLE_BYTES;
use crate::vmm::{Behaviour, Vmm};

/// What a step left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing that others wait for.
    Same,
    /// What this Pod holds has changed.
    Freed,
    /// The Pod is gone.
    Gone,
}

impl Kubelet {
    /// Takes in a Pod that was not here before.
    pub(super) fn admit(&self, pod: PodView, others: Amounts, now: Instant) -> Worker {
        let mut worker = Worker::new(pod, now + self.timings.start);
        let refusal = match judge(worker.pod.desired(), others, self.node.allocatable()) {
            Verdict::Fits => None,
            Verdict::Deferred(why) | Verdict::Infeasible(why) => Some(why),
        };
        if worker.pod.is_over() {
            worker.dirty = false;
            worker.stage = Stage::Ended(self.exit(0, "Completed", ""));
        } else if let Some(why) = refusal {
            let what = if why.contains(": cpu,") { "OutOfcpu" } else { "OutOfmemory" };
            record(&self.store, "kubelet", &worker.pod, Tone::Warning, what, &why);
            worker.stage = Stage::Ended(self.exit(1, what, &format!("Pod was rejected: {why}")));
        } else {
            self.make_volume(&worker);
        }
        worker
    }

    /// Takes in what changed of a Pod that is here.
    pub(super) fn seen(&self, worker: &mut Worker, pod: PodView, now: Instant) {
        if pod.generation != worker.pod.generation {
            worker.react = Some(now + self.pick(self.timings.react));
        }
        worker.pod = pod;
        self.control_guest(worker);
    }

    /// Does what is due of one Pod.
    pub(super) fn step(&self, worker: &mut Worker, others: Amounts, now: Instant) -> After {
        let before = worker.allocated();
        if worker.pod.stopping.is_some() && self.stop(worker, now) {
            return After::Gone;
        }
        match worker.stage {
            Stage::Starting(at) if at <= now => self.begin(worker, now),
            Stage::Running => self.keep(worker, others, now),
            Stage::Starting(_) | Stage::Stopping(_) | Stage::Ended(_) => {}
        }
        if worker.flap.as_ref().is_some_and(|flap| flap.due() <= now) {
            self.flap(worker, now);
        }
        if std::mem::take(&mut worker.dirty) {
            self.write(worker);
        }
        if worker.allocated() == before { After::Same } else { After::Freed }
    }

    fn keep(&self, worker: &mut Worker, others: Amounts, now: Instant) {
        if worker.react.is_some_and(|at| at <= now) {
            self.look(worker, others, now);
        } else if worker.pending.is_some() && worker.react.is_none() {
            self.judge_wish(worker, others, now);
        }
        if worker.progress.as_ref().is_some_and(|progress| progress.due <= now) {
            self.actuate(worker, now);
        }
    }

    /// Starts the containers.
    fn begin(&self, worker: &mut Worker, now: Instant) {
        worker.started = Some(self.store.now());
        for container in &mut worker.containers {
            let parts: [u64; 4] = self.rng().random();
            container.id = parts.iter().map(|part| format!("{part:016x}")).collect();
            container.actual = container.allocated;
        }
        worker.stage = Stage::Running;
        worker.dirty = true;
        worker.react = worker.wants_resize().then_some(now);
        // The Pod's numbers are there before the VM is, so that no one ever sees a VM without them.
        self.write(worker);
        record(&self.store, "kubelet", &worker.pod, Tone::Normal, "Started", "Container started");
        let Some(container) = worker.pod.vmm_container().cloned() else { return };
        match self.launch(worker, &container) {
            Ok(vmm) => {
                self.await_end(worker, &vmm);
                worker.vmm = Some(vmm);
                worker.guest = Wishes::default();
                self.control_guest(worker);
            }
            Err(why) => worker.stage = Stage::Ended(self.exit(LaunchFailure::Layout.code().into(), "Error", &why)),
        }
    }

    /// A VMM has ended by itself or was killed.
    pub(super) fn container_ended(&self, worker: &mut Worker, vmm: &Vmm, now: Instant) {
        if worker.vmm.as_ref().is_none_or(|running| running.pid() != vmm.pid()) {
            return;
        }
        worker.vmm = None;
        let oom_killed = self.hosts.ended(&self.node.name, &worker.pod.uid);
        if matches!(worker.stage, Stage::Stopping(_)) {
            return;
        }
        let (code, reason) = match (oom_killed, vmm.exited_by_itself()) {
            (true, _) => (137, "OOMKilled"),
            (false, true) => (0, "Completed"),
            (false, false) => (137, "Error"),
        };
        worker.progress = None;
        worker.dirty = true;
        let again = match worker.pod.restart {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => code != 0,
            RestartPolicy::Never => false,
        };
        if again {
            worker.restarts = worker.restarts.saturating_add(1);
            worker.stage = Stage::Starting(now + self.timings.start);
        } else {
            worker.stage = Stage::Ended(self.exit(code, reason, ""));
        }
    }

    /// Stops a Pod that is deleted; true once it is gone.
    fn stop(&self, worker: &mut Worker, now: Instant) -> bool {
        match worker.stage {
            Stage::Running => {
                let grace = u64::try_from(worker.pod.stopping.unwrap_or(0)).unwrap_or(0);
                let stopped = now + self.timings.stop.min(std::time::Duration::from_secs(grace));
                record(&self.store, "kubelet", &worker.pod, Tone::Normal, "Killing", "Stopping container");
                worker.stage = Stage::Stopping(stopped);
                false
            }
            Stage::Stopping(at) if at > now => false,
            Stage::Stopping(_) => {
                self.end_process(worker);
                worker.stage = Stage::Ended(self.exit(0, "Completed", ""));
                self.write(worker);
                self.remove(worker)
            }
            Stage::Starting(_) | Stage::Ended(_) => self.remove(worker),
        }
    }

    fn remove(&self, worker: &mut Worker) -> bool {
        self.remove_volume(worker);
        let preconditions = Preconditions { uid: Some(worker.pod.uid.clone()), resource_version: None };
        let options = DeleteOptions { preconditions, ..DeleteOptions::now() };
        if let Err(error) = self.store.delete(&worker.pod.key, &options) {
            tracing::debug!(%error, pod = %worker.pod.key, "was gone already");
        }
        true
    }

    /// A Pod is gone from the cluster without its node being asked.
    pub(super) fn removed(&self, worker: &mut Worker) {
        self.end_process(worker);
        self.remove_volume(worker);
    }

    /// Ends the VMM, if one runs.
    pub(super) fn end_process(&self, worker: &mut Worker) {
        if let Some(vmm) = worker.vmm.take() {
            vmm.kill();
            self.hosts.ended(&self.node.name, &worker.pod.uid);
        }
    }

    fn exit(&self, code: i32, reason: &str, message: &str) -> Exit {
        Exit { code, reason: reason.to_owned(), message: message.to_owned(), at: self.store.now() }
    }

    fn write(&self, worker: &Worker) {
        let now = self.store.now();
        let uid = worker.pod.uid.clone();
        let written = self.store.update(&worker.pod.key, Some("status"), "kubelet", |pod| {
            if meta::uid(pod) != uid {
                return;
            }
            let status = render(worker, pod.get("status"), now);
            if let Some(map) = pod.as_object_mut() {
                map.insert("status".to_owned(), status);
            }
        });
        if let Err(error) = written {
            tracing::debug!(%error, pod = %worker.pod.key, "status not written");
        }
    }

    /// Hands the Pod's annotations to its guest. What is there at boot comes once the guest's drivers are loaded.
    fn control_guest(&self, worker: &mut Worker) {
        let Some(vmm) = worker.vmm.clone() else { return };
        let wishes = Wishes::of(&worker.pod);
        if wishes == worker.guest {
            return;
        }
        let booted = worker.started.map_or(0, |at| self.store.now().as_second().saturating_sub(at.as_second()));
        let wait = self.vmm_timings.driver_loaded.to.saturating_mul(2);
        let wait = wait.saturating_sub(std::time::Duration::from_secs(u64::try_from(booted).unwrap_or(0)));
        let before = std::mem::replace(&mut worker.guest, wishes.clone());
        let behaviour = wishes.behaviour.or_else(|| before.behaviour.map(|_| Behaviour::default()));
        let used = wishes.used.or_else(|| before.used.map(|_| Bytes(IDLE_BYTES)));
        // A VMM that has ended has no guest to control.
        tokio::spawn(async move {
            if let Some(behaviour) = behaviour {
                let _ = vmm.control(move |machine| machine.set_behaviour(behaviour)).await;
            }
            if let Some(used) = used {
                tokio::time::sleep(wait).await;
                let _ = vmm.control(move |machine| machine.set_used(used.get())).await;
            }
        });
    }
}
