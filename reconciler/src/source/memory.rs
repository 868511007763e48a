//! Repositories that live in memory, for tests and simulation: pushed to by a script, deterministic, without threads or a clock of their own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use git2::{ObjectType, Oid};
use tokio::sync::watch;

use super::Repositories;
use super::error::FetchError;
use super::location::Location;
use super::path::RepoPath;
use super::snapshot::{Commit, Descent, File, Snapshot};

/// Commits that can be fetched by their names.
const PAST: usize = 16;

/// What each address answers with.
#[derive(Clone, Debug, Default)]
pub struct MemoryRepositories {
    remotes: Arc<Mutex<BTreeMap<String, Remote>>>,
}

#[derive(Debug)]
struct Remote {
    answer: Result<Pushed, FetchError>,
    /// Every commit so far, by which descent is told.
    log: Vec<String>,
    /// The last commits, the oldest first: those that can be fetched by their names.
    past: VecDeque<Pushed>,
    changed: watch::Sender<()>,
}

#[derive(Clone, Debug)]
struct Pushed {
    commit: Commit,
    files: BTreeMap<RepoPath, Arc<[u8]>>,
}

impl Remote {
    /// The tip, or the commit that a location names.
    fn asked(&self, location: &Location) -> Result<Pushed, FetchError> {
        let tip = self.answer.clone()?;
        let Some(commit) = location.commit() else { return Ok(tip) };
        let found = self.past.iter().find(|pushed| pushed.commit.id == commit).cloned();
        found.ok_or_else(|| FetchError::CommitMissing {
            url: location.shown().clone(),
            commit: commit.to_owned(),
            reference: location.reference().unwrap_or("HEAD").to_owned(),
        })
    }
}

impl MemoryRepositories {
    /// Makes a world without any commit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the whole tree at an address by `files` in one commit, and tells its id.
    pub fn push(
        &self,
        location: &Location,
        subject: &str,
        time: jiff::Timestamp,
        files: BTreeMap<RepoPath, Vec<u8>>,
    ) -> String {
        self.with(location, |remote| {
            let names: Vec<String> = files.iter().map(|(path, bytes)| format!("{path} {}", hash(bytes))).collect();
            let parent = remote.log.last().map_or("", String::as_str);
            let id = hash(format!("{parent}\n{subject}\n{time}\n{}", names.join("\n")).as_bytes());
            let commit = Commit { id: id.clone(), subject: subject.to_owned(), author: "simulation".to_owned(), time };
            let files = files.into_iter().map(|(path, bytes)| (path, Arc::from(bytes))).collect();
            remote.log.push(id.clone());
            let pushed = Pushed { commit, files };
            remote.past.push_back(pushed.clone());
            if remote.past.len() > PAST {
                remote.past.pop_front();
            }
            remote.answer = Ok(pushed);
            remote.changed.send_replace(());
            id
        })
    }

    /// Lets every fetch from an address fail until the next push.
    pub fn fail(&self, location: &Location, error: FetchError) {
        self.with(location, |remote| {
            remote.answer = Err(error);
            remote.changed.send_replace(());
        });
    }

    /// Rewrites history: the last commit is no ancestor of what is pushed next, as with a forced push.
    pub fn drop_last_commit(&self, location: &Location) {
        self.with(location, |remote| {
            remote.log.pop();
            remote.past.pop_back();
        });
    }

    fn with<T>(&self, location: &Location, act: impl FnOnce(&mut Remote) -> T) -> T {
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = || Remote {
            answer: Err(FetchError::Empty { url: location.shown().clone() }),
            log: Vec::new(),
            past: VecDeque::new(),
            changed: watch::Sender::new(()),
        };
        act(remotes.entry(location.url().to_owned()).or_insert_with(empty))
    }
}

impl Repositories for MemoryRepositories {
    fn fetch(
        &self,
        location: &Location,
        last: Option<Arc<Snapshot>>,
    ) -> BoxFuture<'static, Result<Arc<Snapshot>, FetchError>> {
        let answer = self.with(location, |remote| match &remote.asked(location) {
            Ok(pushed) if !pushed.files.keys().any(|path| path.is_below(location.path())) => {
                Err(FetchError::PathMissing {
                    url: location.shown().clone(),
                    of: format!("commit {}", pushed.commit.id),
                    path: location.path().to_string(),
                })
            }
            Ok(pushed) => Ok(snapshot(location.path(), pushed, &remote.log, last)),
            Err(error) => Err(error.clone()),
        });
        futures::future::ready(answer).boxed()
    }

    fn changes(&self, location: &Location) -> BoxStream<'static, ()> {
        let receiver = self.with(location, |remote| remote.changed.subscribe());
        let changed = futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.changed().await.ok()?;
            Some(((), receiver))
        });
        changed.chain(futures::stream::pending()).boxed()
    }
}

fn snapshot(path: &RepoPath, pushed: &Pushed, log: &[String], last: Option<Arc<Snapshot>>) -> Arc<Snapshot> {
    let last = match last {
        Some(last) if last.commit == pushed.commit && last.path == *path => return last,
        other => other,
    };
    let wanted = pushed.files.iter().filter(|(name, _)| name.is_below(path));
    let files: BTreeMap<RepoPath, File> = wanted
        .map(|(name, bytes)| (name.clone(), File { blob: blob(bytes), bytes: Some(Arc::clone(bytes)) }))
        .collect();
    let known = |name: &RepoPath, file: &File| {
        last.as_ref().and_then(|last| last.files.get(name)).is_some_and(|old| old.blob == file.blob)
    };
    let descent = match &last {
        None => Descent::First,
        Some(last) if log.contains(&last.commit.id) => Descent::Descends,
        Some(_) => Descent::Rewritten,
    };
    let blobs_read = files.iter().filter(|(name, file)| !known(name, file)).count();
    Arc::new(Snapshot {
        commit: pushed.commit.clone(),
        descent,
        path: path.clone(),
        files,
        skipped: Vec::new(),
        blobs_read,
    })
}

fn hash(bytes: &[u8]) -> String {
    blob(bytes).to_string()
}

fn blob(bytes: &[u8]) -> Oid {
    // Only runs out on memory.
    Oid::hash_object(ObjectType::Blob, bytes).unwrap_or(Oid::ZERO_SHA1)
}
