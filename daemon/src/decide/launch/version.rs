//! The version of a VMM, from what its program says about itself, and whether a VM may be started with it.
//!
//! Text in, value out; starting the program is the caller's.

use reef_api::vm::VmmKind;
use std::fmt;

/// Before v52 Cloud Hypervisor repeats what was asked of it instead of what is plugged: the end of a shrink cannot be seen.
const LEAST_CLOUD_HYPERVISOR: u32 = 52;
/// virtio-mem, free page reporting and the monitor's commands are those of 7 and later.
const LEAST_QEMU: u32 = 7;
/// Characters of a program's answer that are told.
const TOLD: usize = 120;

/// A version of a VMM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number; 0 where there is none.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Reads the first version in a text such as `QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)` or `cloud-hypervisor v53.0`.
pub fn version(text: &str) -> Option<Version> {
    let line = text.lines().next()?;
    line.split_whitespace().find_map(|word| {
        let mut numbers = word.strip_prefix('v').unwrap_or(word).split(['.', '-', '+']);
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        Some(Version { major, minor })
    })
}

/// Why a VM may not be started with a program that says this about itself; none where it may.
pub fn unsuitable(vmm: VmmKind, text: &str) -> Option<String> {
    let (name, least, why) = match vmm {
        VmmKind::CloudHypervisor => {
            ("Cloud Hypervisor", LEAST_CLOUD_HYPERVISOR, "before it the end of a shrink cannot be seen")
        }
        VmmKind::Qemu => ("QEMU", LEAST_QEMU, "before it memory cannot be plugged as Reef does"),
    };
    match version(text) {
        Some(found) if found.major >= least => None,
        Some(found) => Some(format!("it is {name} {found}, and {least} is the least: {why}; use a newer one")),
        None => {
            let shown: String = text.chars().filter(|letter| !letter.is_control()).take(TOLD).collect();
            Some(format!("its version cannot be read from {shown:?}; use a {name} of version {least} or newer"))
        }
    }
}
