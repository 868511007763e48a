//! One turn: look, decide, do the one thing that was decided, and say how long nothing is to be done.
//!
//! Has no choice to make: what to do is in the step, and what a failure means is in `decide`.

use super::VmTask;
use super::incarnation::Incarnation;
use super::look::{Seen, Trouble};
use crate::decide::classify::RefusalKind;
use crate::decide::pace::Nudge;
use crate::decide::report::{Way, may_report, report, troubled};
use crate::decide::{self, Accounting, VmmAction, VmmStep, Wait};
use crate::metrics::DONE;
use crate::vmm::{Delivery, VmmError};
use reef_api::vm::{VmmStatus, VmmWaiting};
use reef_api::{Bytes, Reason, Vcpus};
use reef_watch::Chain;
use std::time::Duration;

/// The wait before a look that is only to make sure: as short as a timer can be.
const AT_ONCE: Duration = Duration::from_millis(1);
/// Looks that fail in a row before it is reported, some two seconds: a VMM that ends is told sooner by its Pod.
const FAILURES_BEFORE_REPORT: u32 = 5;

/// What a VMM can be asked for.
#[derive(Clone, Copy)]
enum Request {
    Vcpus(Vcpus),
    Memory(Bytes, Nudge),
}

impl VmTask {
    /// Makes one turn, and returns how long to wait before the next one.
    pub(super) async fn turn(&mut self) -> Duration {
        let looked = self.look().await;
        let result = looked.as_ref().map_or_else(Trouble::category, |_| DONE);
        self.shared.metrics.looks.of([result]).inc();
        match looked {
            Ok(seen) => {
                self.marks.unobserved(false);
                if std::mem::take(&mut self.failures) > 0 {
                    self.waited = None;
                }
                self.proceed(seen).await
            }
            Err(trouble) => self.trouble(&trouble).await,
        }
    }

    async fn proceed(&mut self, seen: Seen) -> Duration {
        let now = self.now();
        self.notice(&seen);
        let step = decide::next(self.view.grant_for(&self.pod.pod_uid), &seen.observed, now);
        self.marks.stalled(step.waiting_on.is_stalled());
        match step.action {
            VmmAction::None => self.rest(&seen, &step).await,
            VmmAction::Acknowledge { seq, .. } => self.acknowledge(seq, &seen, &step).await,
            VmmAction::SetVcpus(vcpus) => self.ask(Request::Vcpus(vcpus)).await,
            VmmAction::SetMemory(memory) => {
                self.ask(Request::Memory(memory, decide::memory::is_nudge(memory, &seen.observed))).await
            }
        }
    }

    /// Looks quickly again where something has moved since the last look.
    fn notice(&mut self, seen: &Seen) {
        let sizes = (seen.observed.requested, seen.observed.actual);
        if self.last_seen.replace(sizes) != Some(sizes) {
            self.waited = None;
        }
    }

    /// Nothing is to be asked: reports what is new.
    async fn rest(&mut self, seen: &Seen, step: &VmmStep) -> Duration {
        let told = match self.rest_report(seen, step) {
            Some(report) => self.tell(report, Way::of(step)).await,
            None => None,
        };
        if !seen.observed.accounting.is_clear() {
            return self.make_sure();
        }
        let wait = self.shared.settings.cadence.after(step, &seen.observed, self.waited, self.now());
        self.waited = Some(wait);
        told.map_or(wait, |told| wait.min(told.max(AT_ONCE)))
    }

    /// Looks again at once to end a doubt, and more slowly where it does not end: a VMM that closes each connection.
    fn make_sure(&mut self) -> Duration {
        let wait = self.waited.map_or(AT_ONCE, |waited| waited.saturating_mul(2));
        let wait = wait.min(self.shared.settings.cadence.patient);
        self.waited = Some(wait);
        wait
    }

    /// The report of a turn without a request; `None` where nothing may be said. Of a machine that does not run or is
    /// being moved only the last numbers are told: those that it shows now are of no machine, or frozen.
    fn rest_report(&self, seen: &Seen, step: &VmmStep) -> Option<VmmStatus> {
        let incarnation = self.incarnation.as_ref()?;
        let grant = self.view.grant_for(&self.pod.pod_uid);
        match &step.waiting_on.memory {
            Some(Wait::Unaccounted) => None,
            Some(wait @ (Wait::NotRunning | Wait::Migrating)) => Some(troubled(self.standing()?, wait.reported()?)),
            _ if !may_report(grant, incarnation.taken.as_ref()) => None,
            _ => Some(report(&incarnation.identity, &seen.version, &seen.observed, step)),
        }
    }

