//! Reading the store's changes one after the other, from a version on, without loss or with a clear word of it.

use std::sync::Arc;

use super::Store;
use super::history::Change;
use super::kind::ResourceId;
use super::signal::Listener;

/// The reader fell behind the history, or the history is another one: what it knows must be listed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("changes after version {asked} are forgotten; the oldest known version is {oldest}: list again")]
pub struct Lagged {
    /// The last version that the reader saw.
    pub asked: u64,
    /// The oldest version from which reading can go on.
    pub oldest: u64,
}

/// A reader of changes. Holds no copies: it reads the store's own history.
pub struct Subscription {
    store: Store,
    seen: u64,
    /// How often the store had been restored when `seen` was read.
    past: u64,
    written: Listener,
    /// The resource that is read; all, where it names none.
    resource: Option<ResourceId>,
}

impl Subscription {
    pub(super) fn new(store: Store, seen: u64, past: u64, written: Listener, resource: Option<ResourceId>) -> Self {
        Subscription { store, seen, past, written, resource }
    }

    /// The version up to which everything was read.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The same, where it is known that nothing is left to read: the present version.
    pub fn caught_up(&mut self) -> u64 {
        self.seen = self.store.caught_up(self.seen, self.resource.as_ref());
        self.seen
    }

    /// The next change, if it has already happened.
    ///
    /// # Errors
    /// [`Lagged`] where the history was cut behind the reader, or the store was restored.
    pub fn try_next(&mut self) -> Result<Option<Arc<Change>>, Lagged> {
        let next = self.store.change_after(self.seen, self.past, self.resource.as_ref())?;
        if let Some(change) = &next {
            self.seen = change.resource_version;
        }
        Ok(next)
    }

    /// Waits for the next change. Safe to drop and call again.
    ///
    /// # Errors
    /// [`Lagged`] where the history was cut behind the reader.
    pub async fn next(&mut self) -> Result<Arc<Change>, Lagged> {
        loop {
            if let Some(change) = self.try_next()? {
                return Ok(change);
            }
            self.written.heard().await;
        }
    }

    /// Waits until there is a change to read, and leaves it where it is. Safe to drop and call again.
    ///
    /// # Errors
    /// [`Lagged`] where the history was cut behind the reader.
    pub async fn ready(&mut self) -> Result<(), Lagged> {
        loop {
            if self.store.change_after(self.seen, self.past, self.resource.as_ref())?.is_some() {
                return Ok(());
            }
            self.written.heard().await;
        }
    }

    /// Goes on from the present, leaving out what lies between: after [`Lagged`], together with a new list.
    pub fn skip_to(&mut self, version: u64) {
        (self.seen, self.past) = (version, self.store.past());
    }
}
