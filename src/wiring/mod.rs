//! The edges: clock, chance, logs, signals, kubeconfig, libgit2's settings, health endpoints.
//!
//! The one place where Reef meets the machine that it runs on; everything here is handed to the roles as a value.

pub mod build;
pub mod chart;
pub mod clock;
pub mod crds;
pub mod embedded;
pub mod facts;
pub mod git;
pub mod health;
pub mod jitter;
pub mod kubeconfig;
pub mod leader;
pub mod log;
pub mod manifests;
pub mod objects;
#[cfg(feature = "otlp")]
pub mod otlp;
#[cfg(not(feature = "otlp"))]
#[path = "no_otlp.rs"]
pub mod otlp;
pub mod predecessor;
pub mod preflight;
pub mod roles;
pub mod schemas;
pub mod shutdown;
pub mod subject;
pub mod webhook;
