//! What to do next, for every reason that something may wait for.

use reef_api::Reason;

/// One sentence for the person who looks; nothing where there is nothing to do.
pub const fn hint(reason: Reason) -> Option<&'static str> {
    let text = match reason {
        Reason::Settled | Reason::Applied | Reason::Halted | Reason::PlanOnly | Reason::CapacityOk => return None,
        Reason::CreatingPod
        | Reason::RaisingPod
        | Reason::LoweringPod
        | Reason::Stopping
        | Reason::Fetching
        | Reason::Planning
        | Reason::Applying => "nothing to do: it goes on by itself",
        Reason::Suspended => {
            "nothing to do where an end is told: it goes on by itself then; `reef resume` ends it at once"
        }
        Reason::Scheduling => "free room on a node, or see what the scheduler says with `kubectl describe pod`",
        Reason::Starting => "if it stays so, see whether the Pod starts and `reef daemon` runs on its node",
        Reason::Ended => "set spec.runPolicy to Always to have it started again, or see the Pod's log for why it ended",
        Reason::BootFailed => "correct what the message names; with spec.runPolicy Always it is tried again by itself",
        Reason::Deferred => {
            "free room on the node; the wish is taken back after a while, and made again when there is room"
        }
        Reason::Infeasible => "ask for a size that the node can hold, or start the VM anew on a larger node",
        Reason::PodResizeError => "see the kubelet's message; it tries again by itself about every 15 s",
        Reason::WaitingForDaemon => "if it stays so, see whether `reef daemon` runs on the VM's node",
        Reason::WaitingForGuest => "nothing to do while the guest follows; it is called stalled after three minutes",
        Reason::GuestPressure => {
            "free memory in the guest, or ask for more; it goes on by itself when the use falls. A SizingPolicy with \
             `shrink: { gate: Press }` does not wait, and the guest may then end processes"
        }
        Reason::CpuRemovalPending => "the guest has to eject the vCPUs; a reboot of the guest does it at the latest",
        Reason::RestartRequired => "start the VM anew when it suits, or ask for a size within its limits",
        Reason::Stalled => {
            "see what the message says of the guest; after ten minutes the rest of the memory is given up"
        }
        Reason::Partial => {
            "ask for the size that was reached, or correct what the message says and reboot the guest; the rest is tried \
             again by itself, ever less often"
        }
        Reason::VmmUnreachable => "see whether the VMM runs in the Pod and no other program holds its socket",
        Reason::VmmRefused => "see the VMM's message; ask for another size. After ten minutes the rest is given up",
        Reason::Paused => "resume the VM: the resize takes effect then",
        Reason::Migrating => "nothing to do: it goes on when the VM has arrived",
        Reason::NodeLost => "see to the node; nothing of its VMs is changed before it is ready again",
        Reason::Invalid => "correct the file that the message names, and push",
        Reason::Blocked => {
            "ask for what the policy allows, or have the policy changed: then it is taken up by itself. `reef plan` says it before the merge"
        }
        Reason::PolicyConflict => "give one of the SizingPolicies a further label in its selector",
        Reason::FieldConflict => "let one manager own the field: remove it from Git, or from the other manager",
        Reason::OwnerConflict => {
            "keep one of the two: set `apply: false` in the GitSource; or take the object out of the Application, remove its tracking annotation, and state \
             reef.dev/adopt: \"true\" in its manifest"
        }
        Reason::PodConflict => {
            "stop the writer that the message names; Reef tries again by itself, after half an hour at the latest, and at once when the \
             spec changes"
        }
        Reason::Duplicate => "keep one of the definitions, and remove the others",
        Reason::Forbidden => "give the service account the right that the message names",
        Reason::AdmissionDenied => "see the webhook's or policy's message",
        Reason::QuotaExceeded => "raise the quota, or ask for less",
        Reason::Unsupported => "Kubernetes 1.35 or later is needed, with in-place Pod resize",
        Reason::RemovedFromGit => "delete the VM with kubectl if it shall go, or put its file back",
        Reason::Problems => "correct the files that are named, and push",
        Reason::Unreachable | Reason::FetchTimedOut => {
            "see whether the repository's server can be reached; it is tried again by itself"
        }
        Reason::AuthFailed => "correct the Secret that spec.secretRef names",
        Reason::HostKeyRefused => "compare the host key with spec.knownHosts before you change it",
        Reason::BranchMissing => "correct spec.ref, or create the branch",
        Reason::EmptyRepository => "push a first commit",
        Reason::PathMissing => "correct spec.path, or create the folder",
        Reason::TooLarge => "make the file or the repository smaller",
        Reason::CacheCorrupt => "see whether the controller's disk is full or broken",
        Reason::CapacityRefused => {
            "ask for what the lines of the check's status say would fit, and push; nothing of the commit was applied"
        }
        Reason::WaitingForOperation => "nothing to do while the Application syncs; else state spec.revision",
        Reason::RevisionUnreadable => {
            "sync a commit that the repository has, or give the GitSource of the check credentials that reach it"
        }
        Reason::PlanTimedOut => "see what the message says it waited for, and sync again; spec.timeout gives it longer",
        Reason::NotJudged => "correct what the message names: the check, its GitSource, or the Application",
        Reason::UrlNotAllowed => "use https:// or ssh://, or start the controller with --allow-file-urls",
    };
    Some(text)
}

/// Whether a VM that waits for this goes on by itself before long, so that it is worth standing by. Everything else stays so until somebody, or something
/// beside Reef, does something.
pub const fn passes(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::CreatingPod
            | Reason::Scheduling
            | Reason::Starting
            | Reason::Stopping
            | Reason::RaisingPod
            | Reason::LoweringPod
            | Reason::WaitingForDaemon
            | Reason::WaitingForGuest
            | Reason::Migrating
            | Reason::Fetching
            | Reason::Applying
    )
}
