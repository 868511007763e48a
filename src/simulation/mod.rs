//! The whole of Reef in one thread and virtual time: the real controller and daemons on the embedded cluster, from one seed.
//!
//! Only the seams are exchanged: clock, chance, transport, sockets, repositories. The same seed gives the same trace, byte for byte.
//! Nothing here decides anything for a role, and nothing may touch a real clock, socket or file.

mod faults;
mod node;
mod trace;
mod world;

pub use faults::{Call, Faults};
pub use node::{SimDial, SimHost};
pub use trace::Trace;
pub use world::{World, WorldError, deterministic};
