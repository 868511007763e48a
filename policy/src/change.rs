//! A change of a VM as policies see it, and what they find wrong with it. Words only.

use std::collections::BTreeMap;
use std::fmt;

use reef_api::plan::{Finding, Rule};
use reef_api::validate::violation;
use reef_api::{Bytes, MilliCpu, Size, Violation, Vm};

/// A change of one VM.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What it had.
    pub before: Before,
    /// The VM as it is to be.
    pub after: &'a Vm,
    /// Its labels, as they are to be.
    pub labels: &'a BTreeMap<String, String>,
    /// Whether it is stopped.
    pub stops: bool,
    /// Whether it gets the size only when it is started anew.
    pub restart: bool,
    /// Where its Pod runs.
    pub host: Host<'a>,
}

/// What a VM had: the last size that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// It is not known: what is judged by it is left open.
    Unknown,
    /// It is new.
    New,
    /// This size.
    Had(Size),
}

/// Where the Pod of a VM runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// It is not known: what is judged by it is left open.
    Unknown,
    /// Nowhere.
    None,
    /// On this node.
    Node {
        /// Its name.
        name: &'a str,
        /// CPU that it can give.
        cpu: MilliCpu,
        /// Memory that it can give.
        memory: Bytes,
    },
}

impl Change<'_> {
    /// Whether the VM is new or gets another size, as far as that is known.
    pub fn is_of_size(&self) -> bool {
        self.before != Before::Had(self.after.size)
    }
}

/// What of a policy a change breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rule.
    pub rule: Rule,
    /// Path, value found, limit, and what to do.
    pub violation: Violation,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.violation.fmt(f)
    }
}

impl From<&Broken> for Finding {
    fn from(broken: &Broken) -> Self {
        Self::of(broken.rule, &broken.violation)
    }
}

/// Something broken, from its parts.
pub(crate) fn broken(
    rule: Rule,
    path: &'static str,
    found: impl fmt::Display,
    limit: impl Into<String>,
    remedy: impl Into<String>,
) -> Broken {
    Broken { rule, violation: violation(path, found, limit, remedy) }
}
