//! From a commit to its files: trees and blobs read by id from the object database. Follows nothing, runs nothing, connects to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use git2::{ErrorClass, ErrorCode, ObjectType, Odb, Oid, Repository, Tree, TreeEntry};

use super::error::FetchError;
use super::path::{RepoPath, is_safe_name};
use super::remote::{Conversation, Failure};
use super::snapshot::{Commit, Descent, File, SkipReason, Skipped, Snapshot};
use super::text::escaped_bytes;

/// A commit's text beyond this is no message.
const COMMIT_BYTES: usize = 1024 * 1024;
/// A folder's listing beyond this (some 200,000 names) is no folder of manifests.
const TREE_BYTES: usize = 8 * 1024 * 1024;

/// Git's file modes.
const MODE_TREE: i32 = 0o040_000;
const MODE_SYMLINK: i32 = 0o120_000;
const MODE_SUBMODULE: i32 = 0o160_000;

/// Reads the snapshot of the commit that `tip` points to; `last` itself when it is of that commit and folder.
pub(super) fn read(
    conversation: &Conversation<'_>,
    repository: &Repository,
    tip: Oid,
    last: Option<&Arc<Snapshot>>,
) -> Result<Arc<Snapshot>, Failure> {
    let commit = commit_of(conversation, repository, tip)?;
    let id = commit.id().to_string();
    if let Some(last) = last.filter(|last| last.commit.id == id && last.path == *conversation.location.path()) {
        return Ok(Arc::clone(last));
    }
    let found = files(conversation, repository, commit.tree_id(), &format!("commit {id}"), last)?;
    Ok(Arc::new(Snapshot {
        descent: descent(repository, &commit, last.map(|last| last.commit.id.as_str())),
        commit: described(&commit),
        path: conversation.location.path().clone(),
        files: found.files,
        skipped: found.skipped,
        blobs_read: found.blobs_read,
    }))
}

/// Reads a tree that no commit has, by the same rules; `name` is said where it has no such folder.
pub(super) fn read_tree(
    conversation: &Conversation<'_>,
    repository: &Repository,
    tree: Oid,
    name: &str,
) -> Result<Snapshot, Failure> {
    let found = files(conversation, repository, tree, name, None)?;
    Ok(Snapshot {
        files: found.files,
        skipped: found.skipped,
        blobs_read: found.blobs_read,
        ..Snapshot::uncommitted(conversation.location.path())
    })
}

fn files(
    conversation: &Conversation<'_>,
    repository: &Repository,
    tree: Oid,
    name: &str,
    last: Option<&Arc<Snapshot>>,
) -> Result<Found, Failure> {
    let odb = repository.odb().map_err(Failure::Damaged)?;
    let mut walk = Walk { conversation, repository, odb, last: last.map(Arc::as_ref), found: Found::default() };
    let root = walk.tree(tree)?;
    let folder = walk.descend(root, name)?;
    walk.folder(&folder, conversation.location.path(), 0)?;
    walk.found.skipped.sort();
    Ok(walk.found)
}

fn commit_of<'r>(
    conversation: &Conversation<'_>,
    repository: &'r Repository,
    tip: Oid,
) -> Result<git2::Commit<'r>, Failure> {
    let (size, _) = repository.odb().and_then(|odb| odb.read_header(tip)).map_err(Failure::Damaged)?;
    if size > COMMIT_BYTES {
        return Err(conversation.too_large(format!("its tip has {size} bytes of text, and {COMMIT_BYTES} are allowed")));
    }
    let object = repository.find_object(tip, None).map_err(Failure::Damaged)?;
    object.peel_to_commit().map_err(|error| match (error.code(), error.class()) {
        (ErrorCode::Peel | ErrorCode::InvalidSpec, _) => Failure::Final(FetchError::NotACommit {
            url: conversation.location.shown().clone(),
            reference: conversation.location.reference().unwrap_or("HEAD").to_owned(),
        }),
        _ => Failure::Damaged(error),
    })
}

pub(super) fn described(commit: &git2::Commit<'_>) -> Commit {
    let message = commit.message_bytes();
    let subject = message.split(|byte| *byte == b'\n').find(|line| !line.is_empty()).unwrap_or_default();
    Commit {
        id: commit.id().to_string(),
        subject: escaped_bytes(subject, 200),
        author: escaped_bytes(commit.author().name_bytes(), 100),
        time: jiff::Timestamp::from_second(commit.time().seconds()).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
    }
}

