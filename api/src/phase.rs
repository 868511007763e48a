//! The phases of a VM.
//!
//! ```text
//! Pending ─► Scheduling ─► Scheduled ─► Running ◄──────────────────────────┐
//!                                        │  grow: PodResizeInProgress ─► ResizeInProgress ─┤
//!                                        │  shrink: ResizeInProgress ─► PodResizeInProgress ┤
//!                                        └─► Succeeded | Failed            (mixed: Pod, VMM, Pod)
//! ```
//! The controller alone moves the phase. It says where the VM is, never what to do next: that is recomputed from what is observed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a VM is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Seen, and nothing done yet (or halted by its run policy).
    #[default]
    Pending,
    /// Its Pod exists and has no node yet.
    Scheduling,
    /// Its Pod has a node and the VMM is not reported yet.
    Scheduled,
    /// The VMM runs and no step of a resize is on its way.
    Running,
    /// The Pod is being raised or lowered.
    PodResizeInProgress,
    /// The VMM and the guest are being resized.
    ResizeInProgress,
    /// The VMM is paused.
    Paused,
    /// The guest shut down and is not to be started again.
    Succeeded,
    /// The VM ended with a failure and is not to be started again.
    Failed,
    /// Something reported what Reef does not know.
    #[serde(other)]
    Unknown,
}

impl Phase {
    /// Every phase, in the order of this file.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Scheduling,
        Self::Scheduled,
        Self::Running,
        Self::PodResizeInProgress,
        Self::ResizeInProgress,
        Self::Paused,
        Self::Succeeded,
        Self::Failed,
        Self::Unknown,
    ];

    /// The name as it stands in `status.phase`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Scheduling => "Scheduling",
            Self::Scheduled => "Scheduled",
            Self::Running => "Running",
            Self::PodResizeInProgress => "PodResizeInProgress",
            Self::ResizeInProgress => "ResizeInProgress",
            Self::Paused => "Paused",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
