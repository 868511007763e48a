//! A bell that wakes everyone who waits, in the order in which they began to wait.
//!
//! tokio's `watch` channel would do, but wakes its receivers in a random order, and with it no two runs are alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// A bell. Clones are one bell.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    rung: AtomicU64,
    waiting: Notify,
}

impl Signal {
    /// Wakes everyone who waits now, or listens and has not waited since.
    pub fn ring(&self) {
        self.0.rung.fetch_add(1, Ordering::SeqCst);
        self.0.waiting.notify_waiters();
    }

    /// A listener that hears every ring from now on.
    pub fn listen(&self) -> Listener {
        Listener { signal: self.clone(), heard: self.0.rung.load(Ordering::SeqCst) }
    }
}

/// Hears a [`Signal`].
#[derive(Debug)]
pub struct Listener {
    signal: Signal,
    heard: u64,
}

impl Listener {
    /// Waits for a ring that was not heard yet; several of them are heard as one. Safe to drop and call again.
    pub async fn heard(&mut self) {
        loop {
            let mut next = std::pin::pin!(self.signal.0.waiting.notified());
            // In line before looking: a ring in between is not missed.
            next.as_mut().enable();
            let rung = self.signal.0.rung.load(Ordering::SeqCst);
            if rung != self.heard {
                self.heard = rung;
                return;
            }
            next.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn a_ring_between_two_waits_is_heard_once() {
        let signal = Signal::default();
        let mut listener = signal.listen();
        signal.ring();
        signal.ring();
        listener.heard().await;
        assert!(futures::FutureExt::now_or_never(listener.heard()).is_none());
        signal.ring();
        assert!(futures::FutureExt::now_or_never(listener.heard()).is_some());
    }

    #[tokio::test]
    async fn listeners_wake_in_the_order_in_which_they_waited() {
        let signal = Signal::default();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..32)
            .map(|number| {
                let (mut listener, woken) = (signal.listen(), woken.clone());
                tokio::spawn(async move {
                    listener.heard().await;
                    woken.lock().unwrap().push(number);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        signal.ring();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*woken.lock().unwrap(), (0..32).collect::<Vec<_>>());
    }
}
