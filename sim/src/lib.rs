//! An embedded cluster: API server, scheduler, kubelets, Cloud Hypervisors and guests, by measured rules.

pub mod api;
pub mod cluster;
pub mod node;
pub mod store;
pub mod vmm;
