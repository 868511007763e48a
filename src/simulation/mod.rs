//! The whole of Reef in one thread and virtual time: the real controller and daemons on the embedded cluster, from one seed.
//!
//! Only the seams are exchanged: clock, chance, transport, sockets, repositories. The same seed gives the same trace, byte for byte.
//! Nothing here decides anything for a role, and nothing may touch a real clock, socket or file.
//!
//! A [`World`] is played by a test by hand. A [`Script`] is made from a seed and played by itself, under the eyes of an [`invariants::Inspector`];
//! a script that breaks something is made smaller.

mod clock;
mod faults;
mod frozen;
mod hands;
pub mod invariants;
mod minimise;
mod node;
mod perform;
pub mod plans;
mod run;
pub mod script;
mod socket;
mod stage;
mod trace;
mod traps;
mod tree;
mod weather;
mod wire;
mod world;

pub use faults::{Call, Faults};
pub use minimise::{Smaller, minimised};
pub use node::SimHost;
pub use run::{Outcome, Play, play};
pub use script::{Scale, Script};
pub use trace::{Keep, Trace};
pub use world::{World, WorldError, deterministic};
