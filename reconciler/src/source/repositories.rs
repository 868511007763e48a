//! Git behind the seam: one fetch per clone at a time, on a thread of its own, with a deadline that its caller keeps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use git2::{ObjectType, Oid, Repository};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::Repositories;
use super::cache::Cache;
use super::error::FetchError;
use super::location::{History, Location};
use super::pool::{Abandoned, Threads};
use super::remote::{Conversation, Failure};
use super::snapshot::Snapshot;
use super::timeouts::ProcessTimeouts;
use super::{walk, watch};

/// What one source may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The size of one file in bytes.
    pub file_bytes: u64,
    /// The sum of all newly read files in bytes.
    pub total_bytes: u64,
    /// The number of manifests.
    pub files: usize,
    /// The number of names in all folders together.
    pub entries: usize,
    /// How deep folders may be nested.
    pub depth: usize,
    /// What one transfer may bring, in bytes.
    pub pack_bytes: u64,
    /// How many objects one transfer may bring.
    pub objects: usize,
    /// How long one fetch may take, waiting for an earlier one included.
    pub total: Duration,
    /// How many fetches may be under way; one that hangs counts until the other side lets go.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 1024 * 1024,
            total_bytes: 256 * 1024 * 1024,
            files: 20_000,
            entries: 200_000,
            depth: 32,
            pack_bytes: 512 * 1024 * 1024,
            objects: 2_000_000,
            total: Duration::from_secs(60),
            threads: 512,
        }
    }
}

/// Fetches with libgit2 into bare clones below one folder, which belongs to this process alone.
#[derive(Debug)]
pub struct Git2Repositories {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cache_dir: PathBuf,
    limits: Limits,
    threads: Threads,
    clones: Mutex<BTreeMap<PathBuf, Arc<AsyncMutex<()>>>>,
}

impl Git2Repositories {
    /// Keeps clones below `cache_dir`, which is made on demand.
    #[must_use]
    pub fn new(cache_dir: &Path, limits: Limits, _made: ProcessTimeouts) -> Self {
        let threads = Threads::new(limits.threads);
        let inner = Inner { cache_dir: cache_dir.to_owned(), limits, threads, clones: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }
}

impl Repositories for Git2Repositories {
    fn fetch(
        &self,
        location: &Location,
        last: Option<Arc<Snapshot>>,
    ) -> BoxFuture<'static, Result<Arc<Snapshot>, FetchError>> {
        let inner = Arc::clone(&self.inner);
        let location = location.clone();
        async move { inner.found(location, last).await }.boxed()
    }

    fn changes(&self, location: &Location) -> BoxStream<'static, ()> {
        match location.local() {
            Some(path) => watch::changes(path).boxed(),
            None => futures::stream::pending().boxed(),
        }
    }
}

impl Inner {
    /// A commit that is not at hand with the tip alone is looked for in the whole past.
    async fn found(&self, location: Location, last: Option<Arc<Snapshot>>) -> Result<Arc<Snapshot>, FetchError> {
        match self.fetch(location.clone(), last.clone()).await {
            Err(FetchError::CommitMissing { .. })
                if location.history() == History::Tip && location.local().is_none() =>
            {
                self.fetch(location.with_history(History::Full), last).await
            }
            other => other,
        }
    }

    /// A fetch that is stuck keeps its clone locked, so that none is started beside it; only the caller's patience ends.
    async fn fetch(&self, location: Location, last: Option<Arc<Snapshot>>) -> Result<Arc<Snapshot>, FetchError> {
        let url = location.shown().clone();
        let seconds = self.limits.total.as_secs_f32();
        let deadline = tokio::time::Instant::now() + self.limits.total;
        let dir = self.clone_dir(&location);
        let late = |what: &str| FetchError::TimedOut { url: url.clone(), detail: format!("{what} within {seconds} s") };
        let lock = tokio::time::timeout_at(deadline, self.lock_of(&dir).lock_owned()).await;
        let lock = lock.map_err(|_| late("an earlier fetch of it has not come back"))?;
        let fetching = self.start(location, last, dir, lock)?;
        tokio::time::timeout_at(deadline, fetching).await.map_err(|_| late("the fetch was not done"))?
    }

