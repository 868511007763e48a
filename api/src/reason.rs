//! The closed list of reasons that conditions and `status.resize.reason` may carry.
//!
//! A reason is a word for programs; the sentence for people stands beside it in the condition's message. A new reason is added here or not at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why a VM, a source or a policy is in the state that a condition tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of this file.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word as it stands in a condition.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

reasons! {
    /// Desired, requested and actual agree, and the Pod agrees with them.
    Settled,
    /// The run policy says that the VM does not run.
    Halted,
    /// The VM's Pod is being created.
    CreatingPod,
    /// The VM's Pod waits for a node.
    Scheduling,
    /// The VM boots: its node has not reported the VMM yet.
    Starting,
    /// The VM is going down or its Pod is being deleted.
    Stopping,
    /// The guest ended, or its Pod did, and the run policy does not start it again.
    Ended,
    /// The VM could not be booted: the launcher or the container runtime says why.
    BootFailed,
    /// The Pod's wish was patched and the kubelet works on it.
    RaisingPod,
    /// The kubelet has no room for the Pod's wish at present.
    Deferred,
    /// The node can never hold the Pod's wish.
    Infeasible,
    /// The kubelet reports an error while it resizes the Pod.
    PodResizeError,
    /// The grant is written and the node daemon has not taken it over yet.
    WaitingForDaemon,
    /// The VMM was asked and the guest has not followed yet.
    WaitingForGuest,
    /// The guest uses more than the size to shrink to: nothing is asked of it until it lets go.
    GuestPressure,
    /// The guest has not ejected the vCPUs of an earlier removal.
    CpuRemovalPending,
    /// The VMM has what was asked for, and the Pod is being lowered to it.
    LoweringPod,
    /// The target lies outside what the VM booted with.
    RestartRequired,
    /// The guest has not followed for a long time.
    Stalled,
    /// The guest followed in part, and the rest was given up.
    Partial,
    /// The VMM's socket cannot be reached.
    VmmUnreachable,
    /// The VMM refused the request.
    VmmRefused,
    /// The VMM is paused; the resize takes effect after it resumes.
    Paused,
    /// The VM is moving to another host; nothing is asked of it meanwhile.
    Migrating,
    /// The node is not ready or the evidence about the VM is too old.
    NodeLost,
    /// The object does not pass validation.
    Invalid,
    /// Two policies match one VM and neither is more specific.
    PolicyConflict,
    /// A rule of the VM's policy forbids what is asked for; the last good size stays.
    Blocked,
    /// Another field manager owns a field that Git states.
    FieldConflict,
    /// A GitSource and an Application of Argo CD both state the object; nothing of the source is written.
    OwnerConflict,
    /// Another writer sets the resources of the VM's Pod again and again; the VM holds.
    PodConflict,
    /// Two files or two sources define one VM.
    Duplicate,
    /// The API server refused for lack of rights.
    Forbidden,
    /// An admission webhook or policy refused.
    AdmissionDenied,
    /// A quota refused.
    QuotaExceeded,
    /// The API server or the kubelet does not know in-place Pod resize.
    Unsupported,
    /// The manifest was removed from Git; the VM is kept because pruning is off.
    RemovedFromGit,
    /// Everything that the tip states is applied.
    Applied,
    /// The tip was read, and nothing of it is applied because the source says so.
    PlanOnly,
    /// The tip was read, and its changes are being applied.
    Applying,
    /// The tip was read, and some of it could not be used.
    Problems,
    /// The repository is being fetched for the first time.
    Fetching,
    /// The repository could not be reached.
    Unreachable,
    /// The repository refused the credentials.
    AuthFailed,
    /// The server's host key or certificate is not the expected one.
    HostKeyRefused,
    /// The branch or tag does not exist.
    BranchMissing,
    /// The repository has no commit.
    EmptyRepository,
    /// The folder does not exist in the tip.
    PathMissing,
    /// The fetch took longer than allowed.
    FetchTimedOut,
    /// The repository or a file is larger than allowed.
    TooLarge,
    /// The local clone is broken and could not be made anew.
    CacheCorrupt,
    /// The URL is not allowed: scheme, flag or redirect.
    UrlNotAllowed,
    /// Somebody has suspended the source or the VM: nothing that Git states is applied.
    Suspended,
    /// The commit of a check can be carried out, as far as the check asks for it.
    CapacityOk,
    /// The commit of a check asks for what the check is to refuse.
    CapacityRefused,
    /// The commit of a check is being planned.
    Planning,
    /// The Application that a check belongs to has not told yet which commit it is about to sync.
    WaitingForOperation,
    /// The commit of a check is not in the repository any more, or cannot be fetched.
    RevisionUnreadable,
    /// A check has not come to an answer in the time that it was given.
    PlanTimedOut,
    /// A check cannot be answered as it is stated: its Application or its source does not fit.
    NotJudged,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
