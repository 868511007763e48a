//! What the daemon counts: registered by whoever serves it, and fed by the node's loop and the tasks. No decision knows of it, and it decides nothing.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use reef_watch::metrics::{By, Catalogue, Entry, Watches, request_seconds};

/// What went well.
pub(crate) const DONE: &str = "done";

/// The resources that are watched.
pub(crate) const VMS: &str = "virtualmachines";
/// The resources that are watched.
pub(crate) const PODS: &str = "pods";

/// Everything that is counted. Clones share it.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) calls: By<Counter, 3>,
    pub(crate) took: By<Histogram, 2>,
    pub(crate) refused_sockets: By<Counter, 1>,
    pub(crate) looks: By<Counter, 1>,
    pub(crate) reports: By<Counter, 1>,
    pub(crate) watches: Watches,
    stalls: Counter,
    task_failures: Counter,
    vms: Gauge,
    unobserved: Gauge,
    stalled: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            calls: By::new(&["vmm", "call", "result"]),
            took: By::made_by(&["vmm", "call"], request_seconds),
            refused_sockets: By::new(&["reason"]).from_zero([["unsafe"], ["wrong-peer"], ["peer-gone"]]),
            looks: By::new(&["result"]).from_zero([[DONE]]),
            reports: By::new(&["result"]).from_zero([[DONE], ["conflict"], ["refused"], ["unknown"], ["odd"]]),
            watches: Watches::of([VMS, PODS]),
            stalls: Counter::default(),
            task_failures: Counter::default(),
            vms: Gauge::default(),
            unobserved: Gauge::default(),
            stalled: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Registers everything, and says what.
    pub fn register(&self, registry: &mut Registry) -> Vec<Entry> {
        let mut catalogue = Catalogue::of(registry);
        self.add_loop(&mut catalogue);
        self.add_vmms(&mut catalogue);
        self.watches.add(&mut catalogue);
        catalogue.into_entries()
    }

    fn add_loop(&self, catalogue: &mut Catalogue<'_>) {
        catalogue.add("reef_daemon_vms", "VMs of the node that are looked after", &self.vms);
        catalogue.add(
            "reef_daemon_vms_unobserved",
            "VMs of the node that could not be looked at five times in a row",
            &self.unobserved,
        );
        catalogue.add(
            "reef_daemon_vms_stalled",
            "VMs of the node whose guest has not followed for a long time",
            &self.stalled,
        );
        catalogue.add(
            "reef_daemon_stalls",
            "Times that a guest was found not to have followed for a long time",
            &self.stalls,
        );
        catalogue.add(
            "reef_daemon_task_failures",
            "Tasks of one VM that ended in a panic; each is a defect of Reef",
            &self.task_failures,
        );
    }

    fn add_vmms(&self, catalogue: &mut Catalogue<'_>) {
        catalogue.add(
            "reef_daemon_looks",
            "Looks at one VM, its container and its VMM together, by result",
            &self.looks,
        );
        catalogue.add(
            "reef_daemon_reports",
            "Writes of a report to the API server by result; unknown is one that may have been written or not",
            &self.reports,
        );
        catalogue.add("reef_vmm_calls", "Calls to VMMs by VMM, call and result", &self.calls);
        catalogue.add(
            "reef_vmm_call_duration_seconds",
            "Time of a call to a VMM by VMM and call, those that failed included",
            &self.took,
        );
        catalogue.add(
            "reef_vmm_sockets_refused",
            "Sockets to which nothing was sent, because they were not safe or another process than the VMM listened",
            &self.refused_sockets,
        );
    }

    /// VMs that are looked after.
    pub fn vms(&self) -> i64 {
        self.vms.get()
    }

    /// The node's loop goes round.
    pub(crate) fn turned(&self, vms: usize) {
        self.vms.set(i64::try_from(vms).unwrap_or(i64::MAX));
    }

    /// A task of a VM has failed.
    pub(crate) fn task_failed(&self) {
        self.task_failures.inc();
    }

    /// Marks of one VM.
    pub(crate) fn marks(&self) -> Marks {
        Marks { unobserved: Mark::of(&self.unobserved), stalled: Mark::of(&self.stalled), stalls: self.stalls.clone() }
    }
}

/// What one VM adds to the gauges, for as long as its task lives.
#[derive(Debug)]
pub(crate) struct Marks {
    unobserved: Mark,
    stalled: Mark,
    stalls: Counter,
}

impl Marks {
    /// Whether the VM cannot be looked at.
    pub(crate) fn unobserved(&mut self, is_so: bool) {
        self.unobserved.set(is_so);
    }

    /// Whether its guest stands still.
    pub(crate) fn stalled(&mut self, is_so: bool) {
        if self.stalled.set(is_so) {
            self.stalls.inc();
        }
    }
}

/// Adds one to a gauge for as long as something is so.
#[derive(Debug)]
struct Mark {
    gauge: Gauge,
    is_so: bool,
}

impl Mark {
    fn of(gauge: &Gauge) -> Self {
        Self { gauge: gauge.clone(), is_so: false }
    }

    /// Whether it has just begun to be so.
    fn set(&mut self, is_so: bool) -> bool {
        let before = std::mem::replace(&mut self.is_so, is_so);
        match (before, is_so) {
            (false, true) => self.gauge.inc(),
            (true, false) => self.gauge.dec(),
            (true, true) | (false, false) => 0,
        };
        is_so && !before
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_taken_back_with_the_task_that_made_it_and_each_stall_is_counted_once() {
        let metrics = Metrics::default();
        let (mut one, mut other) = (metrics.marks(), metrics.marks());
        one.stalled(true);
        one.stalled(true);
        other.stalled(true);
        assert_eq!((metrics.stalled.get(), metrics.stalls.get()), (2, 2));
        one.stalled(false);
        one.stalled(true);
        assert_eq!((metrics.stalled.get(), metrics.stalls.get()), (2, 3));
        drop((one, other));
        assert_eq!((metrics.stalled.get(), metrics.stalls.get()), (0, 3));
    }
}
