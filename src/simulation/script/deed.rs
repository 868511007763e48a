//! One thing that is done to a simulated world. A deed that lasts says for how long, and ends by itself.
//!
//! Words only; they are carried out in [`super::super::perform`].

use reef_api::{Request, Size};
use serde::{Deserialize, Serialize};

/// What a commit says of a VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wanted {
    /// This size.
    Size(Size),
    /// This run policy.
    Runs(String),
    /// This size, with ceilings that a VM which runs has not booted with.
    Beyond(Size),
    /// The file is removed.
    Gone,
    /// The file is there and cannot be read.
    Garbage,
}

/// One file of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The VM.
    pub vm: String,
    /// What is wanted of it.
    pub to: Wanted,
}

/// What the way to the API server is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sky {
    /// Requests and replies are lost.
    Lossy,
    /// The server is busy or broken: 429, 500, 503, 504.
    Busy,
    /// Writes meet somebody else's.
    Conflicts,
    /// Requests and replies take up to half a minute.
    Slow,
    /// Watches end early.
    Cut,
    /// Watches are late by up to ten seconds.
    Late,
    /// Watches fall silent.
    Frozen,
    /// All of it, each more rarely.
    Foul,
    /// Nothing gets through at all.
    Dark,
}

/// A way in which a kubelet is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KubeletWays {
    /// It defers every resize.
    Defers,
    /// It calls every resize infeasible.
    Refuses,
    /// It allocates and does not carry out.
    Stalls,
    /// Its status shows old values once more.
    Flaps,
    /// It lowers no memory limit, as if all of it were in use.
    KeepsMemory,
    /// It is gone, and its node with it.
    Lost,
    /// It is being restarted: for a while it does nothing, and the node stays ready.
    Restarts,
}

/// A way in which a VMM's socket is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VmmWays {
    /// Each request takes this long, in milliseconds.
    Slow(u32),
    /// A resize is passed by whatever comes on other connections until somebody has been told `vm.info`, and then takes this long, in milliseconds.
    Overtaken(u32),
    /// 429.
    TooMany,
    /// 500.
    Internal,
    /// The work is done and the reply cut off.
    HalfReply,
    /// The work is done and there is no reply.
    LostReply,
    /// Nothing is done and nothing is answered.
    Hangs,
    /// Bytes that are no JSON.
    Garbage,
}

/// A way in which a guest is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GuestWays {
    /// It keeps vCPUs that are to go.
    KeepsVcpus,
    /// It lets one vCPU go at a time.
    OneVcpu,
    /// It plugs no memory.
    NeverPlugs,
    /// It plugs a gibibyte beyond its boot size and no more.
    PlugsOne,
    /// It gives no memory back.
    NeverUnplugs,
    /// It holds on to a gibibyte beyond its boot size.
    KeepsOne,
    /// It has no driver.
    NoDriver,
    /// Its OOM killer strikes when memory is taken that it uses.
    Kills,
}

/// When a role dies around one of its effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// Before it is sent.
    Before,
    /// It is sent and takes effect, and the reply comes to nobody.
    Sent,
    /// After the reply.
    After,
}

/// Around which effect a role dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Crash {
    /// At once.
    Now,
    /// Its `n`-th write to the API server from now on, the first being 1.
    Write {
        /// Which one.
        n: u32,
        /// When.
        moment: Moment,
    },
    /// Its `n`-th resize of a VMM from now on.
    Resize {
        /// Which one.
        n: u32,
        /// When.
        moment: Moment,
    },
}

