//! One changed file of a repository on this machine: written to the working tree, committed alone, or put on a branch of its own.
//!
//! Whatever else is staged, changed or checked out stays as it is. No hook runs, and no filter.

mod error;
mod save;

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use git2::build::TreeUpdateBuilder;
use git2::{
    Branch, BranchType, Commit, ErrorCode, Index, IndexEntry, IndexTime, ObjectType, Oid, RepositoryState, Tree,
};

use super::local::LocalRepository;
use super::path::RepoPath;
use super::snapshot::{File, Snapshot};
use super::text::escaped;

pub use error::ChangeError;

/// The bits of an index entry's mode that say what it is, and what they are for a file.
const FILE_TYPE: u32 = 0o170_000;
const PLAIN_FILE: u32 = 0o100_000;
/// The bits of an index entry's flags that are set in a conflict.
const STAGE: u16 = 0x3000;

/// Another content of one file.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The file.
    pub path: &'a RepoPath,
    /// What it was read as.
    pub before: &'a [u8],
    /// What it is to hold.
    pub after: &'a [u8],
}

impl Change<'_> {
    /// The files with the change.
    ///
    /// # Errors
    /// Where the content cannot be given an id.
    pub fn applied_to(&self, snapshot: &Snapshot) -> Result<Snapshot, ChangeError> {
        let blob = Oid::hash_object(ObjectType::Blob, self.after).map_err(failed("naming the content"))?;
        let mut changed = snapshot.clone();
        changed.files.insert(self.path.clone(), File { blob, bytes: Some(Arc::from(self.after)) });
        Ok(changed)
    }
}

impl LocalRepository {
    /// Whether it has no working tree.
    pub fn is_bare(&self) -> bool {
        self.repository.is_bare()
    }

    /// Whether its owner wants commits to be signed, which is not done here.
    pub fn wants_signatures(&self) -> bool {
        self.repository.config().and_then(|config| config.get_bool("commit.gpgsign")).unwrap_or(false)
    }

    /// Checks whether the change could be committed on what is checked out, and nothing else with it.
    ///
    /// # Errors
    /// Where HEAD, the index or the working tree have another version of the file, where something is under way, and where
    /// nobody is configured to commit.
    pub fn committable(&self, change: &Change<'_>) -> Result<(), ChangeError> {
        self.identified()?;
        let state = self.repository.state();
        if state != RepositoryState::Clean {
            return Err(ChangeError::UnderWay { repository: self.path(), state: format!("{state:?}") });
        }
        let head = self.head()?;
        let blob = self.same_in(&head, change)?;
        let index = self.repository.index().map_err(failed("reading the index"))?;
        match index.get_path(change.path.as_str().as_ref(), 0) {
            Some(entry) if entry.id == blob => Ok(()),
            Some(_) | None => Err(ChangeError::Staged(change.path.clone())),
        }
    }

    /// Checks whether the change could be committed on a new branch.
    ///
    /// # Errors
    /// Where the branch exists or has no name that Git takes, where HEAD has another version of the file, and where nobody is
    /// configured to commit.
    pub fn branchable(&self, change: &Change<'_>, branch: &str) -> Result<(), ChangeError> {
        if !Branch::name_is_valid(branch).unwrap_or(false) {
            return Err(ChangeError::BranchName(escaped(branch, 200)));
        }
        match self.repository.find_branch(branch, BranchType::Local) {
            Ok(_) => return Err(ChangeError::BranchExists(escaped(branch, 200))),
            Err(error) if error.code() == ErrorCode::NotFound => {}
            Err(error) => return Err(failed("looking for the branch")(error)),
        }
        self.identified()?;
        self.same_in(&self.head()?, change).map(|_| ())
    }

    /// Commits the change on what is checked out; the index learns of this file alone. The working tree has to have it already.
    ///
    /// # Errors
    /// As [`Self::committable`]; and where somebody else commits in the same moment.
    pub fn commit_change(&self, change: &Change<'_>, message: &str) -> Result<Oid, ChangeError> {
        self.committable(change)?;
        let commit = self.committed(change, message, Some("HEAD"))?;
        self.indexed(change).map_err(|error| ChangeError::Index {
            commit: commit.to_string(),
            path: change.path.clone(),
            detail: escaped(error.message(), 300),
        })?;
        Ok(commit)
    }