fn descent(repository: &Repository, commit: &git2::Commit<'_>, last: Option<&str>) -> Descent {
    let Some(last) = last else { return Descent::First };
    let Ok(last) = Oid::from_str(last) else { return Descent::Unknown };
    // As written in the commit: in a shallow clone libgit2 hides the parents.
    let parent = format!("parent {last}");
    let header = commit.raw_header_bytes();
    if last == commit.id() || header.split(|byte| *byte == b'\n').any(|line| line == parent.as_bytes()) {
        return Descent::Descends;
    }
    if repository.is_shallow() {
        return Descent::Unknown;
    }
    match repository.graph_descendant_of(commit.id(), last) {
        Ok(true) => Descent::Descends,
        Ok(false) => Descent::Rewritten,
        // The clone was made anew after the rewrite, so that the old commit is not in the whole history of the new one.
        Err(error) if error.code() == ErrorCode::NotFound || error.class() == ErrorClass::Odb => Descent::Rewritten,
        Err(_) => Descent::Unknown,
    }
}

/// What was collected so far.
#[derive(Default)]
struct Found {
    files: BTreeMap<RepoPath, File>,
    skipped: Vec<Skipped>,
    blobs_read: usize,
    entries: usize,
    bytes: u64,
}

struct Walk<'a> {
    conversation: &'a Conversation<'a>,
    repository: &'a Repository,
    odb: Odb<'a>,
    last: Option<&'a Snapshot>,
    found: Found,
}

/// A tree entry that may be read.
struct Candidate {
    name: String,
    id: Oid,
    is_folder: bool,
}

