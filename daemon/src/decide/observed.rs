//! What a decision looks at: one VMM and its container, as plain values.
//!
//! Values only. Where they are read is the business of `vmm` and `host`.

use super::accounting::Accounting;
use super::pace::Pace;
use reef_api::vm::{BootStatus, Grant};
use reef_api::{Bytes, MilliCpu, Size};

/// A VMM as it was last observed, and what this process knows of its own dealings with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmmObserved {
    /// The grant that this process has acknowledged, by a write that carried the resourceVersion of what it read.
    pub taken: Option<Grant>,
    /// The largest number of a grant whose acknowledgement was ever sent, whether or not it is known to have arrived: an
    /// older grant is void from then on, because the controller may count on it.
    pub pledged: u64,
    /// Whether every request of ours is accounted for.
    pub accounting: Accounting,
    /// Whether the machine takes a resize.
    pub state: MachineState,
    /// What the VMM was last asked for, by its own word.
    pub requested: Size,
    /// vCPU threads that the VMM has, and memory that is plugged.
    pub actual: Size,
    /// What the VM booted with.
    pub boot: BootStatus,
    /// How vCPUs are added and taken away.
    pub vcpu_device: VcpuDevice,
    /// How memory is added and taken away.
    pub memory_device: MemoryDevice,
    /// The limits of the container that the VMM runs in.
    pub limits: Limits,
    /// Memory that the container uses; `None` when it could not be read.
    pub used: Option<Bytes>,
    /// What the guest says of its own memory; `None` where it says nothing, or nothing new.
    pub guest: Option<GuestMemory>,
    /// By how much the container's use has grown since the guest said so.
    pub grown: Bytes,
    /// By how much the guest's use has risen of late; `None` where it was not watched for so long.
    pub risen: Option<Bytes>,
    /// Refusals that are not to be provoked again at once.
    pub pace: Pace,
}

/// Whether the machine takes a resize.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineState {
    /// The guest runs.
    Running,
    /// The vCPUs are stopped; a resize is accepted and takes effect when they go on.
    Paused,
    /// There is no machine that runs: the VMM would accept anything, check nothing, and only edit its configuration.
    NotRunning,
}

/// How the VMM adds vCPUs and takes them away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VcpuDevice {
    /// By number: while a removal is pending every other number is refused, and the present one is accepted and then undone.
    Counted,
    /// Slot by slot: a slot can be asked for again at any time, and adding to others does not disturb a removal.
    Slots,
    /// Slot by slot in an emulated machine that a vCPU was removed from: QEMU does not survive that another one is added.
    SpentSlots,
}

/// What a guest says of its own memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestMemory {
    /// What its kernel manages (`MemTotal`).
    pub total: Bytes,
    /// What programs could still get (`MemAvailable`).
    pub available: Bytes,
    /// When it said so, by a clock of the VMM's: another number is another saying.
    pub said: u64,
}

/// How the VMM adds memory and takes it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryDevice {
    /// virtio-mem, and the plugged size that is told is the real one.
    VirtioMem,
    /// virtio-mem of a VMM that tells the request as the plugged size (before v52): growth is harmless, a shrink cannot be seen.
    VirtioMemEcho,
    /// ACPI: growth in DIMMs; a shrink answers yes, and frees nothing.
    Acpi,
    /// No memory can be added: there is no hotplug region, or zones that the user defined.
    Fixed,
}

/// A limit of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit<T> {
    /// There is none.
    Unlimited,
    /// This much.
    At(T),
    /// It could not be read, so it is not taken for generous.
    Unknown,
}

impl<T: PartialOrd> Limit<T> {
    /// Whether the limit is known to allow `amount`.
    pub fn covers(&self, amount: &T) -> bool {
        match self {
            Self::Unlimited => true,
            Self::At(limit) => limit >= amount,
            Self::Unknown => false,
        }
    }
}

/// The limits of the container that the VMM runs in, as the kernel has them now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// CPU time.
    pub cpu: Limit<MilliCpu>,
    /// Memory, of the guest and of the VMM together.
    pub memory: Limit<Bytes>,
}
