//! What the container `vm-manager` and the controller agree on about a launch: its exit codes and how long its end may take.
//!
//! Numbers and words only. Launching is the node's work, and what follows from a failed launch is decided by the controller.

use std::fmt;

/// Seconds that a guest gets to shut down after its power button was pressed.
pub const POWER_OFF_SECONDS: u32 = 50;
/// Seconds that a Pod gets to end: the guest's, and some for the VMM to be killed and told of.
pub const GRACE_SECONDS: u32 = 60;

/// Why a VM could not be booted, as the exit code of `reef launch`. The codes of a VMM itself are below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaunchFailure {
    /// The layout cannot be read, or asks for what cannot be had.
    Layout,
    /// The VMM's program is not there.
    VmmMissing,
    /// The VMM's version is too old, or cannot be read.
    VmmUnsuitable,
    /// The kernel or its initial RAM file system is not there.
    Kernel,
    /// A disk is not there, or cannot be opened.
    Disk,
    /// The socket's place is taken or cannot be made.
    Socket,
    /// The container's memory limit does not carry the VM.
    Memory,
    /// The node's processors cannot run it.
    Accelerator,
    /// The VMM ended or stayed silent before the VM ran.
    Start,
}

impl LaunchFailure {
    /// Every failure, in the order of the codes.
    pub const ALL: &'static [Self] = &[
        Self::Layout,
        Self::VmmMissing,
        Self::VmmUnsuitable,
        Self::Kernel,
        Self::Disk,
        Self::Socket,
        Self::Memory,
        Self::Accelerator,
        Self::Start,
    ];

    /// Exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Layout => 64,
            Self::VmmMissing => 65,
            Self::VmmUnsuitable => 66,
            Self::Kernel => 67,
            Self::Disk => 68,
            Self::Socket => 69,
            Self::Memory => 70,
            Self::Accelerator => 71,
            Self::Start => 72,
        }
    }

    /// The failure that an exit code tells.
    pub fn of_code(code: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|failure| i32::from(failure.code()) == code)
    }
}

impl fmt::Display for LaunchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layout => "layout",
            Self::VmmMissing => "vmm missing",
            Self::VmmUnsuitable => "vmm unsuitable",
            Self::Kernel => "kernel",
            Self::Disk => "disk",
            Self::Socket => "socket",
            Self::Memory => "memory",
            Self::Accelerator => "accelerator",
            Self::Start => "start",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_code_of_its_own_that_no_signal_and_no_vmm_has() {
        for failure in LaunchFailure::ALL {
            assert_eq!(LaunchFailure::of_code(i32::from(failure.code())), Some(*failure));
            assert!((64..80).contains(&failure.code()));
        }
        assert_eq!(LaunchFailure::of_code(1), None);
        assert_eq!(LaunchFailure::of_code(137), None);
    }

    #[test]
    fn a_pod_outlives_the_deadline_of_its_guest() {
        const { assert!(GRACE_SECONDS >= POWER_OFF_SECONDS + 5) };
    }
}
