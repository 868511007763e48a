//! In-place resize of one Pod, by the measured table: look, allocate or refuse, set the cgroup, retry.
//!
//! Whether a wish fits is judged in [`super::resize`]; when it is looked at is [`super::steps`]'s business.

use rand::RngExt;
use tokio::time::Instant;

use super::Kubelet;
use super::resize::{Verdict, below_usage, event_message, judge};
use super::worker::{Container, Pending, Progress, Worker};
use crate::node::events::{Tone, record};
use crate::node::resources::{Amounts, ContainerResources};
use crate::vmm::Fate;

/// Old values that a status shows once more after a resize was done.
#[derive(Clone, Debug)]
pub struct Flap {
    from: Instant,
    until: Instant,
    generation: i64,
    old: Vec<(String, ContainerResources)>,
    shows: bool,
}

impl Flap {
    /// When it begins or ends.
    #[must_use]
    pub const fn due(&self) -> Instant {
        if self.shows { self.until } else { self.from }
    }

    /// The generation of the resize that seems to be under way once more, while it is shown.
    #[must_use]
    pub fn shown(&self) -> Option<i64> {
        self.shows.then_some(self.generation)
    }

    /// The old values of a container, while they are shown.
    #[must_use]
    pub fn old_of(&self, container: &str) -> Option<ContainerResources> {
        let mut old = self.old.iter().filter(|_| self.shows);
        old.find(|(name, _)| name == container).map(|(_, resources)| *resources)
    }
}

impl Kubelet {
    /// Looks at what the spec asks for. `others` is what other Pods hold. True where what this Pod holds has changed.
    pub(super) fn look(&self, worker: &mut Worker, others: Amounts, now: Instant) -> bool {
        worker.react = None;
        worker.dirty |= worker.observed != worker.pod.generation;
        worker.observed = worker.pod.generation;
        if !worker.wants_resize() {
            worker.dirty |= worker.pending.take().is_some();
            return false;
        }
        self.judge_wish(worker, others, now)
    }

    /// Judges a wish that is not allocated; an infeasible one is judged once.
    pub(super) fn judge_wish(&self, worker: &mut Worker, others: Amounts, now: Instant) -> bool {
        let refused = worker.pending.as_ref().filter(|pending| pending.reason == "Infeasible");
        if refused.is_some_and(|pending| pending.generation == worker.pod.generation) {
            return false;
        }
        match self.verdict(worker, others) {
            Verdict::Fits => {
                self.allocate(worker, now);
                true
            }
            Verdict::Deferred(why) => self.hold(worker, "Deferred", &why),
            Verdict::Infeasible(why) => self.hold(worker, "Infeasible", &why),
        }
    }

    fn verdict(&self, worker: &Worker, others: Amounts) -> Verdict {
        if let Some(why) = &self.quirks.infeasible {
            return Verdict::Infeasible(why.clone());
        }
        match judge(worker.pod.desired(), others, self.node.allocatable()) {
            Verdict::Fits if self.quirks.defers => Verdict::Deferred("Node is busy with other resizes".to_owned()),
            verdict => verdict,
        }
    }

    fn hold(&self, worker: &mut Worker, reason: &'static str, why: &str) -> bool {
        let pending = Pending { reason, message: why.to_owned(), generation: worker.pod.generation };
        if worker.pending.as_ref() != Some(&pending) {
            let event = if reason == "Deferred" { "ResizeDeferred" } else { "ResizeInfeasible" };
            self.tell(worker, Tone::Warning, event, reason, Some(why));
            worker.pending = Some(pending);
            worker.dirty = true;
        }
        false
    }

    fn allocate(&self, worker: &mut Worker, now: Instant) {
        let desired: Vec<_> = worker.containers.iter().map(|it| worker.desired(&it.name)).collect();
        for (container, desired) in worker.containers.iter_mut().zip(desired) {
            container.allocated = desired.unwrap_or(container.allocated);
        }
        worker.pending = None;
        worker.flap = None;
        let due = now + self.pick(self.timings.actuate);
        worker.progress = Some(Progress { generation: worker.pod.generation, since: now, due, error: None });
        worker.dirty = true;
        self.tell(worker, Tone::Normal, "ResizeStarted", "started", None);
    }

    /// Sets the cgroups to what is allocated, or says why not.
    pub(super) fn actuate(&self, worker: &mut Worker, now: Instant) {
        let Some(mut progress) = worker.progress.take() else { return };
        if self.quirks.stalls {
            progress.due = now + self.timings.resize_retry;
            worker.progress = Some(progress);
            return;
        }
        if let Some(why) = self.too_small(worker, &progress) {
            let shown_at = progress.since + self.timings.resize_error;
            if now < shown_at {
                progress.due = shown_at;
            } else {
                progress.due = now + self.timings.resize_retry;
                self.tell(worker, Tone::Warning, "ResizeError", "error", Some(&why));
                progress.error = Some(why);
                worker.dirty = true;
            }
            worker.progress = Some(progress);
            return;
        }
        let old = worker.containers.iter().map(|it| (it.name.clone(), it.actual)).collect();
        worker.containers.iter_mut().for_each(|container| container.actual = container.allocated);
        self.set_cgroup(worker);
        worker.dirty = true;
        self.tell(worker, Tone::Normal, "ResizeCompleted", "completed", None);
        if self.quirks.flaps {
            let from = now + self.timings.react.to;
            worker.flap = Some(Flap {
                from,
                until: from + self.timings.actuate.from,
                generation: progress.generation,
                old,
                shows: false,
            });
        }
    }

    /// Begins or ends showing old values.
    pub(super) fn flap(&self, worker: &mut Worker, now: Instant) {
        let Some(flap) = &mut worker.flap else { return };
        worker.dirty = true;
        if now >= flap.until {
            worker.flap = None;
        } else {
            flap.shows = true;
        }
    }

    /// The VMM's container, where its new memory limit is below its use. The first text may say that it uses nothing.
    fn too_small(&self, worker: &Worker, progress: &Progress) -> Option<String> {
        let container = vmm_container(worker)?;
        let limit = container.allocated.limits.memory?;
        let lowers = container.actual.limits.memory.is_none_or(|actual| limit < actual);
        let usage = self.hosts.facts(&self.node.name, &worker.pod.uid)?.memory_current;
        let usage = container.actual.limits.memory.filter(|_| self.quirks.keeps).unwrap_or(usage);
        if !lowers || limit >= usage {
            return None;
        }
        let unread = progress.error.is_none() && self.rng().random_bool(0.5);
        Some(below_usage(&container.name, limit.get(), if unread { 0 } else { usage.get() }))
    }

    fn set_cgroup(&self, worker: &Worker) {
        let Some(limits) = vmm_container(worker).map(|container| container.actual.limits) else { return };
        let fate = self.hosts.limit(&self.node.name, &worker.pod.uid, limits.memory, limits.cpu);
        if let (Fate::Killed, Some(vmm)) = (fate, &worker.vmm) {
            vmm.kill();
        }
    }

    fn tell(&self, worker: &Worker, tone: Tone, reason: &str, what: &str, error: Option<&str>) {
        let of = |it: &Container| Some((it.name.clone(), worker.desired(&it.name)?));
        let resources: Vec<_> = worker.containers.iter().filter_map(of).collect();
        let message = event_message(what, &resources, worker.pod.generation, error);
        record(&self.store, "kubelet", &worker.pod, tone, reason, &message);
    }
}

fn vmm_container(worker: &Worker) -> Option<&Container> {
    worker.containers.iter().find(|container| container.name == reef_api::names::VMM_CONTAINER)
}
