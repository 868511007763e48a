//! VMs as somebody keeps them in Git, and what a VM says of itself.

use reef_api::{Bytes, GIB, Size, Vcpus};

/// A size in whole GiB.
pub const fn size(vcpus: u32, gib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(gib * GIB.get()))
}

/// Name of a VM of the fleet.
pub fn name(number: usize) -> String {
    format!("vm-{number:04}")
}

/// File of a VM: all in one folder.
pub fn path(name: &str) -> String {
    format!("vms/{name}.yaml")
}

/// A manifest of a VM between 1 vCPU, 1Gi and 8 vCPUs, 8Gi.
pub fn manifest(name: &str, size: Size) -> String {
    format!(
        "apiVersion: cloudhypervisor.quill.today/v1beta1\n\
         kind: VirtualMachine\n\
         metadata:\n  name: {name}\n  labels:\n    team: bench\n\
         spec:\n  runPolicy: Always\n  instance:\n    cpu:\n      coresPerSocket: {}\n      min: 1\n      max: 8\n    \
         memory:\n      size: {}\n      min: 1Gi\n      max: 8Gi\n",
        size.vcpus, size.memory
    )
}
