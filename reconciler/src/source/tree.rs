//! The files of a working tree by the rules of a commit's: no link is followed, no name that hides or leaves its folder is read.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use git2::{ObjectType, Oid, Repository};

use super::local::LocalError;
use super::path::{RepoPath, is_safe_name};
use super::remote::{Conversation, Failure};
use super::snapshot::{File, SkipReason, Skipped, Snapshot};
use super::walk::is_manifest;

/// Reads the folder of the conversation's location below `root`.
pub(super) fn read(
    conversation: &Conversation<'_>,
    repository: &Repository,
    root: &Path,
) -> Result<Snapshot, LocalError> {
    let folder = conversation.location.path().clone();
    let mut reading =
        Reading { conversation, repository, root, entries: 0, bytes: 0, snapshot: Snapshot::uncommitted(&folder) };
    reading.folder(&folder, 0)?;
    reading.snapshot.skipped.sort();
    Ok(reading.snapshot)
}

struct Reading<'a> {
    conversation: &'a Conversation<'a>,
    repository: &'a Repository,
    root: &'a Path,
    entries: usize,
    bytes: u64,
    snapshot: Snapshot,
}

impl Reading<'_> {
    fn folder(&mut self, folder: &RepoPath, depth: usize) -> Result<(), LocalError> {
        let path = self.root.join(folder.as_str());
        let failed = |error| LocalError::Folder { path: path.clone(), error };
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name());
        }
        names.sort();
        self.entries = self.entries.saturating_add(names.len());
        if self.entries > self.conversation.limits.entries {
            return Err(self.too_large(format!("it has more than {} entries", self.conversation.limits.entries)));
        }
        for name in names {
            match name.to_str() {
                Some(name) if name.starts_with('.') => {}
                Some(name) if is_safe_name(name) => self.entry(&folder.join(name), depth)?,
                _ => self.skip(format!("{folder}/{}", super::escaped(&name.to_string_lossy(), 300)), SkipReason::Name),
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &RepoPath, depth: usize) -> Result<(), LocalError> {
        let full = self.root.join(path.as_str());
        let failed = |error| LocalError::Folder { path: full.clone(), error };
        let kind = fs::symlink_metadata(&full).map_err(failed)?;
        if self.repository.is_path_ignored(path.as_str()).unwrap_or(false) {
            return Ok(());
        }
        let limit = self.conversation.limits.depth;
        match kind {
            kind if kind.is_symlink() => self.skip(path.to_string(), SkipReason::Symlink),
            kind if kind.is_dir() && full.join(".git").exists() => self.skip(path.to_string(), SkipReason::Submodule),
            kind if kind.is_dir() && depth >= limit => self.skip(path.to_string(), SkipReason::TooDeep { limit }),
            kind if kind.is_dir() => return self.folder(path, depth.saturating_add(1)),
            _ if !is_manifest(path.as_str().as_bytes()) => {}
            kind if kind.is_file() => return self.file(path, kind.len()).map_err(failed)?,
            _ => self.skip(path.to_string(), SkipReason::NotAFile),
        }
        Ok(())
    }

    /// The outer error is the system's, the inner one of a limit.
    fn file(&mut self, path: &RepoPath, size: u64) -> io::Result<Result<(), LocalError>> {
        let limits = self.conversation.limits;
        if self.snapshot.files.len() >= limits.files {
            return Ok(Err(self.too_large(format!("it has more than {} files of manifests", limits.files))));
        }
        if size > limits.file_bytes {
            self.skip(path.to_string(), SkipReason::TooLarge { size, limit: limits.file_bytes });
            return Ok(Ok(()));
        }
        let bytes = fs::read(self.root.join(path.as_str()))?;
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > limits.total_bytes {
            return Ok(Err(self.too_large(format!("its manifests have more than {} bytes", limits.total_bytes))));
        }
        let blob = Oid::hash_object(ObjectType::Blob, &bytes).map_err(io::Error::other)?;
        self.snapshot.blobs_read = self.snapshot.blobs_read.saturating_add(1);
        self.snapshot.files.insert(path.clone(), File { blob, bytes: Some(Arc::from(bytes)) });
        Ok(Ok(()))
    }

    fn skip(&mut self, path: String, reason: SkipReason) {
        self.snapshot.skipped.push(Skipped { path, reason });
    }

    fn too_large(&self, detail: String) -> LocalError {
        match self.conversation.too_large(detail) {
            Failure::Final(error) => LocalError::Unreadable(error),
            Failure::Damaged(error) => {
                LocalError::Folder { path: self.root.to_owned(), error: io::Error::other(error) }
            }
        }
    }
}
