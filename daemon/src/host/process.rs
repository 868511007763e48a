//! The VMM's process: which one it is, when it started, and how many vCPUs it has.
//!
//! Reads `/proc` below the host's root. Sends no signal and traces nothing.

use super::HostError;
use super::read::{self, is_gone, unexpected};
use reef_api::vm::Process;
use reef_api::{Vcpus, VmmKind};
use std::collections::BTreeSet;
use std::path::Path;

/// The VMMs by the names of their processes as the kernel keeps them: cut to fifteen characters.
const VMMS: [(&str, VmmKind); 2] = [("cloud-hyperviso", VmmKind::CloudHypervisor), ("qemu-system-x86", VmmKind::Qemu)];
/// Fields of `/proc/PID/stat` between the name of the process and its start time.
const FIELDS_BEFORE_START: usize = 19;

/// Finds the one VMM among the processes of a container.
pub(super) fn find(root: &Path, container_id: &str, pids: &[u32]) -> Result<(u32, VmmKind), HostError> {
    let mut vmms = Vec::new();
    for pid in pids {
        match read::text(&folder(root, *pid).join("comm")) {
            Ok(comm) => vmms.extend(kind(&comm).map(|kind| (*pid, kind))),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    match vmms.as_slice() {
        [] => Err(HostError::NoVmm { container_id: container_id.to_owned() }),
        [vmm] => Ok(*vmm),
        _ => {
            let pids = vmms.iter().map(|(pid, _)| *pid).collect();
            Err(HostError::SeveralVmms { container_id: container_id.to_owned(), pids })
        }
    }
}

fn kind(comm: &str) -> Option<VmmKind> {
    VMMS.iter().find(|(name, _)| *name == comm).map(|(_, kind)| *kind)
}

/// Reads a process: its identity, and its distinct vCPU threads. The identity is read before and after the threads, so
/// that they are of one process even when its id is used again in between.
pub(super) fn observe(root: &Path, pid: u32, kind: VmmKind) -> Result<(Process, Vcpus), HostError> {
    let changed = |error: HostError| if is_gone(&error) { HostError::ProcessChanged { pid } } else { error };
    let before = start_time(root, pid).map_err(changed)?;
    let vcpus = vcpus(root, pid, kind).map_err(changed)?;
    if start_time(root, pid).map_err(changed)? != before {
        return Err(HostError::ProcessChanged { pid });
    }
    Ok((Process { pid, start_time: before }, vcpus))
}

fn folder(root: &Path, pid: u32) -> std::path::PathBuf {
    root.join("proc").join(pid.to_string())
}

/// Field 22 of `stat`. The name before it is in brackets and may hold brackets and spaces itself.
fn start_time(root: &Path, pid: u32) -> Result<u64, HostError> {
    let path = folder(root, pid).join("stat");
    let text = read::text(&path)?;
    let field = text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(FIELDS_BEFORE_START));
    let field = field.and_then(|field| field.parse().ok());
    field.ok_or_else(|| unexpected(&path, "the status of a process", &text))
}

/// Counts distinct names: after a guest has ejected a middle vCPU by itself, a growth makes two threads of one name.
fn vcpus(root: &Path, pid: u32, kind: VmmKind) -> Result<Vcpus, HostError> {
    let mut numbers = BTreeSet::new();
    for thread in read::names(&folder(root, pid).join("task"))? {
        match read::text(&thread.join("comm")) {
            Ok(comm) => numbers.extend(vcpu_number(&comm, kind)),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Vcpus(u32::try_from(numbers.len()).unwrap_or(u32::MAX)))
}

/// `vcpu3`; of QEMU `CPU 3/KVM` or `CPU 3/TCG`, where it was told to name its threads.
fn vcpu_number(comm: &str, kind: VmmKind) -> Option<u32> {
    let number = match kind {
        VmmKind::CloudHypervisor => comm.strip_prefix("vcpu")?,
        VmmKind::Qemu => comm.strip_prefix("CPU ")?.split_once('/')?.0,
    };
    number.parse().ok()
}
