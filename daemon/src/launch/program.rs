//! Finding the VMM's program, asking it for its version, and what runs the guest's code.
//!
//! The VM itself is not started here.

use super::error::LaunchError;
use crate::decide::launch::{Accelerator, unsuitable};
use reef_api::vm::VmmKind;
use std::env;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// For a program to tell its version: the first start on a cold node reads it from disk.
const VERSION_WITHIN: Duration = Duration::from_secs(20);
const KVM: &str = "/dev/kvm";

/// The program of a VMM: the one that is named, or the first on PATH.
pub(super) fn find(vmm: VmmKind, named: Option<&Path>) -> Result<PathBuf, LaunchError> {
    if let Some(path) = named {
        let missing =
            || LaunchError::VmmMissing { program: path.display().to_string(), looked: "its place".to_owned() };
        return path.is_file().then(|| path.to_owned()).ok_or_else(missing);
    }
    let name = match vmm {
        VmmKind::CloudHypervisor => "cloud-hypervisor",
        VmmKind::Qemu => "qemu-system-x86_64",
    };
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    let looked = format!("PATH ({})", folders.to_string_lossy());
    found.ok_or_else(|| LaunchError::VmmMissing { program: name.to_owned(), looked })
}

/// Checks that the program's version is one that Reef can use, and gives what it said.
pub(super) async fn check(vmm: VmmKind, program: &Path) -> Result<String, LaunchError> {
    let broken = |source| LaunchError::VmmBroken { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let late = |_| broken(io::Error::new(io::ErrorKind::TimedOut, "it did not tell its version"));
    let output = tokio::time::timeout(VERSION_WITHIN, command.output()).await.map_err(late)?.map_err(broken)?;
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let said = String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned();
    match unsuitable(vmm, &said) {
        Some(why) => Err(LaunchError::VmmUnsuitable { program: program.to_owned(), why }),
        None => Ok(said),
    }
}

/// What runs the guest's code: what is asked for, else the node's processors, else QEMU's translation.
pub(super) fn accelerator(vmm: VmmKind, asked: Option<Accelerator>) -> Result<Accelerator, LaunchError> {
    let kvm = || OpenOptions::new().read(true).write(true).open(KVM).map(|_| Accelerator::Kvm);
    match (vmm, asked) {
        (VmmKind::Qemu, Some(Accelerator::Tcg)) => Ok(Accelerator::Tcg),
        (VmmKind::Qemu, None) => Ok(kvm().unwrap_or(Accelerator::Tcg)),
        (VmmKind::Qemu, Some(Accelerator::Kvm)) | (VmmKind::CloudHypervisor, _) => {
            kvm().map_err(|source| LaunchError::Accelerator { source })
        }
    }
}
