//! Work that is under way: spawned, one piece for each task, and a panic in one of them is only its own.
//!
//! It ends with the loop that started it: a loop that is gone must send nothing more.

use std::collections::BTreeSet;
use std::future::Future;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio_util::task::AbortOnDropHandle;

/// A piece of work that ended in a panic.
#[derive(Debug, thiserror::Error)]
#[error("a task ended in a panic: {0}")]
pub(super) struct Panicked(String);

/// Work under way, by the key that it is for.
pub(super) struct Jobs<K, R> {
    running: FuturesUnordered<BoxFuture<'static, (K, Result<R, Panicked>)>>,
    busy: BTreeSet<K>,
}

impl<K, R> Default for Jobs<K, R> {
    fn default() -> Self {
        Self { running: FuturesUnordered::new(), busy: BTreeSet::new() }
    }
}

impl<K: Ord + Clone + Send + 'static, R: Send + 'static> Jobs<K, R> {
    /// Starts work for a key that has none.
    pub(super) fn start(&mut self, key: K, work: impl Future<Output = R> + Send + 'static) {
        self.busy.insert(key.clone());
        let handle = AbortOnDropHandle::new(tokio::spawn(work));
        let ending = handle.map(move |ended| (key, ended.map_err(|error| Panicked(error.to_string()))));
        self.running.push(ending.boxed());
    }

    /// Whether work for a key is under way.
    pub(super) fn has(&self, key: &K) -> bool {
        self.busy.contains(key)
    }

    /// How much is under way.
    pub(super) fn len(&self) -> usize {
        self.busy.len()
    }

    /// The next piece that ends; never, when none is under way.
    pub(super) async fn ended(&mut self) -> (K, Result<R, Panicked>) {
        match self.running.next().await {
            Some((key, result)) => {
                self.busy.remove(&key);
                (key, result)
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_one_piece_of_work_is_told_and_the_others_go_on() {
        let mut jobs: Jobs<&str, u32> = Jobs::default();
        jobs.start("a", async { panic!("out of range") });
        jobs.start("b", async { 2 });
        let mut ended = Vec::new();
        while jobs.len() > 0 {
            let (key, result) = jobs.ended().await;
            ended.push((key, result.map_err(|error| error.to_string())));
        }
        ended.sort();

        assert!(ended[0].1.as_ref().is_err_and(|text| text.contains("out of range")), "{ended:?}");
        assert_eq!(ended[1], ("b", Ok(2)));
    }
    #[tokio::test(start_paused = true)]
    async fn work_ends_with_the_loop_that_started_it() {
        let (sent, mut received) = tokio::sync::mpsc::channel(1);
        let mut jobs: Jobs<&str, ()> = Jobs::default();
        jobs.start("a", async move {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let _ = sent.send("a write").await;
        });
        tokio::task::yield_now().await;
        drop(jobs);
        assert_eq!(received.recv().await, None);
    }
}
