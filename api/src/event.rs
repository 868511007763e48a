//! Events that Reef writes, and their deterministic names.
//!
//! One event per (VM uid, generation, reason), also across a crash: the name is made of exactly these, so that a second attempt meets `AlreadyExists`.
//! A suspension belongs to no generation: in its place stands the second in which it was begun.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reason of an event on a VM or a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EventName {
    /// A new target was taken up.
    VMResizeInitiated,
    /// The Pod's resources were patched.
    VMResizePodInitiated,
    /// The VMM may be asked: the grant was written.
    VMResizeInProgress,
    /// Desired, requested and actual agree, and the Pod agrees.
    VMResizeCompleted,
    /// The resize ended without reaching its target.
    VMResizeFailed,
    /// The node can never hold the target.
    VMPodResizeInfeasible,
    /// The node has no room for the target at present.
    VMPodResizeDeferred,
    /// The guest does not follow.
    VMResizeStalled,
    /// The guest followed in part, and the rest was given up.
    VMResizePartial,
    /// The Pod's wish was taken back.
    VMResizeReverted,
    /// The target lies outside what the VM booted with.
    VMRestartRequired,
    /// The guest uses too much to be shrunk.
    VMGuestPressure,
    /// The VM's Pod was created.
    VMPodCreated,
    /// The VM's Pod ended.
    VMPodEnded,
    /// The VM could not be booted.
    VMBootFailed,
    /// The VM was removed from Git and is kept.
    VMRemovedFromGit,
    /// The object in Git or in the cluster cannot be used.
    VMInvalid,
    /// A rule of the VM's policy forbids what is asked for.
    VMResizeBlocked,
    /// Another field manager owns what Git states.
    VMFieldConflict,
    /// Another writer undoes every resize of the VM's Pod.
    VMPodConflict,
    /// Somebody has suspended the VM.
    VMSuspended,
    /// The suspension of the VM has ended.
    VMResumed,
    /// Somebody has suspended the source.
    SourceSuspended,
    /// The suspension of the source has ended.
    SourceResumed,
}

impl EventName {
    /// Whether people should look at it (`Warning`) or not (`Normal`).
    pub const fn is_warning(self) -> bool {
        match self {
            Self::VMResizeInitiated
            | Self::VMResizePodInitiated
            | Self::VMResizeInProgress
            | Self::VMResizeCompleted
            | Self::VMResizeReverted
            | Self::VMPodCreated
            | Self::VMSuspended
            | Self::VMResumed
            | Self::SourceSuspended
            | Self::SourceResumed => false,
            Self::VMResizeFailed
            | Self::VMPodResizeInfeasible
            | Self::VMPodResizeDeferred
            | Self::VMResizeStalled
            | Self::VMResizePartial
            | Self::VMRestartRequired
            | Self::VMGuestPressure
            | Self::VMPodEnded
            | Self::VMBootFailed
            | Self::VMRemovedFromGit
            | Self::VMInvalid
            | Self::VMResizeBlocked
            | Self::VMFieldConflict
            | Self::VMPodConflict => true,
        }
    }

    /// The event's `reason`.
    pub fn as_str(self) -> String {
        format!("{self:?}")
    }

    /// The event object's name: VM name, first part of the VM's uid, generation and reason, at most 253 characters and a valid DNS name.
    pub fn object_name(self, vm: &str, uid: &str, generation: i64) -> String {
        let short_uid: String = uid.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let short_vm: String = vm.chars().take(150).collect();
        format!("{}.{}.{generation}.{}", short_vm.trim_end_matches(['-', '.']), short_uid, self.as_str())
            .to_ascii_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_one_name_per_uid_generation_and_reason() {
        let name = EventName::VMResizeCompleted.object_name("web-1", "8a6e0804-2bd0-4672-b79d-d97027f9071a", 7);
        assert_eq!(name, "web-1.8a6e08042bd0.7.vmresizecompleted");
        assert_ne!(name, EventName::VMResizeCompleted.object_name("web-1", "8a6e0804-2bd0-4672-b79d-d97027f9071a", 8));
    }
}