    /// Takes a grant over: only a write that is known to have arrived makes it ours.
    async fn acknowledge(&mut self, seq: u64, seen: &Seen, step: &VmmStep) -> Duration {
        let grant = self.view.grant_for(&self.pod.pod_uid).cloned();
        if let Some(wait) = self.write_wait() {
            return wait;
        }
        let Some(incarnation) = self.incarnation.as_mut() else { return AT_ONCE };
        incarnation.pledged = incarnation.pledged.max(seq);
        let report = report(&incarnation.identity, &seen.version, &seen.observed, step);
        if !self.write(report).await {
            return self.write_wait().unwrap_or(AT_ONCE);
        }
        if let Some(incarnation) = self.incarnation.as_mut() {
            incarnation.taken = grant;
        }
        tracing::info!(vm = %self.view.key, seq, "grant is taken over");
        self.waited = None;
        Duration::ZERO
    }

    async fn ask(&mut self, request: Request) -> Duration {
        let now = self.now();
        let vm = self.view.key.to_string();
        let Some(incarnation) = self.incarnation.as_mut() else { return AT_ONCE };
        let outcome = match request {
            Request::Vcpus(vcpus) => incarnation.vmm.set_vcpus(vcpus).await,
            Request::Memory(memory, _) => incarnation.vmm.set_memory(memory).await,
        };
        match outcome {
            Ok(()) => accepted(incarnation, request, now, &vm),
            Err(error) => refused(incarnation, request, &error, now, &vm),
        }
        self.waited = None;
        AT_ONCE
    }

    /// There was nothing to see: says so, once that lasts.
    async fn trouble(&mut self, trouble: &Trouble) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let (vm, category) = (self.view.key.to_string(), trouble.category());
        if self.failures == FAILURES_BEFORE_REPORT {
            self.marks.unobserved(true);
            tracing::warn!(vm, category, error = %Chain(trouble), "VM cannot be observed");
        }
        if let Some(standing) = self.standing().filter(|_| self.failures >= FAILURES_BEFORE_REPORT) {
            let waiting = VmmWaiting { reason: Reason::VmmUnreachable, message: Chain(trouble).to_string() };
            let report = troubled(standing, waiting);
            self.tell(report, Way::Rests).await;
        }
        let wait = self.waited.map_or(self.shared.settings.cadence.quick, |waited| waited.saturating_mul(2));
        let wait = wait.min(self.shared.settings.cadence.patient);
        self.waited = Some(wait);
        wait
    }
}

fn accepted(incarnation: &mut Incarnation, request: Request, now: decide::Moment, vm: &str) {
    match request {
        Request::Vcpus(vcpus) => {
            incarnation.pace.vcpus_accepted(vcpus, now);
            tracing::info!(vm, %vcpus, "VMM is asked for vCPUs");
        }
        Request::Memory(memory, nudge) => {
            incarnation.pace.memory_accepted(memory, nudge, now);
            tracing::info!(vm, %memory, "VMM is asked for memory");
        }
    }
}

/// A refusal slows that resource down, and no other. A reply that was lost puts everything in doubt.
fn refused(incarnation: &mut Incarnation, request: Request, error: &VmmError, now: decide::Moment, vm: &str) {
    tracing::warn!(vm, category = error.category(), error = %Chain(error), "VMM did not accept a request");
    match error.delivery() {
        Delivery::NotSent | Delivery::Answered => {}
        Delivery::Unknown => {
            incarnation.accounting = Accounting::DOUBT;
            incarnation.vmm.disconnect();
        }
    }
    let (kind, message) = match error {
        VmmError::Refused { kind, message, .. } => (*kind, message.clone()),
        _ => (RefusalKind::Other, Chain(error).to_string()),
    };
    match request {
        Request::Vcpus(vcpus) => incarnation.pace.vcpus_refused(vcpus, kind, message, now),
        Request::Memory(memory, _) => incarnation.pace.memory_refused(memory, kind, message, now),
    }
}
