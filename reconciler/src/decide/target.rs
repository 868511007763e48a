//! What a VM is to become: the effective VM of one generation, and what its Pod needs beside a size.
//!
//! Values only; `observe` makes them, the pipeline reads them.

use crate::decide::asked::Asked;
use k8s_openapi::api::core::v1::{Affinity, Toleration};
use reef_api::{NodeDevice, Reason, Suspended, Vm};
use std::collections::{BTreeMap, BTreeSet};

/// What the spec asks for, pinned to one generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Generation of the spec that `vm` was taken from.
    pub generation: i64,
    /// Commit that asked for it, where one did.
    pub revision: Option<String>,
    /// The effective VM at that generation; its size counts only while there is no `problem` with it.
    pub vm: Vm,
    /// What is wrong with it, where something is.
    pub problem: Option<TargetProblem>,
    /// What people ask of it beside its spec.
    pub asked: Asked,
    /// The suspension that holds it, where one does.
    pub hold: Option<Hold>,
    /// Where the Pod may run, and from which image.
    pub placement: Placement,
}

impl Target {
    /// Whether the size of the spec may be used.
    pub fn is_usable(&self) -> bool {
        self.problem.as_ref().is_none_or(|problem| !problem.spoils_size())
    }

    /// Whether nothing at all may be done with the VM, because not even its Pod's size is known.
    pub fn holds_everything(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.reason == Reason::PolicyConflict)
    }

    /// The generation of the spec that was looked at: what a condition is about, whether or not it is taken up.
    pub fn seen(&self) -> i64 {
        self.hold.as_ref().map_or(self.generation, |hold| hold.generation)
    }
}

/// A target that stays what it was, whatever the spec says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who holds it, why, and until when.
    pub suspended: Suspended,
    /// Generation of the spec.
    pub generation: i64,
}

/// Something wrong with a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetProblem {
    /// The word for programs.
    pub reason: Reason,
    /// The sentence for people.
    pub message: String,
}

impl TargetProblem {
    /// Whether the size of the spec must not be used. Any other problem is told and changes nothing.
    pub fn spoils_size(&self) -> bool {
        matches!(self.reason, Reason::Invalid | Reason::PolicyConflict)
    }
}

/// What a Pod of the VM needs beside its size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// Image of the container `vm-manager`.
    pub image: String,
    /// Devices of its node that the VMM is given.
    pub devices: BTreeSet<NodeDevice>,
    /// Labels that nodes must have.
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Affinity.
    pub affinity: Option<Affinity>,
    /// Tolerations.
    pub tolerations: Option<Vec<Toleration>>,
}
