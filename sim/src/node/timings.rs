//! How long scheduler and kubelets take, in one place, with where each figure comes from.
//!
//! Must not hold behaviour: what happens is in the kubelet, only *when* is here.

use std::time::Duration;

use crate::vmm::Spread;

/// The delays of scheduler and kubelets; the default is what was measured on 1.35.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTimings {
    /// From a Pod that can be placed until it is bound. Measured: some 10 ms.
    pub bind: Duration,
    /// From a Pod that is bound until its container runs. Measured: Pods run 2 s after they are created.
    pub start: Duration,
    /// From a changed Pod until the kubelet has looked at it. Measured: 10-20 ms.
    pub react: Spread,
    /// From an allocated resize until the cgroup has it. Measured: 0.2-1 s.
    pub actuate: Spread,
    /// From an allocated resize that cannot be done until the condition says `Error`. Measured: 13 s.
    pub resize_error: Duration,
    /// Between two attempts at a resize that failed. Measured: about 15 s.
    pub resize_retry: Duration,
    /// From a signal until a VMM has stopped. Measured: below a second.
    pub stop: Duration,
    /// Between two renewals of a node's lease. Kubernetes' default.
    pub lease: Duration,
}

impl Default for NodeTimings {
    fn default() -> Self {
        Self {
            bind: Duration::from_millis(20),
            start: Duration::from_secs(2),
            react: Spread::millis(10, 20),
            actuate: Spread::millis(200, 1_000),
            resize_error: Duration::from_secs(13),
            resize_retry: Duration::from_secs(15),
            stop: Duration::from_millis(500),
            lease: Duration::from_secs(10),
        }
    }
}

impl NodeTimings {
    /// The same delays times `numerator / denominator`, each at least a millisecond; leases stay as they are.
    #[must_use]
    pub fn scaled(&self, numerator: u32, denominator: u32) -> Self {
        let by = |time: Duration| crate::vmm::timings::scale(time, numerator, denominator);
        Self {
            bind: by(self.bind),
            start: by(self.start),
            react: self.react.scaled(numerator, denominator),
            actuate: self.actuate.scaled(numerator, denominator),
            resize_error: by(self.resize_error),
            resize_retry: by(self.resize_retry),
            stop: by(self.stop),
            lease: self.lease,
        }
    }
}
