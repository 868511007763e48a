//! The words that every part of Reef shares: units, sizes, objects, validation, phases, reasons.
//!
//! Pure values and pure functions only: no client, no runtime, no clock that reads itself, no file and no environment.
//! Everything that `kubectl` shows of Reef is defined here, and nothing here knows how it gets into a cluster.

pub mod argocd;
pub mod boot;
pub mod check;
pub mod condition;
pub mod devices;
pub mod dns;
pub mod effective;
pub mod event;
pub mod facts;
pub mod filled;
pub mod launch;
pub mod limits;
pub mod names;
pub mod nearest;
pub mod node_device;
pub mod phase;
pub mod plan;
pub mod policy;
pub mod reason;
pub mod request;
pub mod seam;
pub mod size;
pub mod source;
pub mod suspension;
pub mod units;
pub mod validate;
pub mod vm;

pub use boot::{BootLayout, boot_layout};
pub use check::{CapacityCheck, CapacityCheckSpec};
pub use devices::Devices;
pub use dns::{NameError, dns1123_label, dns1123_subdomain};
pub use effective::{Vm, defaulted};
pub use event::EventName;
pub use limits::{DecidedBy, LimitsDecidedBy};
pub use names::VmKey;
pub use nearest::nearest;
pub use node_device::NodeDevice;
pub use phase::Phase;
pub use policy::{
    EffectivePolicy, Meanwhile, PolicyConflict, RestartPolicy, ShrinkGate, SizingPolicy, SizingPolicySpec,
};
pub use reason::Reason;
pub use request::Request;
pub use seam::Clock;
pub use size::{PodSize, Size};
pub use source::{GitSource, GitSourceSpec};
pub use suspension::{Suspended, Suspension};
pub use units::{
    Bytes, GIB, KIB, Lease, MEMORY_BLOCK, MIB, MilliCpu, Overcommit, Quantity, UnitError, VIRTIO_MEM_GRANULE, Vcpus,
};
pub use validate::{Violation, validate};
pub use vm::{VirtualMachine, VirtualMachineSpec, VirtualMachineStatus, VmmKind};
