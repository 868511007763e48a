//! The loop against a small API server and repositories in memory.

mod api;
mod argocd;
mod audit;
mod checks;
mod git;
mod removed;
mod tenancy;
mod vms;
mod world;
