//! What a search is about: how many sizes, how many failures, which parties, and which guard is left out.
//!
//! Values only.

use crate::size::Level;

/// How far a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The highest place of each resource; 0 where there is but one size.
    pub top: Level,
    /// The size that the VM begins with.
    pub begin: Level,
    /// Changes of mind.
    pub minds: u8,
    /// Crashes of either side.
    pub crashes: u8,
    /// Replies that are lost and requests that arrive late.
    pub losses: u8,
    /// Refusals: deferred, infeasible, at admission, a lowering that fails.
    pub refusals: u8,
    /// Reboots of the guest, new starts of the VM, guests under pressure.
    pub upsets: u8,
    /// Guests that do not move for so long that it is called a stall.
    pub stalls: u8,
    /// Which upsets there are.
    pub starts: Starts,
    /// Whether an API server may lag behind.
    pub caches: Caches,
    /// How soon the kubelet tells what it does.
    pub kubelet: Telling,
    /// Whether the daemon looks at the container's own limits.
    pub limits: Limits,
    /// How the VMM removes vCPUs.
    pub vcpus: VcpuKind,
    /// The guard that is left out.
    pub without: Option<Guard>,
}

/// Whether the VM may be started anew in a new Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// It has one start.
    One,
    /// It may have a second one.
    Two,
}

/// Whether one of several API servers may answer a daemon with what was true before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caches {
    /// All show what is stored, or the daemon's copy simply stays what it was.
    Fresh,
    /// One may lag behind, so that a daemon's copy becomes older than it was.
    Lag,
}

/// How soon the kubelet's status says what the kubelet has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// In the same moment.
    AtOnce,
    /// Some time later.
    Later,
}

/// Whether the daemon looks at the limits of the container before it asks for growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// It does.
    Looked,
    /// It does not: everything hangs on the controller's order. Between a look and a request the limits may change as well.
    Unknown,
}

/// How the VMM adds vCPUs and takes them away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VcpuKind {
    /// By number (Cloud Hypervisor).
    Counted,
    /// Slot by slot (QEMU).
    Slots,
}

/// A guard of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Every write carries uid and resourceVersion of the read that it was computed from.
    Preconditions,
    /// The controller decides on views that contain its own last writes.
    OwnWrites,
    /// Grants that are not acknowledged count as held.
    GrantsHeld,
    /// A grant is raised only when all three numbers of the Pod cover it.
    AllThree,
    /// The daemon asks only for a grant that it has acknowledged itself.
    OwnAck,
    /// Nothing is acknowledged while a request may be unaccounted for.
    TwoInfos,
    /// One daemon for each VM: the lock.
    OneDaemon,
    /// While a write of a controller that is gone may arrive, the next one decides nothing that relies on the object.
    Inherited,
    /// A report about another start counts as none.
    Incarnation,
    /// Once an acknowledgement was sent, no older grant is acted on.
    Pledge,
    /// While a write may still arrive, only its own object is written to.
    Suspects,
    /// When it can no longer arrive its object is read again.
    ReadAgain,
}

impl Guard {
    /// All guards, in the order in which they are told. The seventh has two halves; the last three are needed besides the eight.
    pub const ALL: [Self; 12] = [
        Self::Preconditions,
        Self::OwnWrites,
        Self::GrantsHeld,
        Self::AllThree,
        Self::OwnAck,
        Self::TwoInfos,
        Self::OneDaemon,
        Self::Inherited,
        Self::Incarnation,
        Self::Pledge,
        Self::Suspects,
        Self::ReadAgain,
    ];

    /// What it says.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Preconditions => {
                "1. every write carries the uid and resourceVersion of the read that it was computed from"
            }
            Self::OwnWrites => "2. the controller decides on views that contain its own last writes",
            Self::GrantsHeld => "3. grants that are not acknowledged count as held",
            Self::AllThree => "4. a grant is raised only when spec, allocated and actual of the Pod cover it",
            Self::OwnAck => "5. the daemon asks only for a grant that this process has acknowledged",
            Self::TwoInfos => "6. nothing is acknowledged before two answers in a row on a new connection",
            Self::OneDaemon => "7a. one daemon for each VM",
            Self::Inherited => {
                "7b. while a write of a controller that is gone may arrive, nothing relies on its object"
            }
            Self::Incarnation => "8. a report about another start of the VM counts as none",
            Self::Pledge => "9. once an acknowledgement was sent, no older grant is acted on",
            Self::Suspects => "10. while a write may still arrive, only its own object is written to",
            Self::ReadAgain => "11. when a write can no longer arrive its object is read again",
        }
    }
}

impl Bounds {
    /// One resource or both with so many sizes, one change of mind, and no failure.
    pub const fn quiet(top: Level, begin: Level) -> Self {
        Self {
            top,
            begin,
            minds: 1,
            crashes: 0,
            losses: 0,
            refusals: 0,
            upsets: 0,
            stalls: 0,
            starts: Starts::One,
            caches: Caches::Fresh,
            kubelet: Telling::AtOnce,
            limits: Limits::Unknown,
            vcpus: VcpuKind::Counted,
            without: None,
        }
    }

    /// Whether a guard holds.
    pub fn holds(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// All sizes of the model.
    pub fn levels(&self) -> impl Iterator<Item = Level> + use<> {
        let top = self.top;
        (0..=top.cpu).flat_map(move |cpu| (0..=top.memory).map(move |memory| Level::new(cpu, memory)))
    }
}
