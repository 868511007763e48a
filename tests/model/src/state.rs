//! A state of the world: what each party has, and nothing that cannot make a difference.
//!
//! Values only. A resourceVersion is no number here: of a copy it matters only whether it is of the newest state of its object ([`View`]), and
//! of a write that is on its way whether it can still take effect; one that cannot is not kept.

use crate::size::Level;

/// A status of the controller's, by its number in [`crate::statuses::Statuses`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusId(pub u32);

/// A report of the daemon's without its acknowledgement, by its number in [`crate::reports::Reports`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportId(pub u32);

/// Which start of the VM: its Pod and its VMM's process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Start(pub u8);

/// A grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// Its number, by order among all that are still spoken of.
    pub seq: u8,
    /// The start whose Pod it names.
    pub start: Start,
    /// What it allows.
    pub size: Level,
}

/// A report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Report {
    /// Number of the grant that it acknowledges; 0 for none.
    pub ack: u8,
    /// Everything else.
    pub text: ReportId,
}

/// The VirtualMachine in the API server, or a copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vm {
    /// Generation: how often people have changed their mind.
    pub generation: u8,
    /// What they want.
    pub want: Level,
    /// The controller's part of the status.
    pub status: StatusId,
    /// The daemon's part.
    pub report: Option<Report>,
}

/// Why the kubelet has not taken up a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pending {
    /// It has, or has not looked yet.
    No,
    /// No room at present.
    Deferred,
    /// Never.
    Infeasible,
}

/// How far the kubelet is with what it has set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Progress {
    /// It is in effect.
    Done,
    /// It is being put into effect.
    Going,
    /// It could not be put into effect, and is tried again.
    Error,
}

/// The Pod in the API server, or a copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pod {
    /// Which start it is of: its UID.
    pub start: Start,
    /// What its spec wishes.
    pub wish: Level,
    /// What its status calls allocated.
    pub allocated: Level,
    /// What its status calls actual.
    pub actual: Level,
    /// Whether the status is about the present spec.
    pub caught_up: bool,
    /// The condition about a wish that is not taken up; `No` where it is about an older spec.
    pub pending: Pending,
    /// The condition about a resize that is going on.
    pub progress: Progress,
}

/// The kubelet: what it has set aside, and what the kernel holds the container to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kubelet {
    /// Whether it has dealt with the present wish.
    pub synced: bool,
    /// What is set aside.
    pub allocated: Level,
    /// The limits of the cgroup.
    pub actual: Level,
    /// Why the wish is not taken up.
    pub pending: Pending,
    /// How far it is.
    pub progress: Progress,
}

/// A request to the VMM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ask {
    /// A number of vCPUs.
    Cpu(u8),
    /// An amount of memory.
    Memory(u8),
}

/// The VMM and its guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vmm {
    /// What it was last asked for.
    pub requested: Level,
    /// vCPU threads, and memory that is plugged.
    pub actual: Level,
    /// Requests that nobody waits for any more and that it may still serve.
    pub late: Pair<Ask>,
    /// Whether the guest uses more than any smaller size has.
    pub pressed: bool,
}

/// A copy of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View<T> {
    /// Of the newest state.
    Current,
    /// Of an older one, which was this.
    Stale(T),
    /// In doubt: it is read again before anything is decided by it.
    Unread,
}

impl<T: Copy> View<T> {
    /// What the copy shows, given the newest state; `None` where it is in doubt.
    pub const fn shows(self, newest: T) -> Option<T> {
        match self {
            Self::Current => Some(newest),
            Self::Stale(older) => Some(older),
            Self::Unread => None,
        }
    }
}

/// One of the two objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// The VirtualMachine.
    Vm,
    /// The Pod.
    Pod,
}

/// A write of the controller's that may still arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Write {
    /// A wish for the Pod of this start.
    Pod(Start, Level),
    /// A status, and the generation of the VM that it was computed from.
    Status(StatusId, u8),
}

/// Why the API server has refused a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The node can never hold it (Kubernetes 1.36).
    NodeCapacity,
    /// A quota.
    Quota,
}

