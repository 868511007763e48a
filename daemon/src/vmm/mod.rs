//! The one trait for VMMs, and one file for each of them.
//!
//! A client observes and asks; it decides nothing, repeats nothing, and knows no grant.

pub mod classify;
pub mod cloud_hypervisor;
mod connection;
mod counted;
pub mod dial;
mod error;
pub mod info;
mod metered;
mod peer;
pub mod qemu;
pub mod qmp;
mod socket;

pub use cloud_hypervisor::CloudHypervisor;
pub use counted::CountedVmm;
pub use dial::{Dial, Dialed, HyperlocalDial, Stream, VerifyingDial};
pub use error::{Delivery, VmmError};
pub use peer::Peer;
pub use qemu::Qemu;
pub use qmp::Qmp;

use dial::connect;

use crate::decide::accounting::ConnectionId;
use crate::decide::{GuestMemory, MachineState, MemoryDevice, VcpuDevice};
use futures::future::BoxFuture;
use reef_api::vm::BootStatus;
use reef_api::{Bytes, Vcpus};
use std::time::Duration;

/// A VMM that runs one VM.
///
/// One connection and one request at a time, each with a deadline. Nothing is tried twice.
pub trait Vmm: Send {
    /// Reads what the VMM tells of its VM.
    fn observe(&mut self) -> BoxFuture<'_, Result<VmmReport, VmmError>>;

    /// Asks for a number of vCPUs. `Ok` means accepted, not done.
    fn set_vcpus(&mut self, vcpus: Vcpus) -> BoxFuture<'_, Result<(), VmmError>>;

    /// Asks for a size of guest memory. `Ok` means accepted, not done.
    fn set_memory(&mut self, memory: Bytes) -> BoxFuture<'_, Result<(), VmmError>>;

    /// Drops the connection; the next request opens a new one.
    fn disconnect(&mut self);
}

/// What a VMM tells of its VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmmReport {
    /// The connection on which it was told.
    pub connection: ConnectionId,
    /// Version of the VMM, in its own words.
    pub version: String,
    /// Whether the machine takes a resize.
    pub state: MachineState,
    /// vCPUs that it was last asked for.
    pub vcpus_requested: Vcpus,
    /// vCPUs that there are, where it tells that. The host shows them as well.
    pub vcpus_present: Option<Vcpus>,
    /// How vCPUs are added and taken away.
    pub vcpu_device: VcpuDevice,
    /// The number that it was asked to shrink to, where the guest has said since the last look that it does not let go.
    pub vcpus_refused: Option<Vcpus>,
    /// Memory that it was last asked for.
    pub memory_requested: Bytes,
    /// Memory that is plugged into the guest.
    pub memory_actual: Bytes,
    /// How memory is added and taken away.
    pub memory_device: MemoryDevice,
    /// What the guest says of its own memory, where it does.
    pub guest: Option<GuestMemory>,
    /// What the VM booted with.
    pub boot: BootStatus,
}

/// Deadlines and caps of a VMM's client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VmmLimits {
    /// For a connection to be made.
    pub connect: Duration,
    /// For one request and its whole reply.
    pub request: Duration,
    /// Bytes of a reply that tells something.
    pub info_bytes: usize,
    /// Bytes of a reply that refuses.
    pub error_bytes: usize,
}

impl Default for VmmLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            request: Duration::from_secs(10),
            info_bytes: 256 << 10,
            error_bytes: 8 << 10,
        }
    }
}
