//! The words that every part of Reef shares: units, sizes, objects, validation, phases, reasons.

pub mod units;

pub use units::{
    Bytes, GIB, KIB, MEMORY_BLOCK, MIB, MilliCpu, Overcommit, Quantity, UnitError, VIRTIO_MEM_GRANULE, Vcpus,
};

pub mod dns;
pub mod nearest;

pub use dns::{NameError, dns1123_label, dns1123_subdomain};
pub use nearest::nearest;