/// A refusal, and what it was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Remembered {
    /// Why.
    pub refusal: Refusal,
    /// Generation whose target was asked for.
    pub generation: u8,
    /// The start whose Pod was asked.
    pub start: Start,
    /// The wish. The shell knows every one that was refused, here it is the last one alone: it may ask once too often, never too seldom.
    pub wish: Level,
}

/// The controller's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Controller {
    /// Its copy of the VM.
    pub vm: View<Vm>,
    /// Its copy of the Pod.
    pub pod: View<Pod>,
    /// A write to this object may still arrive.
    pub suspect: Option<Object>,
    /// What a process of before may still write to.
    pub inherited: Inherited,
    /// The refusal that it remembers.
    pub refusal: Option<Remembered>,
    /// Its writes that may still arrive.
    pub late: Pair<Write>,
}

/// Objects that have not moved since a process of before may have written to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inherited {
    /// The VM.
    pub vm: bool,
    /// The Pod.
    pub pod: bool,
}

impl Inherited {
    /// The mark of an object.
    pub const fn of(&mut self, object: Object) -> &mut bool {
        match object {
            Object::Vm => &mut self.vm,
            Object::Pod => &mut self.pod,
        }
    }
}

/// What the daemon takes out of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen {
    /// The start whose Pod the controller names.
    pub start: Option<Start>,
    /// The grant.
    pub grant: Option<Grant>,
    /// What was reported last.
    pub report: Option<Report>,
}

/// The daemon's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Daemon {
    /// Its copy of the VM.
    pub view: View<Seen>,
    /// The grant that it has taken over.
    pub taken: Option<Grant>,
    /// The largest number of a grant whose acknowledgement it ever sent.
    pub pledged: u8,
    /// Whether a request may be unaccounted for.
    pub doubt: bool,
    /// Whether it has asked for vCPUs a moment ago.
    pub asked: bool,
    /// What it has not seen move for long.
    pub still: Still,
}

/// Which resources have not moved for long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Still {
    /// The vCPUs.
    pub cpu: bool,
    /// The memory.
    pub memory: bool,
}

/// How much of each bound is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spent {
    /// Crashes of either side.
    pub crashes: u8,
    /// Replies lost and requests late.
    pub losses: u8,
    /// Refusals of kubelet and API server.
    pub refusals: u8,
    /// Reboots of the guest, starts of the VM, and guests under pressure.
    pub upsets: u8,
    /// Guests that do not move for long.
    pub stalls: u8,
}

/// Everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Bounds that are used up.
    pub spent: Spent,
    /// The VirtualMachine.
    pub vm: Vm,
    /// The Pod.
    pub pod: Pod,
    /// The kubelet.
    pub kubelet: Kubelet,
    /// The VMM that runs.
    pub vmm: Vmm,
    /// The controller.
    pub controller: Controller,
    /// The daemon, and a second one where nothing keeps it away.
    pub daemons: [Option<Daemon>; 2],
    /// Reports that may still arrive.
    pub reports: Pair<Report>,
    /// What an API server that lags behind still shows to a daemon.
    pub past: Option<Seen>,
}

/// At most two things, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair<T>(pub [Option<T>; 2]);

impl<T> Default for Pair<T> {
    fn default() -> Self {
        Self([None, None])
    }
}

impl<T: Copy + Ord> Pair<T> {
    /// Whether there is no room for another one.
    pub fn is_full(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }

    /// The things.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.0.iter().flatten().copied()
    }

    /// Adds one; what there is already, and what there is no room for, changes nothing.
    pub fn add(&mut self, thing: T) {
        if !self.iter().any(|there| there == thing)
            && let Some(free) = self.0.iter_mut().find(|place| place.is_none())
        {
            *free = Some(thing);
        }
        self.0.sort_unstable();
    }

    /// Takes one out.
    pub fn take(&mut self, place: usize) -> Option<T> {
        let taken = self.0.get_mut(place)?.take();
        self.0.sort_unstable();
        taken
    }

    /// Keeps those that pass.
    pub fn keep(&mut self, pass: impl Fn(T) -> bool) {
        self.change(|thing| pass(thing).then_some(thing));
    }

    /// Exchanges each for another one, or for none.
    pub fn change(&mut self, mut change: impl FnMut(T) -> Option<T>) {
        self.0 = self.0.map(|place| place.and_then(&mut change));
        self.0.sort_unstable();
    }
}
