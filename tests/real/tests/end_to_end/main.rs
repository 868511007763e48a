//! From a commit to a guest: Reef's roles as they ship, a real Kubernetes node, and a real Linux in a real VM.
//!
//! Judged by the guest's own numbers, the limits that the kernel holds its container to, and the VM's status. The VMM is
//! QEMU, which emulates the processor: it needs no hardware virtualisation, and the guest cannot tell.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod argocd;
mod boot;
mod cgroup;
mod crashes;
mod floor;
mod guest;
mod hand;
mod life;
mod manifest;
mod pressure;
mod refusals;
mod report;
mod reviewed;
mod role;
mod sizes;
mod stages;
mod story;
mod timeline;
mod world;
