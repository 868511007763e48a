//! Which namespaces a repository may state objects of, and what is said where it may not. Pure: what an account may do was asked before.

use std::collections::{BTreeMap, BTreeSet};

use super::object::{Kind, ObjectName};

/// Which namespaces a repository may state objects of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'n> {
    /// This one.
    Only(&'n str),
    /// This one, and those that the account of its source may write to.
    Granted(&'n str, &'n Grants),
    /// Any; this one is meant where an object states none.
    Any(&'n str),
}

/// What the account of a source may do outside the source's own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The account, as the API server calls it.
    pub account: String,
    /// Kinds that it may write, each with the namespace.
    pub allowed: BTreeSet<(Kind, String)>,
    /// Kinds that it may not write, each with the namespace and a sentence that says why and what to do.
    pub refused: BTreeMap<(Kind, String), String>,
}

impl<'n> Scope<'n> {
    /// The namespace of an object that states none.
    pub(super) fn fallback(self) -> &'n str {
        match self {
            Self::Only(namespace) | Self::Granted(namespace, _) | Self::Any(namespace) => namespace,
        }
    }

    /// Whether the repository may state an object.
    pub(super) fn allows(self, name: &ObjectName) -> bool {
        match self {
            Self::Only(own) => own == name.namespace,
            Self::Granted(own, grants) => {
                own == name.namespace || grants.allowed.contains(&(name.kind, name.namespace.clone()))
            }
            Self::Any(_) => true,
        }
    }

    /// Why it may not, and what to do.
    pub(super) fn refusal(self, name: &ObjectName) -> String {
        let (own, other) = (self.fallback(), &name.namespace);
        let told = match self {
            Self::Only(_) | Self::Any(_) => None,
            Self::Granted(_, grants) => grants.refused.get(&(name.kind, other.clone())),
        };
        told.cloned().unwrap_or_else(|| {
            format!(
                "the source may write to namespace `{own}` only; leave metadata.namespace out, give `{other}` a source of its own, or state \
                 in spec.serviceAccountName of the source an account of `{own}` that may write there"
            )
        })
    }
}
