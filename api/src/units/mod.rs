//! The units of Reef: exact quantities, memory, CPU time, vCPUs and ratios, each with one way to read and one way to print.
//!
//! Nothing here computes with floats, reads a clock or does I/O. Reading what was printed gives the same value back.

mod bytes;
mod cpu;
mod digits;
mod error;
mod lease;
mod overcommit;
mod quantity;
mod suffix;
mod wire;

pub use bytes::{Bytes, GIB, KIB, MEMORY_BLOCK, MIB, VIRTIO_MEM_GRANULE};
pub use cpu::{MilliCpu, Vcpus};
pub use error::UnitError;
pub use lease::Lease;
pub use overcommit::Overcommit;
pub use quantity::{Format, Quantity};
