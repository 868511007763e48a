//! What happened, in order: every change of every object, with its time. Two runs of one seed have equal traces.

use reef_sim::store::{Store, Subscription};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// A record of changes that grows while the world lives.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<String>>);

impl Trace {
    /// Records the changes of a store, from now on.
    pub fn of(store: &Store) -> Self {
        let trace = Self::default();
        let (changes, start, record) = (store.subscribe(), Instant::now(), trace.clone());
        tokio::spawn(record.follow(changes, start));
        trace
    }

    async fn follow(self, mut changes: Subscription, start: Instant) {
        while let Ok(change) = changes.next().await {
            let at = start.elapsed().as_millis();
            let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{at:>9} {:?} {} {}", change.kind, change.key, change.object);
        }
    }

    /// The record so far.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
