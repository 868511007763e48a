//! Threads for blocking Git work, apart from the runtime's: one that hangs takes nothing from anybody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::oneshot;

/// A bounded number of short-lived threads.
#[derive(Debug)]
pub(super) struct Threads {
    running: Arc<AtomicUsize>,
    most: usize,
}

/// Whether whoever asked still waits; read by the callbacks of a transfer.
#[derive(Clone, Debug, Default)]
pub(super) struct Abandoned(Arc<AtomicBool>);

/// Marks the work as abandoned when the caller goes away, however it goes.
#[derive(Debug)]
pub(super) struct Waiting(Abandoned);

/// No thread could be had; holds how many there are.
#[derive(Debug)]
pub(super) struct Full(pub(super) usize);

impl Threads {
    pub(super) fn new(most: usize) -> Self {
        Self { running: Arc::default(), most }
    }

    /// Runs `work` on a thread of its own. The receiver errs if the thread panics.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Full> {
        let place = Place::take(&self.running, self.most)?;
        let (sender, receiver) = oneshot::channel();
        let thread = std::thread::Builder::new().name("reef-git".to_owned()).spawn(move || {
            let _place = place;
            // The receiver may have given up; then nobody wants the answer.
            let _ = sender.send(work());
        });
        match thread {
            Ok(_) => Ok(receiver),
            Err(_) => Err(Full(self.running.load(Ordering::Relaxed))),
        }
    }
}

impl Abandoned {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn unless_waiting(&self) -> Waiting {
        Waiting(self.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// One of the counted threads; gives its place back even when the work panics.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(running: &Arc<AtomicUsize>, most: usize) -> Result<Self, Full> {
        let more = |count: usize| (count < most).then(|| count.saturating_add(1));
        match running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Self(Arc::clone(running))),
            Err(count) => Err(Full(count)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
