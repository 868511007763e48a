//! The table of known differences between the embedded cluster and a real one, each with its reason.
//!
//! It is checked both ways: a difference that has gone must go from here too. `sim/README.md` tells the same to people.

/// Which of the two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The embedded one.
    Embedded,
    /// A real Kubernetes.
    Real,
}

/// One case that a cluster does not pass, and why that may stay.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// `room::name` of the case.
    pub case: &'static str,
    /// Who differs from the case.
    pub side: Side,
    /// Why it stays.
    pub why: &'static str,
}

impl Known {
    pub(crate) fn holds(&self, title: &str, side: Side, _minor: u32) -> bool {
        self.case == title && self.side == side
    }
}

/// Every known difference.
pub const KNOWN: &[Known] = &[
    Known {
        case: "deletion::an_orphaning_delete_waits_with_a_finalizer",
        side: Side::Embedded,
        why: "what a deletion does to the objects that were owned happens in the same write, so that there is nothing to wait for",
    },
    Known {
        case: "pods::an_unknown_field_is_dropped_with_a_warning",
        side: Side::Embedded,
        why: "the structure of built-in kinds is known only where lists are merged by key, so that nothing can be called unknown",
    },
];
