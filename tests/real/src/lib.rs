//! Starts and stops a real Kubernetes on one machine, for tests and to play with.
//!
//! The other parties only: API server, scheduler, controllers, kubelet, containers, guests. Nothing of Reef's roles is in here.
//!
//! ```text
//! Cluster (a test)          a handle; when it is dropped, or its process dies, the warden's input ends
//!   └ warden                claims a slot, makes folder and cgroups, and removes them at the end
//!       └ init.sh           own process and mount namespaces: their end is the end of all that is in them
//!           └ supervisor    starts, kills and revives the parties
//!               └ etcd, kube-apiserver, containerd, kubelet, ...
//! ```
mod build;
mod cluster;
pub mod image;
mod layout;
mod options;
mod parties;
pub mod play;
mod ready;
mod setup;
pub mod stage;
pub mod supervisor;
pub mod warden;
mod wire;

pub use cluster::Cluster;
pub use options::{DEFAULT_VERSION, Options, Party, Program, Shape};
