//! What one commit holds, as values: its identity, its files and what was left out. Knows nothing of Git's storage.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use git2::Oid;

use super::path::RepoPath;

/// A commit as people see it; every text is escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The id in hexadecimal.
    pub id: String,
    /// The first line of the message.
    pub subject: String,
    /// The author's name.
    pub author: String,
    /// The committer's time, for people only: it may lie in the past or future and orders nothing.
    pub time: jiff::Timestamp,
}

/// A file below the location's folder.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// The id of the content.
    pub blob: Oid,
    /// The content, as stored: no filter has run over it. None where it has been read already, and let go.
    pub bytes: Option<Arc<[u8]>>,
}

impl fmt::Debug for File {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "File({}, {:?} bytes)", self.blob, self.bytes.as_ref().map(|bytes| bytes.len()))
    }
}

/// Something in the tree that was not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Its path, escaped for people.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why a tree entry was not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum SkipReason {
    /// Links are never followed.
    #[error("is a symbolic link, which is never followed")]
    Symlink,
    /// Submodules are never fetched.
    #[error("is a submodule, which is never fetched")]
    Submodule,
    /// The name is not UTF-8, hides or leaves its folder.
    #[error("has a name that is not plain text, or that is reserved (`.git`, `..`, backslash)")]
    Name,
    /// Two names that differ in case alone are one file on some systems.
    #[error("has the same name as `{other}` but for upper and lower case; rename one of them")]
    CaseCollision {
        /// The other entry's name.
        other: String,
    },
    /// The folder is nested too deeply.
    #[error("is nested more than {limit} folders deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The file is too big.
    #[error("has {size} bytes, and {limit} are allowed")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The entry says that it is a file, and is something else.
    #[error("is no file, though the tree says so")]
    NotAFile,
}

/// How a tip relates to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descent {
    /// There was none before.
    First,
    /// The tip has the earlier one among its ancestors.
    Descends,
    /// History was rewritten, or the branch was set back.
    Rewritten,
    /// The clone is shallow, and the earlier tip is not among the parents.
    Unknown,
}

/// The readable files of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit.
    pub commit: Commit,
    /// How the commit relates to that of the snapshot before.
    pub descent: Descent,
    /// The folder that was read.
    pub path: RepoPath,
    /// `*.yaml`, `*.yml` and `*.json` below the folder, by their path from the root; names that start with a dot are left out.
    pub files: BTreeMap<RepoPath, File>,
    /// What was left out and may have mattered, in order.
    pub skipped: Vec<Skipped>,
    /// How many blobs were read for it; the others came from the snapshot before.
    pub blobs_read: usize,
}

impl Snapshot {
    /// One of a folder in no commit, with no file yet.
    pub(super) fn uncommitted(folder: &RepoPath) -> Self {
        let (id, subject, author) = (String::new(), String::new(), String::new());
        Self {
            commit: Commit { id, subject, author, time: jiff::Timestamp::UNIX_EPOCH },
            descent: Descent::Unknown,
            path: folder.clone(),
            files: BTreeMap::new(),
            skipped: Vec::new(),
            blobs_read: 0,
        }
    }

    /// The same without the contents of its files: enough to be compared with, once they were read.
    #[must_use]
    pub fn let_go(&self) -> Self {
        let empty = |(path, file): (&RepoPath, &File)| (path.clone(), File { blob: file.blob, bytes: None });
        Self {
            commit: self.commit.clone(),
            descent: self.descent,
            path: self.path.clone(),
            files: self.files.iter().map(empty).collect(),
            skipped: self.skipped.clone(),
            blobs_read: self.blobs_read,
        }
    }
}
