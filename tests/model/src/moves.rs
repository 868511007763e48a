//! The moves: everything that any party can do next, as values.
//!
//! Which of them are possible in a state, and what they lead to, is told in `parties`.

use crate::bounds::{Bounds, Caches, Guard, Starts, Telling, VcpuKind};
use crate::size::Level;
use crate::state::{Refusal, Spent};
use std::fmt;

/// One move of one party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// People want another size.
    Want(Level),
    /// The controller's copy of the VM becomes the newest.
    ControllerSeesVm,
    /// The controller's copy of the Pod becomes the newest.
    ControllerSeesPod,
    /// The controller decides and does the one thing.
    ControllerActs(Fate),
    /// A write of the controller's that nobody waits for any more arrives.
    ControllerLateWrite(usize),
    /// So much time goes by that no write of the controller's can arrive any more.
    WritesExpire,
    /// The controller asks again for what was refused.
    RefusalExpires,
    /// The controller is killed, and starts from a consistent list.
    ControllerCrashes,
    /// The kubelet takes up the wish.
    KubeletAllocates,
    /// The kubelet has no room at present.
    KubeletDefers,
    /// The kubelet says that the node can never hold it.
    KubeletRefuses,
    /// The kubelet puts into effect what it has set aside.
    KubeletActuates,
    /// The kubelet fails to lower memory.
    KubeletFails,
    /// The kubelet tells what it has done.
    KubeletTells,
    /// A daemon's copy of the VM becomes the newest.
    DaemonSees(usize),
    /// A daemon's copy becomes an older one again.
    DaemonSeesPast(usize),
    /// One of several API servers stays at what it has now.
    CacheLags,
    /// A daemon gets two answers in a row on a new connection.
    DaemonMakesSure(usize),
    /// A daemon looks, decides, and does the one thing.
    DaemonActs(usize, Fate),
    /// Some time goes by for a daemon.
    DaemonWaits(usize),
    /// A daemon has not seen its guest move for long.
    DaemonSeesStill(usize),
    /// A daemon is killed.
    DaemonCrashes(usize),
    /// A report that nobody waits for any more arrives.
    LateReport(usize),
    /// The VMM serves a request that nobody waits for any more.
    LateAsk(usize),
    /// The guest lets go of vCPUs.
    GuestEjects,
    /// The guest's memory comes one block nearer to what was asked for.
    GuestMoves,
    /// The guest reboots.
    GuestReboots,
    /// The guest uses more than any smaller size has.
    GuestUses,
    /// The guest lets go of what it used.
    GuestFrees,
    /// The VM ends, and is started anew at the size that is wanted.
    Restarts,
    /// What the VM waits for takes long.
    ReasonAges,
    /// What was given up is due to be tried again.
    RetriesAreDue,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, and so does its answer.
    Answered,
    /// No answer comes: it is lost, or still on its way.
    Lost,
    /// The API server refuses it.
    Refused(Refusal),
}

/// What a move costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Nothing: it is progress, or time.
    Free,
    /// A change of mind.
    Mind,
    /// A crash.
    Crash,
    /// A loss.
    Loss,
    /// A refusal.
    Refusal,
    /// An upset.
    Upset,
    /// A stall.
    Stall,
}

impl Move {
    /// All moves of a model.
    pub fn all(bounds: &Bounds) -> Vec<Self> {
        let mut all: Vec<Self> = bounds.levels().map(Self::Want).collect();
        all.extend([
            Self::ControllerSeesVm,
            Self::ControllerSeesPod,
            Self::ControllerActs(Fate::Answered),
            Self::ControllerActs(Fate::Lost),
            Self::ControllerActs(Fate::Refused(Refusal::NodeCapacity)),
            Self::ControllerActs(Fate::Refused(Refusal::Quota)),
            Self::ControllerLateWrite(0),
            Self::ControllerLateWrite(1),
            Self::WritesExpire,
            Self::RefusalExpires,
            Self::ControllerCrashes,
            Self::KubeletAllocates,
            Self::KubeletDefers,
            Self::KubeletRefuses,
            Self::KubeletActuates,
            Self::KubeletFails,
            Self::LateReport(0),
            Self::LateReport(1),
            Self::LateAsk(0),
            Self::LateAsk(1),
            Self::GuestEjects,
            Self::GuestMoves,
            Self::GuestReboots,
            Self::GuestUses,
            Self::GuestFrees,
            Self::ReasonAges,
            Self::RetriesAreDue,
        ]);
        if bounds.kubelet == Telling::Later {
            all.push(Self::KubeletTells);
        }
        if bounds.starts == Starts::Two {
            all.push(Self::Restarts);
        }
        if bounds.caches == Caches::Lag {
            all.push(Self::CacheLags);
        }
        let daemons = if bounds.holds(Guard::OneDaemon) { 1 } else { 2 };
        for daemon in 0..daemons {
            all.extend([
                Self::DaemonSees(daemon),
                Self::DaemonMakesSure(daemon),
                Self::DaemonActs(daemon, Fate::Answered),
                Self::DaemonActs(daemon, Fate::Lost),
                Self::DaemonSeesStill(daemon),
                Self::DaemonCrashes(daemon),
            ]);
            if bounds.caches == Caches::Lag {
                all.push(Self::DaemonSeesPast(daemon));
            }
            if bounds.vcpus == VcpuKind::Slots {
                all.push(Self::DaemonWaits(daemon));
            }
        }
        all
    }

