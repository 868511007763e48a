//! Why one file cannot be written or committed, and what to do. Words only.

use std::path::PathBuf;

use crate::source::{LocalError, RepoPath};

/// Why a change of one file cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The repository cannot be used.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// A commit needs somebody who makes it.
    #[error(
        "Git does not know who commits: set `git config user.name NAME` and `git config user.email ADDRESS` ({detail})"
    )]
    Identity {
        /// What libgit2 said.
        detail: String,
    },
    /// Nothing is left of the message.
    #[error("the message of the commit is empty; give one with --message")]
    Message,
    /// The file was never committed.
    #[error("{0} is in no commit yet, and would be committed as a whole: commit it first, or leave out --commit")]
    NotCommitted(RepoPath),
    /// More than the change would be committed.
    #[error(
        "{0} differs from what HEAD has, and that would be committed too: commit or stash it first (`git diff HEAD -- {0}` shows it), \
         or leave out --commit"
    )]
    Differs(RepoPath),
    /// What is staged of this file would be lost.
    #[error("of {0} something else is staged: commit it first, or take it back with `git restore --staged -- {0}`")]
    Staged(RepoPath),
    /// The next commit belongs to something that was begun.
    #[error("{} is in the middle of something ({state}): finish it first (`git status` says how), or leave out --commit", .repository.display())]
    UnderWay {
        /// The repository.
        repository: PathBuf,
        /// What, in libgit2's word.
        state: String,
    },
    /// Git takes no such name.
    #[error("`{0}` cannot be the name of a branch")]
    BranchName(String),
    /// Only a new branch is safe to be made.
    #[error("there is a branch `{0}` already: name a new one with --branch, or delete it with `git branch -D {0}`")]
    BranchExists(String),
    /// The file is no plain file, or lies behind a link.
    #[error("{} is a symbolic link or no file, and is not written to", .0.display())]
    NotAFile(PathBuf),
    /// Nobody may write to it.
    #[error("{} is write-protected; `chmod u+w` allows to write to it", .0.display())]
    Protected(PathBuf),
    /// Somebody else was faster.
    #[error("{} has changed since it was read, and is left as it is: try again", .0.display())]
    Changed(PathBuf),
    /// The system refuses.
    #[error("{} cannot be written: {error}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Git refuses.
    #[error("{doing} failed: {detail}")]
    Git {
        /// What was tried.
        doing: &'static str,
        /// What libgit2 said.
        detail: String,
    },
    /// The commit is there, and the index does not know.
    #[error(
        "commit {commit} is made, but the index could not be written ({detail}): \
         `git restore --staged -- {path}` makes it agree"
    )]
    Index {
        /// The commit.
        commit: String,
        /// The file.
        path: RepoPath,
        /// What libgit2 said.
        detail: String,
    },
}
