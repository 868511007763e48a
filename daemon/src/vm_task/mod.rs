//! One task per VM: it owns everything about that VM on this node, and nobody else touches it.
//!
//! ```text
//!        ┌────────────────────────────────────────────────────────────────┐
//!        ▼                                                                │
//!  look (host, VMM) ─► decide::next ─► act: acknowledge | ask | report ─► wait: a newer view, or some time
//! ```
//! Each turn begins with looking. Nothing is kept from one turn to the next but what looking cannot show: see
//! [`incarnation`]. Dropping the task at any point is a crash, and a crash is safe.

mod act;
mod incarnation;
mod look;
mod write;

use crate::backoff::Doubling;
use crate::decide::Moment;
use crate::host::{HeldLock, Host, PodRef};
use crate::metrics::{Marks, Metrics};
use crate::publish::Publisher;
use crate::seams::{Jitter, Settings};
use crate::view::{Past, Sighting, VmView};
use crate::vmm::Dial;
use incarnation::Incarnation;
use reef_api::Size;
use reef_watch::Chain;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// What all tasks of a node share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) publisher: Publisher,
    pub(crate) settings: Settings,
    pub(crate) backoff: Doubling,
    pub(crate) jitter: Arc<dyn Jitter>,
    pub(crate) metrics: Metrics,
}

/// The owner of one VM in one Pod.
pub(crate) struct VmTask {
    shared: Shared,
    pod: PodRef,
    views: watch::Receiver<Sighting>,
    /// The newest view: of the watch, or of the answer to our own last write.
    view: VmView,
    /// The past that it is of.
    past: Past,
    /// The view was refuted by a conflict: nothing is written on top of it.
    refuted: bool,
    /// No write before this.
    write_not_before: Moment,
    write_backoff: Doubling,
    began: Instant,
    incarnation: Option<Incarnation>,
    /// Looks that failed in a row.
    failures: u32,
    /// The last wait, as long as nothing has moved.
    waited: Option<Duration>,
    /// What was seen by the last look, to notice that something moves.
    last_seen: Option<(Size, Size)>,
    /// What it adds to the node's gauges.
    marks: Marks,
}

impl VmTask {
    pub(crate) fn new(shared: Shared, pod: PodRef, views: watch::Receiver<Sighting>) -> Self {
        let Sighting { view, past } = views.borrow().clone();
        let (write_backoff, marks) = (shared.backoff.clone(), shared.metrics.marks());
        Self {
            shared,
            pod,
            views,
            view,
            past,
            refuted: false,
            write_not_before: Moment::default(),
            write_backoff,
            began: Instant::now(),
            incarnation: None,
            failures: 0,
            waited: None,
            last_seen: None,
            marks,
        }
    }

    /// Looks after the VM until it is told to stop, or until nobody sends views any more.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.look_after() => {}
        }
        tracing::info!(vm = %self.view.key, pod = self.pod.pod_uid, "VM is no longer looked after");
    }

    async fn look_after(&mut self) {
        let _lock = self.lock().await;
        tracing::info!(vm = %self.view.key, pod = self.pod.pod_uid, "VM is looked after");
        loop {
            self.adopt();
            let span = self.span();
            let pause = self.turn().instrument(span).await;
            if !self.wait(self.spread(pause)).await {
                return;
            }
        }
    }

    /// What each line of a turn names: the VM, and the commit that its present size is of.
    fn span(&self) -> tracing::Span {
        let VmView { key, revision, grant, .. } = &self.view;
        let seq = grant.as_ref().map(|grant| grant.seq);
        tracing::info_span!("resize", vm = %key, revision = revision.as_deref(), seq)
    }

    /// Takes the VM's lock, as long as it may take: another daemon is being replaced, or the folder is not there yet.
    async fn lock(&mut self) -> Box<dyn HeldLock> {
        let mut backoff = self.shared.backoff.clone();
        let mut told = None;
        loop {
            match self.shared.host.lock(&self.pod) {
                Ok(lock) => return lock,
                Err(error) => {
                    // Once for each cause: an overlap of two daemons may last, and a node has many VMs.
                    if told.replace(error.category()) != Some(error.category()) {
                        tracing::warn!(vm = %self.view.key, error = %Chain(&error), "VM cannot be locked");
                    }
                    let patient = self.shared.settings.cadence.patient;
                    tokio::time::sleep(backoff.failed().min(patient)).await;
                }
            }
        }
    }

    /// VMs that came at once, as after a start of the daemon, must not be looked at all at once for ever.
    fn spread(&self, pause: Duration) -> Duration {
        if pause < self.shared.settings.cadence.settled { pause } else { self.shared.jitter.spread(pause) }
    }

    /// Waits until a view comes that is newer than ours, or for `pause`. `false` when no view will come any more.
    async fn wait(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                biased;
                changed = self.views.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                    if self.adopt() {
                        return true;
                    }
                }
                () = tokio::time::sleep_until(until) => return true,
            }
        }
    }

    /// Takes over the watch's view where it is newer than ours, or of another past. After a conflict any other one will
    /// do: the version of ours may belong to a past that is not known to be gone yet, and a view that is behind is met
    /// by the next conflict.
    fn adopt(&mut self) -> bool {
        let newest = self.views.borrow_and_update();
        let newer = newest.view.resource_version.is_newer_than(&self.view.resource_version);
        let other = newest.view.resource_version != self.view.resource_version;
        let welcome = newest.past != self.past || newer || (self.refuted && other);
        if !welcome {
            return false;
        }
        Sighting { view: self.view, past: self.past } = newest.clone();
        if self.refuted {
            self.refuted = false;
            self.write_not_before = Moment::default();
        }
        self.waited = None;
        true
    }

    fn now(&self) -> Moment {
        Moment(self.began.elapsed())
    }
}