    fn start(
        &self,
        location: Location,
        last: Option<Arc<Snapshot>>,
        dir: PathBuf,
        lock: OwnedMutexGuard<()>,
    ) -> Result<impl Future<Output = Result<Arc<Snapshot>, FetchError>> + use<>, FetchError> {
        let url = location.shown().clone();
        let abandoned = Abandoned::default();
        let waiting = abandoned.unless_waiting();
        let limits = self.limits.clone();
        let work = move || {
            let _lock = lock;
            let conversation = Conversation { location: &location, limits: &limits, abandoned: &abandoned };
            fetch_blocking(&conversation, &Cache::at(dir), last.as_ref())
        };
        let receiver = self.threads.run(work).map_err(|full| FetchError::Busy { url: url.clone(), running: full.0 })?;
        Ok(async move {
            let _waiting = waiting;
            receiver.await.unwrap_or(Err(FetchError::Internal { url }))
        })
    }

    /// One clone for each address and depth: sources that differ in branch or folder share it.
    fn clone_dir(&self, location: &Location) -> PathBuf {
        let key = format!("{:?} {}", location.history(), location.url());
        // Only runs out on memory; then all share one name, and the lock still holds.
        let name = Oid::hash_object(ObjectType::Blob, key.as_bytes())
            .map_or_else(|_| "shared".to_owned(), |id| id.to_string());
        self.cache_dir.join(name)
    }

    fn lock_of(&self, dir: &Path) -> Arc<AsyncMutex<()>> {
        let mut clones = self.clones.lock().unwrap_or_else(PoisonError::into_inner);
        clones.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(clones.entry(dir.to_owned()).or_default())
    }
}

fn fetch_blocking(
    conversation: &Conversation<'_>,
    cache: &Cache,
    last: Option<&Arc<Snapshot>>,
) -> Result<Arc<Snapshot>, FetchError> {
    let existing = cache.open().map_err(|error| conversation.unwritable(&error.to_string()))?;
    if let Some(repository) = existing {
        match attempt(conversation, &repository, last) {
            Ok(snapshot) => return Ok(snapshot),
            Err(Failed { failure: Failure::Final(error), .. }) => return Err(error),
            Err(Failed { failure: Failure::Damaged(error), .. }) => {
                tracing::warn!(url = %conversation.location.shown(), error = error.message(), "a local clone is damaged and made anew");
            }
        }
    }
    let fresh = cache.fresh().map_err(|error| conversation.unwritable(error.message()))?;
    match attempt(conversation, &fresh, last) {
        Ok(snapshot) => {
            drop(fresh);
            cache.replace().map_err(|error| conversation.unwritable(&error.to_string()))?;
            Ok(snapshot)
        }
        Err(failed) => {
            drop(fresh);
            cache.discard_fresh();
            Err(conversation.given_up(failed))
        }
    }
}

/// A failure and how far it came.
struct Failed {
    failure: Failure,
    downloaded: bool,
}

fn attempt(
    conversation: &Conversation<'_>,
    repository: &Repository,
    last: Option<&Arc<Snapshot>>,
) -> Result<Arc<Snapshot>, Failed> {
    let tip = conversation.download(repository).map_err(|failure| Failed { failure, downloaded: false })?;
    let read = walk::read(conversation, repository, tip, last).and_then(|snapshot| {
        conversation.remember(repository, tip)?;
        Ok(snapshot)
    });
    read.map_err(|failure| Failed { failure, downloaded: true })
}

impl Conversation<'_> {
    fn unwritable(&self, detail: &str) -> FetchError {
        FetchError::Cache { url: self.location.shown().clone(), detail: self.scrubbed(detail) }
    }

    fn given_up(&self, failed: Failed) -> FetchError {
        let url = self.location.shown().clone();
        match failed.failure {
            Failure::Final(error) => error,
            Failure::Damaged(error) if failed.downloaded => {
                FetchError::CacheCorrupt { url, detail: self.scrubbed(error.message()) }
            }
            Failure::Damaged(error) => FetchError::Corrupt { url, detail: self.scrubbed(error.message()) },
        }
    }
}
