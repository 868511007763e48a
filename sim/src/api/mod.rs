//! The API of the embedded cluster: what a Kubernetes API server answers, over one [`crate::store::Store`].
//!
//! One core behind two fronts: a tower service in the same process, deterministic under virtual time, and HTTP/1.1 for
//! `kubectl` and other processes. It holds no objects of its own and reads no clock but the store's.

mod access;
pub mod admit;
mod apply;
mod body;
mod discovery;
mod duplicates;
pub mod fault;
mod front;
mod negotiate;
mod openapi;
mod patch;
mod present;
mod protobuf;
mod read;
mod remove;
pub mod request;
mod resource;
pub mod respond;
mod schema;
mod selectors;
mod server;
mod service;
mod table;
mod watch;
mod write;

pub use admit::InfeasibleMode;
pub use fault::{ConnectionLost, Failure, Fault, FaultHook, WatchFailure};
pub use front::kubeconfig;
pub use request::RequestFacts;
pub use server::{ApiOptions, ApiServer};
pub use service::ApiService;
