//! What a VM boots with, in the *elastic layout*: memory at its floor with the rest plugged at once, room reserved up to the ceiling.
//!
//! The one place that says it; plan, controller, launch and the embedded cluster all use this value. It knows no VMM's command line.

use crate::devices::{AttachedDisk, DiskSource};
use crate::effective::Vm;
use crate::names::{INITRAMFS_FILE, KERNEL_FILE, KERNEL_VOLUME, VOLUMES_MOUNT};
use crate::units::{Bytes, Vcpus};
use crate::vm::{BootStatus, DiskFormat, Kernel, VmmKind};
use serde::{Deserialize, Serialize};

/// Everything that is fixed when a VM boots. Handed to the container `vm-manager` as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootLayout {
    /// The VMM.
    pub vmm: VmmKind,
    /// Name of the VM, for people who look at the node's processes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// vCPUs at boot.
    pub vcpus: Vcpus,
    /// Fewest vCPUs while it runs.
    pub min_vcpus: Vcpus,
    /// Most vCPUs while it runs (`max_vcpus`).
    pub max_vcpus: Vcpus,
    /// Guest memory at boot: the floor, and the rest plugged at once.
    pub memory: Bytes,
    /// Least guest memory while it runs (`memory.size`).
    pub min_memory: Bytes,
    /// Most guest memory while it runs (`memory.size + hotplug_size`).
    pub max_memory: Bytes,
    /// Kernel to boot directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelFiles>,
    /// Disks, in the order in which the guest sees them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<DiskFile>,
}

/// A kernel as the container finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KernelFiles {
    /// The kernel.
    pub path: String,
    /// The initial RAM file system, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initramfs: Option<String>,
    /// Command line of the kernel.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cmdline: String,
}

/// A disk as the container finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskFile {
    /// Name of its volume, which is also the serial number that the guest sees.
    pub name: String,
    /// A file or a block device.
    pub path: String,
    /// How it holds the disk.
    #[serde(default)]
    pub format: DiskFormat,
    /// Whether the guest may only read it.
    #[serde(default, rename = "readonly", skip_serializing_if = "is_false")]
    pub read_only: bool,
}

const fn is_false(value: &bool) -> bool {
    !*value
}

impl BootLayout {
    /// The limits of a VM that booted with this layout.
    pub const fn limits(&self) -> BootStatus {
        BootStatus {
            min_vcpus: self.min_vcpus,
            max_vcpus: self.max_vcpus,
            min_memory: self.min_memory,
            max_memory: self.max_memory,
        }
    }
}

/// The layout that a VM boots with.
pub fn boot_layout(vm: &Vm) -> BootLayout {
    BootLayout {
        vmm: vm.vmm,
        name: vm.key.to_string(),
        vcpus: vm.size.vcpus,
        min_vcpus: vm.floor.vcpus,
        max_vcpus: vm.ceiling.vcpus,
        memory: vm.size.memory,
        min_memory: vm.floor.memory,
        max_memory: vm.ceiling.memory,
        kernel: vm.devices.kernel.as_ref().map(kernel),
        disks: vm.devices.disks.iter().map(disk).collect(),
    }
}

/// Where a volume of the VM is mounted in its container; a block device is at this path itself.
pub fn mount_path(volume: &str) -> String {
    format!("{VOLUMES_MOUNT}/{volume}")
}

fn kernel(kernel: &Kernel) -> KernelFiles {
    let folder = mount_path(KERNEL_VOLUME);
    KernelFiles {
        path: format!("{folder}/{KERNEL_FILE}"),
        initramfs: kernel.initramfs.as_ref().map(|_| format!("{folder}/{INITRAMFS_FILE}")),
        cmdline: kernel.cmdline.clone(),
    }
}

fn disk(disk: &AttachedDisk) -> DiskFile {
    DiskFile { name: disk.name.clone(), path: disk.path(), format: disk.format, read_only: disk.read_only }
}

impl AttachedDisk {
    /// Its file or device in the container.
    pub fn path(&self) -> String {
        let mount = mount_path(&self.name);
        match self.source {
            DiskSource::ContainerDisk(_) => format!("{mount}/disk.raw"),
            DiskSource::ContainerRootfs(..) => format!("{mount}/rootfs.raw"),
            DiskSource::ClaimFile(_) => format!("{mount}/disk.img"),
            DiskSource::ClaimDevice(_) => mount,
        }
    }
}
