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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::launch::{Accelerator, Backing, BackingKind, Facts, command_line};
    use reef_api::boot::DiskFile;
    use reef_api::{BootLayout, Bytes, Vcpus, VmmKind};

    /// A VM that boots with one vCPU and one GiB more than its floor.
    fn started() -> String {
        let disk: DiskFile = serde_json::from_str(r#"{ "name": "d", "path": "/d" }"#).unwrap();
        let layout = BootLayout {
            vmm: VmmKind::Qemu,
            name: "web".to_owned(),
            vcpus: Vcpus(2),
            min_vcpus: Vcpus(1),
            max_vcpus: Vcpus(4),
            memory: Bytes(2 << 30),
            min_memory: Bytes(1 << 30),
            max_memory: Bytes(8 << 30),
            kernel: None,
            disks: vec![disk],
        };
        let disks = vec![Backing { kind: BackingKind::File, direct: true }];
        let facts = Facts { accelerator: Accelerator::Kvm, disks, socket: "/run/reef/qmp.sock".to_owned() };
        command_line(&layout, &facts).unwrap().join(" ")
    }

    #[test]
    fn the_launcher_starts_devices_of_these_names() {
        let started = started();
        let memory = format!("virtio-mem-pci,id={MEMORY_DEVICE},memdev={MEMORY_BACKEND},");
        let balloon = format!("virtio-balloon-pci,id={BALLOON},");
        let statistics = format!("guest-stats-polling-interval={STATISTICS_SECONDS}");
        for expected in [memory, balloon, statistics, format!("id={},socket-id=1", vcpu(1))] {
            assert!(started.contains(&expected), "{expected} is not in {started}");
        }
    }
}
