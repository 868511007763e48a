//! The outcome of a decision: one action, and for each resource what it waits for.
//!
//! Values, and the words and sentences in which a wait is reported. No rule is here.

use super::observed::{Limit, VmmObserved};
use super::stall::Stall;
use reef_api::policy::PartialSize;
use reef_api::vm::{Grant, UsedSource, VmmWaiting};
use reef_api::{Bytes, MilliCpu, Reason, Size, Vcpus};

/// The one next thing to do about a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmmStep {
    /// What to do.
    pub action: VmmAction,
    /// What is waited for, also beside an action.
    pub waiting_on: WaitingOn,
}

impl VmmStep {
    /// Nothing can be done, for one reason that concerns both resources.
    pub fn hold(wait: Wait) -> Self {
        Self { action: VmmAction::None, waiting_on: WaitingOn { vcpus: Some(wait.clone()), memory: Some(wait) } }
    }

    /// A grant is to be taken over, with what is observed now.
    pub fn acknowledge(grant: &Grant, observed: &VmmObserved) -> Self {
        let (seq, requested, actual) = (grant.seq, observed.requested, observed.actual);
        Self { action: VmmAction::Acknowledge { seq, requested, actual }, waiting_on: WaitingOn::default() }
    }

    /// Whether nothing is to be done, nothing is waited for, and nothing is expected to move.
    pub fn is_settled(&self) -> bool {
        self.action == VmmAction::None && self.waiting_on == WaitingOn::default()
    }
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmmAction {
    /// Nothing.
    None,
    /// Write that the grant is taken over, with what the VMM was asked for and what the guest has.
    Acknowledge {
        /// Number of the grant.
        seq: u64,
        /// What the VMM was last asked for.
        requested: Size,
        /// What the guest has.
        actual: Size,
    },
    /// Ask the VMM for a number of vCPUs.
    SetVcpus(Vcpus),
    /// Ask the VMM for a size of guest memory.
    SetMemory(Bytes),
}

/// What each resource waits for; `None` where it has what was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingOn {
    /// The vCPUs.
    pub vcpus: Option<Wait>,
    /// The memory.
    pub memory: Option<Wait>,
}

impl WaitingOn {
    /// What is reported: the first wait that a person can do something about, memory before vCPUs.
    ///
    /// A guest that has been asked and is still following is no such wait: its progress is in the numbers.
    pub fn reported(&self) -> Option<VmmWaiting> {
        [&self.memory, &self.vcpus].into_iter().flatten().find_map(Wait::reported)
    }

    /// Whether the guest has not followed with a resource for a long time.
    pub fn is_stalled(&self) -> bool {
        [&self.memory, &self.vcpus].into_iter().flatten().any(|wait| matches!(wait, Wait::Stalled(_)))
    }

    /// What the guest has of each resource that stands still, where the rest may be given up.
    pub fn stuck(&self, actual: Size) -> Option<PartialSize> {
        let hopeless = |wait: &&Wait| matches!(wait, Wait::Stalled(stall) if stall.may_be_given_up());
        let vcpus = self.vcpus.as_ref().filter(hopeless).map(|_| actual.vcpus);
        let memory = self.memory.as_ref().filter(hopeless).map(|_| actual.memory);
        (vcpus.is_some() || memory.is_some()).then_some(PartialSize { vcpus, memory })
    }
}

