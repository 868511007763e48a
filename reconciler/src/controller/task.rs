//! What the loop looks at, one key at a time; and what comes back from work that was sent out.

use bytes::Bytes;
use reef_api::PodSize;

use crate::act::{Applied, Effect, Outcome, Refused};
use crate::observe::{Kind, Object, ObjectKey, Version};

/// Something that is looked at. At most one piece of work is under way for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// A VM: what Git states of it, then the pipeline.
    Vm(ObjectKey),
    /// A policy: what Git states of it.
    Policy(ObjectKey),
    /// A source: its next fetch and its status.
    Source(ObjectKey),
    /// A check: its plan and its status.
    Check(ObjectKey),
    /// An Application of Argo CD that VMs wait for.
    Application(ObjectKey),
}

impl Task {
    pub(super) const fn key(&self) -> &ObjectKey {
        match self {
            Self::Vm(key) | Self::Policy(key) | Self::Source(key) | Self::Check(key) | Self::Application(key) => key,
        }
    }
}

/// What a piece of work found.
#[derive(Debug)]
pub(super) enum Report {
    /// An action of the pipeline.
    Acted(Box<Acted>),
    /// Objects that were in doubt.
    Reread(Vec<Read>),
    /// What Git states of one object.
    Applied {
        /// Kind of the object.
        kind: Kind,
        /// What came of it.
        applied: Applied,
    },
    /// An Application of Argo CD, as it was read.
    Application {
        /// Number of the read.
        number: u64,
        /// What came of it.
        outcome: Outcome<Bytes>,
    },
    /// The status of a source or a check.
    Told {
        /// Kind of the object.
        kind: Kind,
        /// What came of it.
        outcome: Outcome<Option<Box<Object>>>,
    },
}

/// An action that was executed, and for which view.
#[derive(Debug)]
pub(super) struct Acted {
    pub(super) effect: Effect,
    pub(super) generation: i64,
    /// UID of the Pod that was asked for another size, empty for one that was to be created; none for every other action.
    pub(super) pod_uid: Option<String>,
    /// What was wished for a Pod.
    pub(super) wish: Option<PodSize>,
    /// What the server made of a wish that it took, where that is something else.
    pub(super) made_otherwise: Option<Refused>,
}

/// One object that was read again.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) kind: Kind,
    pub(super) key: ObjectKey,
    /// The version that was held when the read was sent.
    pub(super) before: Option<Version>,
    pub(super) outcome: Outcome<Bytes>,
}
