//! Writing a report, and what follows from how that went.
//!
//! The only place from which a VM's task writes to the API server.

use super::VmTask;
use crate::decide::report::{Way, Worth, worth};
use crate::metrics::DONE;
use crate::publish::PublishError;
use reef_api::vm::VmmStatus;
use reef_watch::Chain;
use std::time::Duration;

/// After a conflict a newer view is waited for. Should none come, another field manager holds the field: look again then.
const AFTER_CONFLICT: Duration = Duration::from_secs(30);

impl VmTask {
    /// The report that the view has, where it is about this Pod and process. What this process remembers to have written may be less than that:
    /// a write whose answer was lost counts as soon as it has arrived, and its numbers must never be taken back.
    pub(super) fn standing(&self) -> Option<&VmmStatus> {
        let identity = &self.incarnation.as_ref()?.identity;
        self.view.reported.as_ref().filter(|report| identity.matches(report))
    }

    /// Writes a report if it says something new. The time until it is worth writing, where that is not now.
    pub(super) async fn tell(&mut self, report: VmmStatus, way: Way) -> Option<Duration> {
        let now = self.now();
        let written = self.incarnation.as_ref()?.written;
        match worth(&report, way, self.standing(), written, now) {
            Worth::Nothing => None,
            Worth::From(from) => Some(from.0.saturating_sub(now.0)),
            Worth::Now => {
                self.write(report).await;
                self.write_wait()
            }
        }
    }

    /// Writes a report on top of the newest view. Whether it is known to have been written.
    pub(super) async fn write(&mut self, report: VmmStatus) -> bool {
        if self.now() < self.write_not_before {
            return false;
        }
        let published = self.shared.publisher.publish(&self.view, &report).await;
        let result = published.as_ref().map_or_else(PublishError::category, |_| DONE);
        self.shared.metrics.reports.of([result]).inc();
        match published {
            Ok(view) => {
                self.written(view);
                true
            }
            Err(error) => {
                self.not_written(&error);
                false
            }
        }
    }

    /// How long no write is made, after one that failed.
    pub(super) fn write_wait(&self) -> Option<Duration> {
        let wait = self.write_not_before.0.saturating_sub(self.now().0);
        (!wait.is_zero()).then_some(wait)
    }

    /// The answer is the newest view: what is decided next is decided on it.
    fn written(&mut self, view: crate::view::VmView) {
        let now = self.now();
        self.view = view;
        self.write_backoff.succeeded();
        if let Some(incarnation) = self.incarnation.as_mut() {
            incarnation.written = Some(now);
        }
    }

    fn not_written(&mut self, error: &PublishError) {
        let (vm, category) = (self.view.key.to_string(), error.category());
        let wait = if error.is_conflict() {
            self.refuted = true;
            tracing::debug!(vm, error = %Chain(error), "report waits for a newer view");
            AFTER_CONFLICT
        } else {
            tracing::warn!(vm, category, error = %Chain(error), "report is not written");
            self.write_backoff.failed()
        };
        self.write_not_before = self.now().after(wait);
    }
}