/// Why nothing is asked for at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The controller has granted nothing for this Pod yet.
    NoGrant,
    /// The grant at hand is older than one whose acknowledgement was sent: the view is behind.
    StaleGrant {
        /// Number of the grant at hand.
        seq: u64,
        /// Number of the newer one.
        pledged: u64,
    },
    /// A request of ours may still be on its way.
    Unaccounted,
    /// There is no machine that runs.
    NotRunning,
    /// The VM is moving to another host.
    Migrating,
    /// The VMM was asked and the guest has not followed yet, or rests before it is asked for the next step.
    Guest,
    /// It has stood still for a long time.
    Stalled(Stall),
    /// The guest has not ejected the vCPUs of an earlier removal, and until it does every other number is refused.
    RemovalPending {
        /// vCPUs that are left when it has.
        requested: Vcpus,
        /// vCPUs that are still there.
        present: Vcpus,
    },
    /// The guest has said that it does not let go of the vCPUs; it is asked again later.
    GuestKeepsVcpus {
        /// vCPUs that were granted.
        granted: Vcpus,
    },
    /// The container's own limit does not cover the granted vCPUs yet.
    CpuLimit {
        /// The limit.
        limit: Limit<MilliCpu>,
        /// What was granted.
        granted: Vcpus,
    },
    /// The container's own limit does not cover the granted memory yet.
    MemoryLimit {
        /// The limit.
        limit: Limit<Bytes>,
        /// What was granted.
        granted: Bytes,
    },
    /// The guest uses too much for the next step of a shrink.
    GuestPressure {
        /// What was granted.
        granted: Bytes,
        /// The size that it would be asked for next.
        step: Bytes,
        /// What has to stay free below that.
        margin: Bytes,
        /// How its use is known.
        known_by: UsedSource,
    },
    /// What the guest uses has risen for some time, and nothing is taken from it until it rests.
    UseRises {
        /// What was granted.
        granted: Bytes,
    },
    /// How much the guest uses could not be read, so nothing is taken from it.
    UseUnknown,
    /// The granted vCPUs lie outside what the VM booted with.
    VcpusOutOfRange {
        /// What was granted.
        granted: Vcpus,
        /// Fewest vCPUs.
        min: Vcpus,
        /// Most vCPUs.
        max: Vcpus,
    },
    /// The granted memory lies outside what the VM booted with.
    MemoryOutOfRange {
        /// What was granted.
        granted: Bytes,
        /// Least memory.
        min: Bytes,
        /// Most memory.
        max: Bytes,
    },
    /// The granted memory is not a whole number of blocks from the boot size.
    Misaligned {
        /// What was granted.
        granted: Bytes,
        /// The size of a block.
        block: Bytes,
    },
    /// The VM has no device that could take this step.
    NotResizable {
        /// What it has instead.
        why: &'static str,
    },
    /// The VMM refused, and it is not time to ask again.
    Refused {
        /// What it said.
        message: String,
    },
}

/// What a resource comes to by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask<T> {
    /// It has what was granted.
    Nothing,
    /// The VMM is to be asked for this.
    For(T),
    /// It has to wait.
    Wait(Wait),
}

impl<T> Ask<T> {
    /// What is waited for; a request that is still to be made counts as waiting for the guest.
    pub(super) fn wait(self) -> Option<Wait> {
        match self {
            Self::Nothing => None,
            Self::For(_) => Some(Wait::Guest),
            Self::Wait(wait) => Some(wait),
        }
    }
}

impl Wait {
    /// The word for programs and the sentence for people; `None` where there is nothing to tell.
    pub fn reported(&self) -> Option<VmmWaiting> {
        let reason = self.reason()?;
        Some(VmmWaiting { reason, message: self.to_string() })
    }

    const fn reason(&self) -> Option<Reason> {
        match self {
            Self::NoGrant | Self::StaleGrant { .. } | Self::Unaccounted | Self::Guest => None,
            Self::NotRunning => Some(Reason::Starting),
            Self::Migrating => Some(Reason::Migrating),
            Self::Stalled(stall) => Some(stall.reason()),
            Self::Refused { .. } | Self::Misaligned { .. } => Some(Reason::VmmRefused),
            Self::RemovalPending { .. } | Self::GuestKeepsVcpus { .. } => Some(Reason::CpuRemovalPending),
            Self::CpuLimit { .. } | Self::MemoryLimit { .. } => Some(Reason::RaisingPod),
            Self::GuestPressure { .. } | Self::UseRises { .. } | Self::UseUnknown => Some(Reason::GuestPressure),
            Self::VcpusOutOfRange { .. } | Self::MemoryOutOfRange { .. } | Self::NotResizable { .. } => {
                Some(Reason::RestartRequired)
            }
        }
    }
}
