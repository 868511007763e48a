//! Names of the devices of a VM in QEMU: what `reef launch` starts and what the daemon asks must agree on them.
//!
//! Names only.

/// Id of the memory backend that memory is plugged from.
pub const MEMORY_BACKEND: &str = "vmem0";
/// Id of the virtio-mem device.
pub const MEMORY_DEVICE: &str = "vm0";
/// Id of the balloon, which reports free pages and the guest's own statistics and never inflates.
pub const BALLOON: &str = "balloon0";
/// Seconds between two looks of the balloon at the guest's statistics.
pub const STATISTICS_SECONDS: u64 = 2;
/// Id of an object without any effect. It is there once the removal of a vCPU was asked for, and tells that to whoever comes later.
pub const REMOVAL_MARK: &str = "reef-vcpu-removed";
/// Where QEMU keeps devices that have an id.
pub const PERIPHERAL: &str = "/machine/peripheral";

/// Id of a vCPU that is added after the ones at boot. Numbers count all slots, from 0.
pub fn vcpu(number: usize) -> String {
    format!("vcpu-{number}")
}

/// Path of a device by its id.
pub fn path(id: &str) -> String {
    format!("{PERIPHERAL}/{id}")
}
