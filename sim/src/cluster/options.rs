//! How an embedded cluster is made. Plain data.

use std::path::PathBuf;
use std::sync::Arc;

use reef_api::size::DEFAULT_OVERHEAD;
use reef_api::{Bytes, Clock, GIB, MilliCpu};

use crate::api::ApiOptions;
use crate::node::{NodeOptions, NodeTimings};
use crate::vmm::VmmTimings;

/// All delays of a cluster's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterTimings {
    /// Scheduler and kubelets.
    pub node: NodeTimings,
    /// VMMs and guests.
    pub vmm: VmmTimings,
}

impl ClusterTimings {
    /// The same delays times `numerator / denominator`.
    #[must_use]
    pub fn scaled(&self, numerator: u32, denominator: u32) -> Self {
        Self { node: self.node.scaled(numerator, denominator), vmm: self.vmm.scaled(numerator, denominator) }
    }
}

/// How an embedded cluster is made.
#[derive(Clone)]
pub struct ClusterOptions {
    /// All that is random follows from it.
    pub seed: u64,
    /// The nodes.
    pub nodes: Vec<NodeOptions>,
    /// The delays.
    pub timings: ClusterTimings,
    /// Where each node's host tree and real sockets are kept, below a folder of the node's name; in memory alone without it.
    pub host_dir: Option<PathBuf>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// How the API server behaves.
    pub api: ApiOptions,
    /// What the checker of the invariant adds to a VM's memory.
    pub overhead: Bytes,
}

impl ClusterOptions {
    /// A cluster of two nodes with 16 CPUs and 64 GiB each, with the measured delays.
    #[must_use]
    pub fn two_nodes(seed: u64, clock: Arc<dyn Clock>) -> Self {
        let node = |name: &str| NodeOptions::new(name, MilliCpu(16_000), Bytes(64 * GIB.get()));
        Self {
            seed,
            nodes: vec![node("node-1"), node("node-2")],
            timings: ClusterTimings::default(),
            host_dir: None,
            clock,
            api: ApiOptions::default(),
            overhead: DEFAULT_OVERHEAD,
        }
    }
}