    /// Commits the change on a new branch from HEAD. What is checked out, the index and the working tree stay as they are.
    ///
    /// # Errors
    /// As [`Self::branchable`].
    pub fn branch_change(&self, change: &Change<'_>, branch: &str, message: &str) -> Result<Oid, ChangeError> {
        self.branchable(change, branch)?;
        let commit = self.committed(change, message, None)?;
        let found = self.repository.find_commit(commit).map_err(failed("reading the new commit"))?;
        self.repository.branch(branch, &found, false).map_err(failed("making the branch"))?;
        Ok(commit)
    }

    fn committed(&self, change: &Change<'_>, message: &str, reference: Option<&str>) -> Result<Oid, ChangeError> {
        let message = git2::message_prettify(message, None).map_err(failed("reading the message"))?;
        if message.is_empty() {
            return Err(ChangeError::Message);
        }
        let (author, committer) = self.identified()?;
        let head = self.head()?;
        let tree = self.tree(&head, change).map_err(failed("writing the tree"))?;
        // With a reference this fails where HEAD is not the parent any more.
        let commit = self.repository.commit(reference, &author, &committer, &message, &tree, &[&head]);
        commit.map_err(failed("writing the commit"))
    }

    /// The tree of a commit with this one file changed, as executable as it was.
    fn tree(&self, head: &Commit<'_>, change: &Change<'_>) -> Result<Tree<'_>, git2::Error> {
        let base = head.tree()?;
        let mode = match base.get_path(change.path.as_str().as_ref())?.filemode() {
            0o100_755 => git2::FileMode::BlobExecutable,
            _ => git2::FileMode::Blob,
        };
        let blob = self.repository.blob(change.after)?;
        let tree = TreeUpdateBuilder::new()
            .upsert(change.path.as_str(), blob, mode)
            .create_updated(&self.repository, &base)?;
        self.repository.find_tree(tree)
    }

    fn indexed(&self, change: &Change<'_>) -> Result<(), git2::Error> {
        let mut index = self.repository.index()?;
        index.read(true)?;
        let Some(mut entry) = index.get_path(change.path.as_str().as_ref(), 0) else { return Ok(()) };
        doubted(&mut index)?;
        entry.id = self.repository.blob(change.after)?;
        // Git looks at the content where the times do not agree.
        (entry.mtime, entry.ctime) = (IndexTime::new(0, 0), IndexTime::new(0, 0));
        entry.file_size = u32::try_from(change.after.len()).unwrap_or(0);
        index.add(&entry)?;
        index.write()
    }

    fn head(&self) -> Result<Commit<'_>, ChangeError> {
        let id = self.commit("HEAD")?;
        self.repository.find_commit(id).map_err(failed("reading HEAD"))
    }

    /// The content of the file in a commit, if it is the one that was read.
    fn same_in(&self, commit: &Commit<'_>, change: &Change<'_>) -> Result<Oid, ChangeError> {
        let tree = commit.tree().map_err(failed("reading HEAD"))?;
        let entry = tree.get_path(change.path.as_str().as_ref());
        let entry = entry.map_err(|_| ChangeError::NotCommitted(change.path.clone()))?;
        let blob = self.repository.find_blob(entry.id()).map_err(failed("reading HEAD"))?;
        match blob.content() == change.before {
            true => Ok(blob.id()),
            false => Err(ChangeError::Differs(change.path.clone())),
        }
    }

    fn identified(&self) -> Result<(git2::Signature<'static>, git2::Signature<'static>), ChangeError> {
        let found = self.repository.author_from_env().and_then(|one| Ok((one, self.repository.committer_from_env()?)));
        found.map_err(|error| ChangeError::Identity { detail: escaped(error.message(), 300) })
    }
}

/// Has Git look at the content of what was staged in the second in which the index was written.
///
/// Git tells by whole seconds whether a file may have changed since. libgit2 does by parts of them, and would write an index by
/// which a later change in that second is never seen; a size of 0 is what Git itself leaves there.
fn doubted(index: &mut Index) -> Result<(), git2::Error> {
    let written = index.path().and_then(|path| path.metadata().ok()).map_or(0, |found| found.mtime());
    let is_plain = |entry: &IndexEntry| entry.mode & FILE_TYPE == PLAIN_FILE && entry.flags & STAGE == 0;
    let in_doubt = |entry: &IndexEntry| i64::from(entry.mtime.seconds()) >= written && is_plain(entry);
    let doubtful: Vec<IndexEntry> = index.iter().filter(in_doubt).collect();
    doubtful.into_iter().try_for_each(|entry| index.add(&IndexEntry { file_size: 0, ..entry }))
}

fn failed(doing: &'static str) -> impl Fn(git2::Error) -> ChangeError {
    move |error| ChangeError::Git { doing, detail: escaped(error.message(), 300) }
}
