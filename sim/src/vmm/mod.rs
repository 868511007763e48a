//! A Cloud Hypervisor per VM, with the answers that were measured on v53, and a guest that follows or does not.
//!
//! The state machine ([`Machine`]) is pure: time is passed in and randomness comes from a seeded generator. Only
//! [`Vmm`] and [`socket`] know a runtime. It stands in for the other party and must not know anything of Reef's roles.

pub mod answer;
pub mod config;
pub mod fault;
pub mod guest;
mod guest_memory;
pub mod http;
pub mod hypervisor;
pub mod machine;
pub mod memory;
pub mod net;
pub mod socket;
pub mod task;
pub mod timings;
pub mod vcpus;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Refusal};
pub use config::{BalloonConfig, CpusConfig, HotplugMethod, MemoryConfig, VmConfig};
pub use fault::{Fault, FaultPlan};
pub use guest::{Behaviour, CpuEject, GuestView, Plug, Pressed, Unplug};
pub use hypervisor::{ResizeRequest, VmState};
pub use machine::{Layout, Machine, VmmView};
pub use net::VmmNet;
pub use task::{Fate, Observer, Vmm, VmmGone};
pub use timings::{Spread, VmmTimings};