impl<'a> Walk<'a> {
    fn tree(&self, id: Oid) -> Result<Tree<'a>, Failure> {
        let (size, _) = self.odb.read_header(id).map_err(Failure::Damaged)?;
        if size > TREE_BYTES {
            return Err(self
                .conversation
                .too_large(format!("a folder's listing has {size} bytes, and {TREE_BYTES} are allowed")));
        }
        self.repository.find_tree(id).map_err(Failure::Damaged)
    }

    fn descend(&self, root: Tree<'a>, name: &str) -> Result<Tree<'a>, Failure> {
        let path = self.conversation.location.path();
        let missing = || {
            let url = self.conversation.location.shown().clone();
            Failure::Final(FetchError::PathMissing { url, of: name.to_owned(), path: path.to_string() })
        };
        path.components().try_fold(root, |tree, part| {
            let id = tree.get_name(part).filter(|entry| entry.filemode_raw() == MODE_TREE).map(|entry| entry.id());
            self.tree(id.ok_or_else(missing)?)
        })
    }

    fn folder(&mut self, tree: &Tree<'a>, path: &RepoPath, depth: usize) -> Result<(), Failure> {
        self.count(tree.len())?;
        let candidates: Vec<Candidate> = tree.iter().filter_map(|entry| self.candidate(path, &entry)).collect();
        let collisions = collisions(&candidates);
        for candidate in candidates {
            match collisions.get(&candidate.name) {
                Some(other) => self
                    .skip(path.join(&candidate.name).to_string(), SkipReason::CaseCollision { other: other.clone() }),
                None if candidate.is_folder => self.subfolder(path.join(&candidate.name), candidate.id, depth)?,
                None => self.file(path.join(&candidate.name), candidate.id)?,
            }
        }
        Ok(())
    }

    /// Limits what a hostile tree can cost: one with the same subtree many times over is small and endless.
    fn count(&mut self, entries: usize) -> Result<(), Failure> {
        self.found.entries = self.found.entries.saturating_add(entries);
        let limits = self.conversation.limits;
        if self.found.entries > limits.entries {
            return Err(self.conversation.too_large(format!("it has more than {} entries", limits.entries)));
        }
        if self.conversation.abandoned.is_set() {
            let url = self.conversation.location.shown().clone();
            return Err(Failure::Final(FetchError::TimedOut {
                url,
                detail: "reading its files took too long".to_owned(),
            }));
        }
        Ok(())
    }

    fn candidate(&mut self, folder: &RepoPath, entry: &TreeEntry<'_>) -> Option<Candidate> {
        let bytes = entry.name_bytes();
        let is_folder = entry.filemode_raw() == MODE_TREE;
        let reason = match (entry.filemode_raw(), std::str::from_utf8(bytes)) {
            (MODE_SYMLINK, _) => SkipReason::Symlink,
            (MODE_SUBMODULE, _) => SkipReason::Submodule,
            (_, Ok(name)) if is_safe_name(name) => {
                let wanted = !name.starts_with('.') && (is_folder || is_manifest(bytes));
                return wanted.then(|| Candidate { name: name.to_owned(), id: entry.id(), is_folder });
            }
            _ if is_folder || is_manifest(bytes) || bytes.starts_with(b".") => SkipReason::Name,
            _ => return None,
        };
        self.skip(escaped_path(folder, bytes), reason);
        None
    }

    fn subfolder(&mut self, path: RepoPath, id: Oid, depth: usize) -> Result<(), Failure> {
        let limit = self.conversation.limits.depth;
        if depth >= limit {
            self.skip(path.to_string(), SkipReason::TooDeep { limit });
            return Ok(());
        }
        let tree = self.tree(id)?;
        self.folder(&tree, &path, depth.saturating_add(1))
    }

    fn file(&mut self, path: RepoPath, id: Oid) -> Result<(), Failure> {
        let most = self.conversation.limits.files;
        if self.found.files.len() >= most {
            return Err(self.conversation.too_large(format!("it has more than {most} files of manifests")));
        }
        let known = self.last.and_then(|last| last.files.get(&path)).filter(|file| file.blob == id);
        if let Some(file) = known.cloned() {
            self.found.files.insert(path, file);
            return Ok(());
        }
        let (size, kind) = self.odb.read_header(id).map_err(Failure::Damaged)?;
        let (size, limit) = (u64::try_from(size).unwrap_or(u64::MAX), self.conversation.limits.file_bytes);
        if kind != ObjectType::Blob {
            self.skip(path.to_string(), SkipReason::NotAFile);
        } else if size > limit {
            self.skip(path.to_string(), SkipReason::TooLarge { size, limit });
        } else {
            self.load(path, id)?;
        }
        Ok(())
    }

    fn load(&mut self, path: RepoPath, id: Oid) -> Result<(), Failure> {
        let object = self.odb.read(id).map_err(Failure::Damaged)?;
        self.found.blobs_read = self.found.blobs_read.saturating_add(1);
        self.found.bytes = self.found.bytes.saturating_add(u64::try_from(object.len()).unwrap_or(u64::MAX));
        if self.found.bytes > self.conversation.limits.total_bytes {
            return Err(self
                .conversation
                .too_large(format!("its manifests have more than {} bytes", self.conversation.limits.total_bytes)));
        }
        self.found.files.insert(path, File { blob: id, bytes: Some(Arc::from(object.data())) });
        Ok(())
    }

    fn skip(&mut self, path: String, reason: SkipReason) {
        self.found.skipped.push(Skipped { path, reason });
    }
}

impl Conversation<'_> {
    pub(super) fn too_large(&self, detail: String) -> Failure {
        Failure::Final(FetchError::TooLarge { url: self.location.shown().clone(), detail })
    }
}

/// Whether a file of this name may hold manifests.
pub(super) fn is_manifest(name: &[u8]) -> bool {
    [&b".yaml"[..], b".yml", b".json"].iter().any(|ending| {
        name.len() > ending.len()
            && name.last_chunk::<5>().is_some_and(|tail| tail.to_ascii_lowercase().ends_with(ending))
    })
}

fn escaped_path(folder: &RepoPath, name: &[u8]) -> String {
    let name = escaped_bytes(name, 300);
    if folder.is_root() { name } else { format!("{folder}/{name}") }
}

/// Names that differ only in case, each with one of its rivals.
fn collisions(candidates: &[Candidate]) -> BTreeMap<String, String> {
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for candidate in candidates {
        groups.entry(candidate.name.to_lowercase()).or_default().insert(&candidate.name);
    }
    let rivals = groups.values().filter(|names| names.len() > 1);
    rivals
        .flat_map(|names| names.iter().map(|name| (*name, names.iter().find(|other| other != &name))))
        .filter_map(|(name, other)| other.map(|other| (name.to_owned(), (*other).to_owned())))
        .collect()
}