    /// What it costs.
    pub const fn cost(self) -> Cost {
        match self {
            Self::Want(_) => Cost::Mind,
            Self::ControllerCrashes | Self::DaemonCrashes(_) => Cost::Crash,
            Self::ControllerActs(Fate::Lost) | Self::DaemonActs(_, Fate::Lost) => Cost::Loss,
            Self::ControllerActs(Fate::Refused(_))
            | Self::DaemonActs(_, Fate::Refused(_))
            | Self::KubeletDefers
            | Self::KubeletRefuses
            | Self::KubeletFails => Cost::Refusal,
            Self::DaemonSeesStill(_) => Cost::Stall,
            Self::GuestReboots | Self::GuestUses | Self::Restarts | Self::CacheLags => Cost::Upset,
            Self::ControllerSeesVm
            | Self::ControllerSeesPod
            | Self::ControllerActs(Fate::Answered)
            | Self::ControllerLateWrite(_)
            | Self::WritesExpire
            | Self::RefusalExpires
            | Self::KubeletAllocates
            | Self::KubeletActuates
            | Self::KubeletTells
            | Self::DaemonSees(_)
            | Self::DaemonSeesPast(_)
            | Self::DaemonMakesSure(_)
            | Self::DaemonActs(_, Fate::Answered)
            | Self::DaemonWaits(_)
            | Self::LateReport(_)
            | Self::LateAsk(_)
            | Self::GuestEjects
            | Self::GuestMoves
            | Self::GuestFrees
            | Self::ReasonAges
            | Self::RetriesAreDue => Cost::Free,
        }
    }
}

impl Spent {
    /// What is used up after a move; `None` where its bound is reached. Changes of mind are counted by the generation.
    pub fn after(mut self, cost: Cost, generation: u8, bounds: &Bounds) -> Option<Self> {
        let (count, most) = match cost {
            Cost::Free => return Some(self),
            Cost::Mind => return (generation < bounds.minds).then_some(self),
            Cost::Crash => (&mut self.crashes, bounds.crashes),
            Cost::Loss => (&mut self.losses, bounds.losses),
            Cost::Refusal => (&mut self.refusals, bounds.refusals),
            Cost::Upset => (&mut self.upsets, bounds.upsets),
            Cost::Stall => (&mut self.stalls, bounds.stalls),
        };
        *count += 1;
        (*count <= most).then_some(self)
    }
}

impl fmt::Display for Move {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = |daemon: &usize| if *daemon == 0 { "the daemon" } else { "the second daemon" };
        match self {
            Self::Want(level) => write!(out, "people want {level}"),
            Self::ControllerSeesVm => out.write_str("the controller sees the VM"),
            Self::ControllerSeesPod => out.write_str("the controller sees the Pod"),
            Self::ControllerActs(Fate::Answered) => out.write_str("the controller acts"),
            Self::ControllerActs(Fate::Lost) => out.write_str("the controller acts and gets no answer"),
            Self::ControllerActs(Fate::Refused(Refusal::NodeCapacity)) => {
                out.write_str("the controller acts and is refused for the node's capacity")
            }
            Self::ControllerActs(Fate::Refused(Refusal::Quota)) => {
                out.write_str("the controller acts and is refused for a quota")
            }
            Self::ControllerLateWrite(_) => out.write_str("the controller's late write arrives"),
            Self::WritesExpire => out.write_str("no write of the controller's can arrive any more"),
            Self::RefusalExpires => out.write_str("the controller forgets a refusal"),
            Self::ControllerCrashes => out.write_str("the controller is killed and starts anew"),
            Self::KubeletAllocates => out.write_str("the kubelet allocates"),
            Self::KubeletDefers => out.write_str("the kubelet defers"),
            Self::KubeletRefuses => out.write_str("the kubelet refuses for ever"),
            Self::KubeletActuates => out.write_str("the kubelet actuates"),
            Self::KubeletFails => out.write_str("the kubelet fails to lower"),
            Self::KubeletTells => out.write_str("the kubelet tells"),
            Self::DaemonSees(daemon) => write!(out, "{} sees the VM", second(daemon)),
            Self::DaemonSeesPast(daemon) => write!(out, "{} sees an older VM", second(daemon)),
            Self::CacheLags => out.write_str("one of the API servers begins to lag behind"),
            Self::DaemonMakesSure(daemon) => write!(out, "{} makes sure that nothing is on its way", second(daemon)),
            Self::DaemonActs(daemon, Fate::Answered | Fate::Refused(_)) => write!(out, "{} acts", second(daemon)),
            Self::DaemonActs(daemon, Fate::Lost) => write!(out, "{} acts and gets no answer", second(daemon)),
            Self::DaemonWaits(daemon) => write!(out, "{} waits", second(daemon)),
            Self::DaemonSeesStill(daemon) => write!(out, "{} has not seen the guest move for long", second(daemon)),
            Self::DaemonCrashes(daemon) => write!(out, "{} is killed and starts anew", second(daemon)),
            Self::LateReport(_) => out.write_str("the daemon's late report arrives"),
            Self::LateAsk(_) => out.write_str("the VMM serves a late request"),
            Self::GuestEjects => out.write_str("the guest ejects vCPUs"),
            Self::GuestMoves => out.write_str("the guest's memory moves"),
            Self::GuestReboots => out.write_str("the guest reboots"),
            Self::GuestUses => out.write_str("the guest uses all of its memory"),
            Self::GuestFrees => out.write_str("the guest frees memory"),
            Self::Restarts => out.write_str("the VM is started anew"),
            Self::ReasonAges => out.write_str("the wait takes long"),
            Self::RetriesAreDue => out.write_str("what was given up is due again"),
        }
    }
}
