//! The controller as it ships, by an account with its rights and no others, against a real API server and etcd.
//!
//! Nobody acts on objects in such a cluster: scheduler, kubelet and daemon are played by a few lines, which always do as they are told.
//! What needs a container or a guest is told in `end_to_end`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod admission;
mod asked;
mod chart;
mod failover;
mod helm;
mod nodes;
mod played;
mod predecessor;
mod release;
mod stand;
mod store;
mod tenancy;
mod unwell;
mod webhook;
