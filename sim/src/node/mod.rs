//! The nodes: a scheduler, kubelets by the rules and timings measured on 1.35.4, and what the host shows of each VM.
//!
//! Works on the cluster's objects directly, as a kubelet does through the API; must not know anything of Reef's roles.

pub mod affinity;
pub mod conditions;
pub mod events;
pub mod host;
pub mod host_tree;
pub mod invariant;
pub mod kubelet;
pub mod pod;
pub mod resources;
pub mod scheduler;
pub mod timings;

pub use host::{HostChange, HostFacts, HostWitness, Hosts};
pub use invariant::{Breach, Checker};
pub use kubelet::{Kubelet, NodeOptions, Quirks};
pub use pod::PodView;
pub use timings::NodeTimings;
