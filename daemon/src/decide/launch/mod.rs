//! From a boot layout to the command line of a VMM, in the *elastic layout*: memory at its floor with the rest plugged at once, room reserved
//! up to the ceilings.
//!
//! Pure: what the node shows of files and processors comes in as `Facts`. The ids of QEMU's devices are a contract with `vmm::qemu`.

mod cloud_hypervisor;
mod ending;
mod qemu;
#[cfg(test)]
mod tests;
mod version;

pub use ending::{Ending, Told, told};
pub(crate) use ending::{STOPPED, with_console, words};
pub use version::{Version, unsuitable, version};

use reef_api::vm::VmmKind;
use reef_api::{BootLayout, Bytes, MEMORY_BLOCK};
use std::fmt;

/// Bytes of a mebibyte, the unit of sizes on command lines.
const MEBIBYTE: u64 = 1 << 20;

/// What the node shows, and a command line depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What runs the guest's code.
    pub accelerator: Accelerator,
    /// What is behind each disk of the layout, in its order.
    pub disks: Vec<Backing>,
    /// Path of the socket that the node daemon uses.
    pub socket: String,
}

/// What runs the guest's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The node's processors.
    Kvm,
    /// QEMU's translation, where there is no hardware virtualisation: slow, and complete.
    Tcg,
}

/// What is behind a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backing {
    /// A file or a device.
    pub kind: BackingKind,
    /// Whether it can be opened past the page cache, which would count as the VM's use of memory.
    pub direct: bool,
}

/// The kind of file behind a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackingKind {
    /// A regular file.
    File,
    /// A block device.
    Device,
}

/// Why no command line can be made of a layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutOdd {
    /// The size is outside of its bounds.
    #[error("the layout asks for {found} {what} between {least} and {most}; delete the Pod, so that it is made anew")]
    OutOfBounds {
        /// `vCPUs` or `memory`.
        what: &'static str,
        /// Size at boot.
        found: String,
        /// Floor.
        least: String,
        /// Ceiling.
        most: String,
    },
    /// Guests plug memory in blocks.
    #[error("the layout's {field} is {found}, but guests plug memory in blocks of {MEMORY_BLOCK}; state a multiple")]
    Unaligned {
        /// Field of the layout.
        field: &'static str,
        /// The size found.
        found: Bytes,
    },
    /// Nothing to boot.
    #[error("the VM has {missing}; {remedy}")]
    NothingToBoot {
        /// What is missing.
        missing: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A command line of a VMM is split at commas.
    #[error("the path {path:?} cannot be given to a VMM: it holds a comma or a control character; rename the volume")]
    UnusablePath {
        /// The path.
        path: String,
    },
    /// The facts belong to another layout.
    #[error("the layout has {disks} disks, and {looked_at} were looked at")]
    Unlooked {
        /// Disks of the layout.
        disks: usize,
        /// Disks looked at.
        looked_at: usize,
    },
}

/// The arguments with which a VMM boots the layout.
///
/// # Errors
/// Where the layout cannot be booted by its VMM.
pub fn command_line(layout: &BootLayout, facts: &Facts) -> Result<Vec<String>, LayoutOdd> {
    check(layout)?;
    if layout.disks.len() != facts.disks.len() {
        return Err(LayoutOdd::Unlooked { disks: layout.disks.len(), looked_at: facts.disks.len() });
    }
    Ok(match layout.vmm {
        VmmKind::CloudHypervisor => cloud_hypervisor::arguments(layout, facts),
        VmmKind::Qemu => qemu::arguments(layout, facts),
    })
}

/// Whether a layout can be booted at all, whatever the node shows.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(layout: &BootLayout) -> Result<(), LayoutOdd> {
    between("vCPUs", layout.vcpus, layout.min_vcpus, layout.max_vcpus)?;
    between("of memory", layout.memory, layout.min_memory, layout.max_memory)?;
    if layout.min_vcpus.0 == 0 {
        return Err(outside("vCPUs", layout.vcpus, layout.min_vcpus, layout.max_vcpus));
    }
    for (field, found) in
        [("minMemory", layout.min_memory), ("memory", layout.memory), ("maxMemory", layout.max_memory)]
    {
        if found.0 == 0 || found.0 % MEMORY_BLOCK.0 != 0 {
            return Err(LayoutOdd::Unaligned { field, found });
        }
    }
    bootable(layout)?;
    paths(layout).try_for_each(usable)
}

fn between<T: PartialOrd + Copy + fmt::Display>(
    what: &'static str,
    size: T,
    least: T,
    most: T,
) -> Result<(), LayoutOdd> {
    if least <= size && size <= most { Ok(()) } else { Err(outside(what, size, least, most)) }
}

fn outside<T: fmt::Display>(what: &'static str, size: T, least: T, most: T) -> LayoutOdd {
    LayoutOdd::OutOfBounds { what, found: size.to_string(), least: least.to_string(), most: most.to_string() }
}

/// QEMU brings a firmware that starts what is on the first disk; Cloud Hypervisor needs one that Reef does not bring yet.
fn bootable(layout: &BootLayout) -> Result<(), LayoutOdd> {
    if layout.kernel.is_some() {
        return Ok(());
    }
    match layout.vmm {
        VmmKind::CloudHypervisor => Err(LayoutOdd::NothingToBoot {
            missing: "no kernel, and Reef starts Cloud Hypervisor without a firmware",
            remedy: "state spec.instance.kernel",
        }),
        VmmKind::Qemu if layout.disks.is_empty() => Err(LayoutOdd::NothingToBoot {
            missing: "neither a kernel nor a disk",
            remedy: "state spec.instance.kernel or spec.instance.disks",
        }),
        VmmKind::Qemu => Ok(()),
    }
}

fn paths(layout: &BootLayout) -> impl Iterator<Item = &str> {
    let kernel = layout.kernel.iter().flat_map(|kernel| kernel.initramfs.iter().chain([&kernel.path]));
    kernel.chain(layout.disks.iter().flat_map(|disk| [&disk.path, &disk.name])).map(String::as_str)
}

fn usable(path: &str) -> Result<(), LayoutOdd> {
    let odd = |letter: char| letter.is_control() || matches!(letter, ',' | '"' | '[' | ']');
    if path.is_empty() || path.contains(odd) {
        return Err(LayoutOdd::UnusablePath { path: path.to_owned() });
    }
    Ok(())
}

/// A size in mebibytes, as both VMMs read it.
fn mebibytes(size: u64) -> String {
    format!("{}M", size / MEBIBYTE)
}

/// What lies between floor and ceiling, and how much of it is plugged at boot; none where there is nothing between.
fn pluggable(layout: &BootLayout) -> Option<(u64, u64)> {
    let room = layout.max_memory.0.saturating_sub(layout.min_memory.0);
    let plugged = layout.memory.0.saturating_sub(layout.min_memory.0);
    (room > 0).then_some((room, plugged))
}
