//! The words that every part of Reef shares: units, sizes, objects, validation, phases, reasons.

pub mod units;

pub use units::{
    Bytes, GIB, KIB, MEMORY_BLOCK, MIB, MilliCpu, Overcommit, Quantity, UnitError, VIRTIO_MEM_GRANULE, Vcpus,
};
