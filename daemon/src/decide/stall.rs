//! Why a resource stands still, as far as that can be seen from outside of the guest.
//!
//! Diagnoses only. What is done about it is the business of `memory` and `vcpus` here, and of the controller, which may give the rest up.

use super::observed::VmmObserved;
use reef_api::{Bytes, Reason, Vcpus};
use std::fmt;

/// Why a resource stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stall {
    /// The guest has not plugged any memory since it booted.
    NoDriver {
        /// What it booted with.
        boot: Bytes,
    },
    /// The guest has plugged a part of the memory, and no more.
    NotPlugged {
        /// What the VMM was asked for.
        requested: Bytes,
    },
    /// The guest has given back a part of the memory, or none, and no more.
    NotMovable {
        /// What was granted: what was asked for changes with each nudge.
        granted: Bytes,
    },
    /// The guest has not ejected vCPUs, and until it does the VMM takes no other number.
    NotEjected {
        /// vCPUs that would be left.
        requested: Vcpus,
        /// vCPUs that are there.
        present: Vcpus,
    },
    /// The guest has said nothing to the removal of vCPUs.
    NotLetGo {
        /// vCPUs that would be left.
        granted: Vcpus,
    },
    /// vCPUs that were asked for have not come.
    NotPresent {
        /// vCPUs that were asked for.
        granted: Vcpus,
    },
    /// The guest says that it keeps its vCPUs.
    Kept {
        /// vCPUs that would be left.
        granted: Vcpus,
    },
    /// The VMM refuses each time.
    Refused {
        /// What it said.
        message: String,
    },
}

impl Stall {
    /// Why the memory stands still, although the VMM took the request.
    pub(super) fn of_memory(granted: Bytes, observed: &VmmObserved) -> Self {
        let (requested, actual) = (observed.requested.memory, observed.actual.memory);
        if actual > requested {
            return Self::NotMovable { granted };
        }
        let boot = observed.boot.min_memory;
        if actual <= boot { Self::NoDriver { boot } } else { Self::NotPlugged { requested } }
    }

    /// Whether the rest can be given up: what was asked for can be asked back.
    pub const fn may_be_given_up(&self) -> bool {
        match self {
            Self::NoDriver { .. }
            | Self::NotPlugged { .. }
            | Self::NotMovable { .. }
            | Self::NotLetGo { .. }
            | Self::NotPresent { .. }
            | Self::Kept { .. }
            | Self::Refused { .. } => true,
            Self::NotEjected { .. } => false,
        }
    }

    /// The word for programs.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NoDriver { .. }
            | Self::NotPlugged { .. }
            | Self::NotMovable { .. }
            | Self::NotEjected { .. }
            | Self::NotLetGo { .. }
            | Self::NotPresent { .. } => Reason::Stalled,
            Self::Kept { .. } => Reason::CpuRemovalPending,
            Self::Refused { .. } => Reason::VmmRefused,
        }
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDriver { boot } => write!(
                f,
                "the guest has not plugged any memory beyond the {boot} that it booted with; see that its kernel has the \
                 virtio-mem driver, and that it is loaded"
            ),
            Self::NotPlugged { requested } => write!(
                f,
                "the guest has plugged a part of {requested}, and no more; see what its kernel's log says about virtio_mem"
            ),
            Self::NotMovable { granted } => write!(
                f,
                "the guest does not give back memory on the way to {granted}, though it does not use that much: its kernel \
                 cannot move what lies there; end what pins it, or reboot the guest"
            ),
            Self::NotEjected { requested, present } => write!(
                f,
                "the guest has not ejected the vCPUs beyond {requested} of its {present}, and until it does, or reboots, the \
                 VMM takes no other number; see that its kernel has CPU hotplug"
            ),
            Self::NotLetGo { granted } => write!(
                f,
                "the guest says nothing to the removal of all vCPUs but {granted}; see that its kernel has CPU hotplug"
            ),
            Self::NotPresent { granted } => write!(f, "the VMM has not made {granted} vCPUs; see its log"),
            Self::Kept { granted } => write!(
                f,
                "the guest refuses to let go all vCPUs but {granted}; let it take them offline, or ask for more; \
                 it is asked again from time to time"
            ),
            Self::Refused { message } => write!(f, "the VMM refused: {message}"),
        }
    }
}
