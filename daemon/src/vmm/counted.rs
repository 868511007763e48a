//! A VMM whose calls are counted. Changes nothing of them.

use super::{Vmm, VmmError, VmmReport};
use crate::metrics::{DONE, Metrics};
use futures::FutureExt;
use futures::future::BoxFuture;
use reef_api::{Bytes, Vcpus, VmmKind};
use tokio::time::Instant;

/// The VMM, and where its calls are counted.
pub struct CountedVmm {
    vmm: Box<dyn Vmm>,
    kind: &'static str,
    metrics: Metrics,
}

impl CountedVmm {
    /// Counts the calls of `vmm`.
    pub fn new(vmm: Box<dyn Vmm>, kind: VmmKind, metrics: Metrics) -> Self {
        let kind = match kind {
            VmmKind::CloudHypervisor => "cloud-hypervisor",
            VmmKind::Qemu => "qemu",
        };
        Self { vmm, kind, metrics }
    }

    fn count<T>(&self, call: &'static str, begun: Instant, outcome: &Result<T, VmmError>) {
        let result = outcome.as_ref().map_or_else(VmmError::category, |_| DONE);
        self.metrics.calls.of([self.kind, call, result]).inc();
        self.metrics.took.of([self.kind, call]).observe(begun.elapsed().as_secs_f64());
        if let Some(reason) = outcome.as_ref().err().and_then(VmmError::refused_socket) {
            self.metrics.refused_sockets.of([reason]).inc();
        }
    }
}

impl Vmm for CountedVmm {
    fn observe(&mut self) -> BoxFuture<'_, Result<VmmReport, VmmError>> {
        async move {
            let begun = Instant::now();
            let outcome = self.vmm.observe().await;
            self.count("observe", begun, &outcome);
            outcome
        }
        .boxed()
    }

    fn set_vcpus(&mut self, vcpus: Vcpus) -> BoxFuture<'_, Result<(), VmmError>> {
        async move {
            let begun = Instant::now();
            let outcome = self.vmm.set_vcpus(vcpus).await;
            self.count("set-vcpus", begun, &outcome);
            outcome
        }
        .boxed()
    }

    fn set_memory(&mut self, memory: Bytes) -> BoxFuture<'_, Result<(), VmmError>> {
        async move {
            let begun = Instant::now();
            let outcome = self.vmm.set_memory(memory).await;
            self.count("set-memory", begun, &outcome);
            outcome
        }
        .boxed()
    }

    fn disconnect(&mut self) {
        self.vmm.disconnect();
    }
}
