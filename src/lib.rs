//! The roles of Reef put together: command line, wiring to the machine and the cluster, what people see, the demonstration.
//!
//! No decision about a VM is made here. A library only so that the tests beside it can use the same wiring.

pub mod cli;
pub mod demo;
pub mod simulation;
pub mod view;
pub mod wiring;
