//! What can be found wrong, and how it is told.

use std::fmt;
use std::time::Duration;

macro_rules! invariants {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal $words:literal,)+) => {
        /// Something that must hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Invariant { $($(#[doc = $doc])+ $name,)+ }

        impl fmt::Display for Invariant {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => concat!($id, " ", $words),)+ })
            }
        }
    };
}

invariants! {
    /// The smallest of spec, allocated and actual of a Pod covers what its VMM was asked for and has, and the overhead.
    Containment = "I1" "containment",
    /// A grant is raised, and a VMM asked for more, only where the Pod covers it.
    GrowOrder = "I2" "the order of growth",
    /// A Pod is not lowered below what may be held, and no memory is taken that the guest uses.
    ShrinkOrder = "I3" "the order of shrinking",
    /// One request at a time, for one resource.
    SingleFlight = "I5" "one request at a time",
    /// A VM's spec is what one commit says of it, and no commit of before comes back by itself.
    Revision = "I6" "a spec is of one commit",
    /// Nothing is deleted that nobody deleted.
    Absence = "I7" "nothing is deleted that nobody deleted",
    /// What is granted and asked for lies within what the VM has booted with.
    Bounds = "I9" "the bounds of a VM",
    /// A patch of a Pod changes the resources of the one container, and nothing else.
    PodShape = "I11" "the shape of a Pod's patch",
    /// Every write names UID and version of what was read; every request to a VMM is under an acknowledged grant for its Pod.
    Identity = "I12" "identity",
    /// A VM is not grown and shrunk in turn without a new target.
    Flapping = "I16" "no flapping",
    /// One event for a VM's UID, generation and reason.
    Events = "I17" "an event once",
    /// Not more writes than there is a reason for.
    Economy = "I18" "economy of writes",
    /// What a status says is so.
    Truth = "I22" "a truthful status",
    /// Each field of a status has one writer.
    Writers = "-" "one writer for a field",
    /// A VM lives in one process at a time, and no role ends it without being told to.
    Life = "-" "a VM's life",
    /// No role ends by itself, and no task panics.
    Roles = "-" "roles go on",
    /// When faults end, every VM settles or says for good why not.
    Settling = "I24" "every VM settles or says why not",
    /// And then nothing is written any more.
    Rest = "I24" "the world comes to rest",
}

/// Something was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When, since the world began.
    pub at: Duration,
    /// What did not hold.
    pub invariant: Invariant,
    /// The VM that it is about, where it is about one.
    pub vm: Option<String>,
    /// The sentence for people.
    pub told: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken after {:.3} s", self.invariant, self.at.as_secs_f64())?;
        if let Some(vm) = &self.vm {
            write!(f, " for {vm}")?;
        }
        write!(f, ": {}", self.told)
    }
}
