//! What callers say beside the object: preconditions, how to delete, how the store is set up. Plain data.

use std::sync::Arc;

use jiff::Timestamp;

use super::error::ApiError;
use super::kind::{ResourceId, ResourceKind};

/// The wall clock of the cluster, handed in.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a store is set up.
#[derive(Clone)]
pub struct StoreOptions {
    /// Where UIDs and generated names come from.
    pub seed: u64,
    /// Wall clock for timestamps in objects.
    pub clock: WallClock,
    /// How many writes are remembered for watches; older ones answer 410.
    pub history: usize,
}

impl StoreOptions {
    /// A store with a long history.
    pub fn new(seed: u64, clock: WallClock) -> Self {
        StoreOptions { seed, clock, history: 20_000 }
    }
}

/// What must hold of the object as it is, for a write to happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// It is this incarnation.
    pub uid: Option<String>,
    /// It is at this version.
    pub resource_version: Option<String>,
}

impl Preconditions {
    /// Refuses with the server's words where a precondition does not hold. They name the kind, not the resource.
    ///
    /// # Errors
    /// 409 naming the precondition and what was found.
    pub fn check(&self, kind: &ResourceKind, name: &str, uid: &str, resource_version: &str) -> Result<(), ApiError> {
        let pairs = [
            ("UID", &self.uid, uid, "The object might have been deleted and then recreated"),
            ("ResourceVersion", &self.resource_version, resource_version, "The object might have been modified"),
        ];
        for (what, wanted, found, hint) in pairs {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| wanted.as_str() != found) {
                let why = format!(
                    "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). {hint}"
                );
                return Err(ApiError::conflict(&ResourceId::new(&kind.group, &kind.kind), name, &why));
            }
        }
        Ok(())
    }
}

/// What becomes of the objects that the deleted one owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They go after it.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay, without their owner reference.
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// What must hold.
    pub preconditions: Preconditions,
    /// Seconds that the node is given to stop a Pod; absent means the Pod's own wish. 0 removes it at once.
    pub grace_period_seconds: Option<i64>,
    /// What becomes of what it owns.
    pub propagation: Propagation,
    /// Only say what would happen.
    pub dry_run: bool,
}

impl DeleteOptions {
    /// Removes at once, without waiting for a node: what a kubelet says when a Pod has stopped.
    pub fn now() -> Self {
        DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() }
    }
}
