//! The VMs of the fleet as their files.

use std::path::Path;

use anyhow::Context;
use reef::demo::repository::Change;

/// Name of a VM.
pub fn name(number: usize) -> String {
    format!("vm-{number:05}")
}

/// The file of a VM that has so many GiB.
pub fn file(name: &str, gib: u64) -> Change {
    Change::Write { path: format!("vms/{name}.yaml"), text: manifest(name, gib) }
}

/// The manifest of a VM with two vCPUs.
fn manifest(name: &str, gib: u64) -> String {
    format!(
        "apiVersion: cloudhypervisor.quill.today/v1beta1\n\
         kind: VirtualMachine\n\
         metadata:\n  name: {name}\n  labels:\n    team: bench\n\
         spec:\n  runPolicy: Always\n  instance:\n    cpu:\n      coresPerSocket: 2\n      min: 1\n      max: 8\n    \
         memory:\n      size: {gib}Gi\n      min: 1Gi\n      max: 8Gi\n"
    )
}

/// The files of all VMs, for a tool that reads a folder.
pub fn write(folder: &Path, vms: usize, gib: u64) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for name in (0..vms).map(name) {
        let path = folder.join(format!("{name}.yaml"));
        std::fs::write(&path, manifest(&name, gib)).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}
