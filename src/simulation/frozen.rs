//! Roles that are kept from running, as one is whose thread does not come back from a call: nothing is lost, and nothing happens.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// Holds a role and lets it go on. Clones hold the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Freezer(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    frozen: bool,
    waker: Option<Waker>,
}

impl Freezer {
    /// Holds the role, or lets it go on.
    pub(super) fn set(&self, frozen: bool) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.frozen = frozen;
        if let Some(waker) = held.waker.take().filter(|_| !frozen) {
            waker.wake();
        }
    }

    fn holds(&self, waker: &Waker) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.frozen {
            held.waker = Some(waker.clone());
        }
        held.frozen
    }

    /// Runs a role for as long as it is not held.
    pub(super) async fn run(self, role: impl Future<Output = ()>) {
        let mut role = pin!(role);
        poll_fn(|context| if self.holds(context.waker()) { Poll::Pending } else { role.as_mut().poll(context) }).await;
    }
}
