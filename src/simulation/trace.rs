//! What happened, in order: every change of every object, with its time. Two runs of one seed have equal traces.

use reef_sim::store::{Change, Store};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// What is kept of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: making the text of every change costs time.
    Nothing,
    /// A number that differs where traces differ.
    Digest,
    /// All of it.
    Text,
}

/// A record of changes that grows while the world lives.
#[derive(Clone)]
pub struct Trace(Arc<Mutex<Record>>);

struct Record {
    text: String,
    digest: DefaultHasher,
    changes: u64,
}

impl Trace {
    /// Records the changes of a store, from now on.
    pub fn of(store: &Store, keep: Keep) -> Self {
        let record = Record { text: String::new(), digest: DefaultHasher::new(), changes: 0 };
        let trace = Self(Arc::new(Mutex::new(record)));
        let (start, record) = (Instant::now(), trace.0.clone());
        store.witness(Arc::new(move |change| {
            record.lock().unwrap_or_else(PoisonError::into_inner).take(change, start, keep);
        }));
        trace
    }

    /// The record so far, where it is kept.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    /// A number that differs where records differ.
    pub fn digest(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).digest.finish()
    }

    /// How many changes there were.
    pub fn changes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).changes
    }
}

impl Record {
    fn take(&mut self, change: &Change, start: Instant, keep: Keep) {
        self.changes += 1;
        if keep == Keep::Nothing {
            return;
        }
        let at = start.elapsed().as_millis();
        if keep == Keep::Digest {
            self.text.clear();
        }
        // Writing into a String cannot fail.
        let _ = writeln!(self.text, "{at:>9} {:?} {} {}", change.kind, change.key, change.object);
        if keep == Keep::Digest {
            self.digest.write(self.text.as_bytes());
        }
    }
}