/// Something that is done. `lasts` and `down` are milliseconds; where `lasts` may be left out, what was done without it stays for ever.
#[allow(missing_docs, reason = "the sentence on each variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Deed {
    /// Somebody pushes.
    Commit { changes: Vec<Change> },
    /// Somebody reverts the last commit.
    Revert,
    /// Somebody throws the last commit away and pushes with force.
    ForcePush,
    /// The repository cannot be reached.
    GitFails { lasts: u64 },
    /// Somebody patches the size in a VM's spec.
    EditVm { vm: String, size: Size },
    /// Somebody resizes a VM's Pod to what would carry this size.
    EditPod { vm: String, size: Size },
    /// Somebody asks something of a VM by its annotation.
    Ask { vm: String, request: Request },
    /// Somebody deletes a VM.
    DeleteVm { vm: String },
    /// Somebody deletes the Pod of a VM.
    DeletePod { vm: String },
    /// Somebody or something pauses a VM.
    Pause { vm: String, lasts: Option<u64> },
    /// A VM moves to another host, or seems to.
    Migrate { vm: String, lasts: u64 },
    /// The way to the API server is bad, for this many of a thousand requests.
    Weather { sky: Sky, of_thousand: u32, seed: u64, lasts: u64 },
    /// The API server is started anew: every watch ends.
    DropWatches,
    /// The API server forgets its history.
    Compact,
    /// A kubelet is bad.
    Kubelet { node: String, ways: KubeletWays, lasts: u64 },
    /// A node takes no new Pods.
    Cordon { node: String, lasts: u64 },
    /// A VMM's socket is bad for so many requests.
    Vmm { vm: String, ways: VmmWays, requests: u32, lasts: u64 },
    /// A VMM is killed.
    KillVmm { vm: String },
    /// A VM's container goes beyond its memory and is killed.
    OomKill { vm: String },
    /// A guest reboots.
    Reboot { vm: String },
    /// A guest is bad; for ever where no time is given.
    Guest { vm: String, ways: GuestWays, lasts: Option<u64> },
    /// Processes in a guest now use this many MiB.
    GuestUses { vm: String, mib: u32, lasts: u64 },
    /// A guest drops this many MiB that it was given.
    GuestDrops { vm: String, mib: u32 },
    /// Another VM's socket stands where this VM's stood.
    SwapSocket { vm: String, other: String, lasts: u64 },
    /// A role dies and is started again after a while: `controller`, or a node's name for its daemon.
    Kill { role: String, crash: Crash, down: u64 },
    /// A second daemon runs on a node.
    SecondDaemon { node: String, lasts: u64 },
    /// The controller's wall clock jumps by so many seconds.
    ClockJumps { seconds: i64, lasts: u64 },
}

impl Deed {
    /// What it says of VMs in Git.
    pub fn changes(&self) -> &[Change] {
        if let Self::Commit { changes } = self { changes } else { &[] }
    }

    /// The VM that it is about, where it is about one.
    pub fn vm(&self) -> Option<&str> {
        match self {
            Self::EditVm { vm, .. }
            | Self::EditPod { vm, .. }
            | Self::Ask { vm, .. }
            | Self::DeleteVm { vm }
            | Self::DeletePod { vm }
            | Self::Pause { vm, .. }
            | Self::Migrate { vm, .. }
            | Self::Vmm { vm, .. }
            | Self::KillVmm { vm }
            | Self::OomKill { vm }
            | Self::Reboot { vm }
            | Self::Guest { vm, .. }
            | Self::GuestUses { vm, .. }
            | Self::GuestDrops { vm, .. }
            | Self::SwapSocket { vm, .. } => Some(vm),
            Self::Commit { .. }
            | Self::Revert
            | Self::ForcePush
            | Self::GitFails { .. }
            | Self::Weather { .. }
            | Self::DropWatches
            | Self::Compact
            | Self::Kubelet { .. }
            | Self::Cordon { .. }
            | Self::Kill { .. }
            | Self::SecondDaemon { .. }
            | Self::ClockJumps { .. } => None,
        }
    }

    /// The same without one VM; nothing where it was about that one.
    #[must_use]
    pub fn without_vm(&self, name: &str) -> Option<Self> {
        let about = self.vm() == Some(name) || matches!(self, Self::SwapSocket { other, .. } if other == name);
        if about {
            return None;
        }
        let Self::Commit { changes } = self else { return Some(self.clone()) };
        let left: Vec<Change> = changes.iter().filter(|change| change.vm != name).cloned().collect();
        (!left.is_empty()).then_some(Self::Commit { changes: left })
    }
}
