//! The VirtualMachine object: what a person states (`spec`) and what Reef reports (`status`).

mod held;
mod limitation;
mod setback;
mod spec;
mod status;

pub use limitation::Limitation;
pub use setback::{NodeRoom, Partial, Refused, Stalled};
pub use spec::{
    Cpu, Disk, DiskFormat, Hugepages, Initramfs, Instance, Kernel, Memory, RunPolicy, VirtualMachine,
    VirtualMachineSpec, VmmKind, Volume,
};
pub use status::{
    BootStatus, Grant, HistoryEntry, Outcome, Process, ResizeStatus, Used, UsedSource, VirtualMachineStatus, VmmStatus,
    VmmWaiting,
};
