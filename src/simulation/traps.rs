//! Death around one effect: before it is sent, after it without the reply, after the reply. A role dies where the trap is, in the same instant.
//!
//! Counts and kills only; whoever has set a trap starts the role again.

use super::script::{Crash, Moment};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// How long a role lives on after a reply that is its last: it may just send the next request.
const LAST_BREATH: Duration = Duration::from_millis(1);

/// A kind of effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// A write to the API server.
    Write,
    /// A resize of a VMM.
    Resize,
}

/// The traps of all roles. Clones are the same ones.
#[derive(Clone, Default)]
pub(super) struct Traps {
    inner: Arc<Mutex<Inner>>,
    fired: Arc<Notify>,
}

#[derive(Default)]
struct Inner {
    roles: BTreeMap<String, AbortHandle>,
    set: BTreeMap<String, Trap>,
    dead: Vec<String>,
}

struct Trap {
    crash: Crash,
    seen: u32,
}

impl Traps {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A role has started.
    pub(super) fn started(&self, role: &str, handle: AbortHandle) {
        self.inner().roles.insert(role.to_owned(), handle);
    }

    /// Sets a trap for a role; one that was there is gone.
    pub(super) fn set(&self, role: &str, crash: Crash) {
        self.inner().set.insert(role.to_owned(), Trap { crash, seen: 0 });
    }

    /// Takes all traps away.
    pub(super) fn clear(&self) {
        self.inner().set.clear();
    }

    /// The roles that have died in traps since the last time.
    pub(super) fn take_dead(&self) -> Vec<String> {
        std::mem::take(&mut self.inner().dead)
    }

    /// Comes back when a role has died in a trap.
    pub(super) async fn fired(&self) {
        while self.inner().dead.is_empty() {
            self.fired.notified().await;
        }
    }

    /// A role is about to have an effect: when it dies of it, if it does.
    pub(super) fn step(&self, role: &str, effect: Effect) -> Option<Moment> {
        let mut inner = self.inner();
        let trap = inner.set.get_mut(role)?;
        let (wanted, moment) = match (trap.crash, effect) {
            (Crash::Write { n, moment }, Effect::Write) | (Crash::Resize { n, moment }, Effect::Resize) => (n, moment),
            (Crash::Now | Crash::Write { .. } | Crash::Resize { .. }, _) => return None,
        };
        trap.seen += 1;
        if trap.seen != wanted {
            return None;
        }
        inner.set.remove(role);
        Some(moment)
    }

    /// The role dies now.
    pub(super) fn kill(&self, role: &str) {
        let mut inner = self.inner();
        if let Some(handle) = inner.roles.remove(role) {
            handle.abort();
            inner.dead.push(role.to_owned());
            self.fired.notify_one();
        }
    }

    /// The role dies in a moment.
    pub(super) fn kill_soon(&self, role: &str) {
        let (traps, role) = (self.clone(), role.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(LAST_BREATH).await;
            traps.kill(&role);
        });
    }
}
