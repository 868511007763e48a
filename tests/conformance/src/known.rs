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
    /// From which minor version on.
    pub from: u32,
    /// Why it stays.
    pub why: &'static str,
}

impl Known {
    pub(crate) fn holds(&self, title: &str, side: Side, minor: u32) -> bool {
        self.case == title && self.side == side && minor >= self.from
    }
}

/// Every known difference.
pub const KNOWN: &[Known] = &[
    Known {
        case: "deletion::an_orphaning_delete_waits_with_a_finalizer",
        side: Side::Embedded,
        from: 0,
        why: "what a deletion does to the objects that were owned happens in the same write, so that there is nothing to wait for",
    },
    Known {
        case: "definitions::a_default_that_is_gained_shows_in_what_is_read",
        side: Side::Embedded,
        from: 0,
        why: "objects are read as they were stored: a default reaches them at their next write",
    },
    Known {
        case: "pods::an_unknown_field_is_dropped_with_a_warning",
        side: Side::Embedded,
        from: 0,
        why: "the structure of built-in kinds is known only where lists are merged by key, so that nothing can be called unknown",
    },
    Known {
        case: "limits::a_quota_is_charged_at_creation_and_at_a_resize",
        side: Side::Embedded,
        from: 0,
        why: "quotas and ranges are not served: what they refuse is a 403 to Reef, which the tests let the server answer",
    },
    Known {
        case: "limits::a_range_bounds_a_resize_too",
        side: Side::Embedded,
        from: 0,
        why: "quotas and ranges are not served: what they refuse is a 403 to Reef, which the tests let the server answer",
    },
    Known {
        case: "resize::init_containers_stay_as_they_are_before_1_36",
        side: Side::Embedded,
        from: 36,
        why: "of what came with 1.36 only the refusal at admission is played; Reef gives init containers no size of a VM",
    },
    Known {
        case: "pods::a_pod_that_never_restarts_cannot_restart_for_a_resize",
        side: Side::Embedded,
        from: 36,
        why: "of what came with 1.36 only the refusal at admission is played, not the words of other refusals",
    },
    Known {
        case: "access::a_write_as_another_is_made_by_the_rights_of_that_other",
        side: Side::Embedded,
        from: 0,
        why: "nobody has fewer rights than others: who may what is tested on a real API server",
    },
];
