//! What the daemon is handed: its way to the API server, to the node and to the VMMs, and its numbers.
//!
//! The one place where a simulation differs from production. Nothing behind these is reached in another way.

use crate::decide::poll::Cadence;
use crate::host::Host;
use crate::metrics::Metrics;
use crate::vmm::{Dial, VmmLimits};
use kube::Client;
use std::sync::Arc;
use std::time::Duration;

/// Spreads delays, so that a fleet of daemons does not do everything at the same moment.
pub trait Jitter: Send + Sync {
    /// A delay near `delay`, never much longer.
    fn spread(&self, delay: Duration) -> Duration;
}

/// Spreads nothing: for one node, and for simulation.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJitter;

impl Jitter for NoJitter {
    fn spread(&self, delay: Duration) -> Duration {
        delay
    }
}

/// Everything that the daemon reaches the world through.
#[derive(Clone)]
pub struct Seams {
    /// The API server, for writes.
    pub client: Client,
    /// The API server, for watches.
    pub watch_client: Client,
    /// The node.
    pub host: Arc<dyn Host>,
    /// The VMMs' sockets.
    pub dial: Arc<dyn Dial>,
    /// Randomness in delays.
    pub jitter: Arc<dyn Jitter>,
    /// What is counted.
    pub metrics: Metrics,
}

/// The daemon's numbers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the node.
    pub node: String,
    /// How often a VM is looked at.
    pub cadence: Cadence,
    /// Deadlines and caps towards a VMM.
    pub vmm: VmmLimits,
    /// Deadline of a write to the API server.
    pub write_deadline: Duration,
    /// How often the daemon's own loop goes round when nothing happens, for its liveness.
    pub heartbeat: Duration,
    /// How long tasks may take to end when the daemon stops.
    pub grace: Duration,
}

impl Settings {
    /// The numbers of production, for a node.
    pub fn for_node(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            cadence: Cadence::default(),
            vmm: VmmLimits::default(),
            write_deadline: Duration::from_secs(10),
            heartbeat: Duration::from_secs(15),
            grace: Duration::from_secs(5),
        }
    }
}
