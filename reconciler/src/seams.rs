//! What the controller is handed from outside, each at this one place: clients, clock, chance, repositories; and where it counts.
//!
//! Production passes the real ones, simulation its own. Nothing here does anything by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use reef_api::{Clock, NodeDevice};

use crate::metrics::Metrics;
use crate::source::{FileUrls, Repositories};

/// Chance, for spreading work over time. Never decides anything.
pub trait Jitter: Send + Sync {
    /// A duration between nothing and `most`.
    fn up_to(&self, most: Duration) -> Duration;
}

/// Everything that is handed in.
#[derive(Clone)]
pub struct Seams {
    /// For requests. Must not retry by itself.
    pub client: Client,
    /// For watches: its read time-out must be longer than a watch may be silent.
    pub watch_client: Client,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub jitter: Arc<dyn Jitter>,
    /// Where commits come from.
    pub repositories: Arc<dyn Repositories>,
    /// What is counted.
    pub metrics: Metrics,
}

/// What can be set from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether sources may name repositories of this machine's file system.
    pub file_urls: FileUrls,
    /// Image of the container `vm-manager`.
    pub vmm_image: String,
    /// Devices of its node that the Pod of a VM asks for from now on; one that is there already keeps what it has.
    pub vm_devices: BTreeSet<NodeDevice>,
    /// Namespace of Argo CD: where Applications are that are named without one.
    pub argocd_namespace: String,
    /// How many requests may be under way at once.
    pub concurrency: usize,
}
