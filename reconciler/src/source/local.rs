//! A repository on this machine, as the person who works in it has it: any commit of it, its working tree, and what is staged. Writes nothing; `change` does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{ErrorCode, Index, Oid, Repository};

use super::error::FetchError;
use super::location::{FileUrls, Location, LocationError};
use super::path::RepoPath;
use super::pool::Abandoned;
use super::remote::{Conversation, Failure};
use super::repositories::Limits;
use super::snapshot::Snapshot;
use super::text::{escaped, escaped_bytes};
use super::{tree, walk};

/// Why something of a repository on this machine cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// There is none.
    #[error("{} is in no Git repository: {detail}", .from.display())]
    NoRepository {
        /// Where it was looked for, and in the folders above.
        from: PathBuf,
        /// What libgit2 said.
        detail: String,
    },
    /// A repository without files.
    #[error("{} is a bare repository and has no working tree: name a commit with --head", .0.display())]
    Bare(PathBuf),
    /// A merge is not done yet.
    #[error("{path} of {} has both sides of a merge: resolve it and stage it with `git add`", .repository.display())]
    Unmerged {
        /// The first such file, escaped.
        path: String,
        /// The repository.
        repository: PathBuf,
    },
    /// Nothing has this name.
    #[error("there is no commit `{name}` in {}: {advice}", .repository.display())]
    Unknown {
        /// As it was asked for.
        name: String,
        /// The repository.
        repository: PathBuf,
        /// What to do.
        advice: String,
    },
    /// No commit comes before both.
    #[error("`{base}` and `{head}` have no common ancestor here: {advice}")]
    Unrelated {
        /// As it was asked for.
        base: String,
        /// As it was asked for.
        head: String,
        /// What to do.
        advice: String,
    },
    /// The path of the repository cannot be said as an address.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// Its files cannot be read.
    #[error(transparent)]
    Unreadable(#[from] FetchError),
    /// Its objects cannot be read.
    #[error("{} cannot be read: {detail}", .repository.display())]
    Damaged {
        /// The repository.
        repository: PathBuf,
        /// What libgit2 said.
        detail: String,
    },
    /// A folder of the working tree cannot be read.
    #[error("{} cannot be read: {error}", .path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Before the stores on disk, which have single digits.
const FIRST: i32 = 1_000;
/// The most manifests: a person may look at once at what several sources read, each its own folder.
const MOST_FILES: usize = 100_000;

/// A repository on this machine.
pub struct LocalRepository {
    pub(super) repository: Repository,
    location: Location,
    pub(super) limits: Limits,
}

impl LocalRepository {
    /// Finds the repository that a folder belongs to.
    ///
    /// # Errors
    /// Where there is none, or Git may not use it (another owner: `git config safe.directory`).
    pub fn discover(from: &Path, folder: &RepoPath) -> Result<Self, LocalError> {
        let absolute = std::path::absolute(from).unwrap_or_else(|_| from.to_owned());
        let found = Repository::discover(&absolute);
        let repository = found
            .map_err(|error| LocalError::NoRepository { from: absolute, detail: escaped(error.message(), 300) })?;
        let location = Location::parse(&format!("file://{}", encoded(repository.path())), FileUrls::Allowed)?;
        let location = location.with_path(folder.as_str())?;
        Ok(Self { repository, location, limits: Limits { files: MOST_FILES, ..Limits::default() } })
    }

    /// The folder of the working tree; nothing in a bare repository.
    pub(super) fn workdir(&self) -> Option<&Path> {
        self.repository.workdir()
    }

    /// The commit of a name: a branch, a tag, an id, `HEAD~2`.
    ///
    /// # Errors
    /// Where nothing has the name, or it names no commit.
    pub fn commit(&self, name: &str) -> Result<Oid, LocalError> {
        let found = self.repository.revparse_single(name).and_then(|object| object.peel_to_commit());
        found.map(|commit| commit.id()).map_err(|error| LocalError::Unknown {
            name: escaped(name, 200),
            repository: self.path(),
            advice: self.missing(name, &error),
        })
    }

    /// The last commit that both have in their past: what a pull request is compared with.
    ///
    /// # Errors
    /// Where one of them is not here, or they share no past here.
    pub fn merge_base(&self, base: &str, head: &str) -> Result<Oid, LocalError> {
        let (one, other) = (self.commit(base)?, self.commit(head)?);
        self.repository.merge_base(one, other).map_err(|error| match error.code() {
            ErrorCode::NotFound => {
                LocalError::Unrelated { base: escaped(base, 200), head: escaped(head, 200), advice: self.unrelated() }
            }
            _ => self.damaged(&error),
        })
    }

    /// The files of a commit. Those that are the same in `last` are taken from it.
    ///
    /// # Errors
    /// Where the folder is missing, or something is too large or damaged.
    pub fn at(&self, commit: Oid, last: Option<&Arc<Snapshot>>) -> Result<Arc<Snapshot>, LocalError> {
        let read = walk::read(&self.conversation(&Abandoned::default()), &self.repository, commit, last);
        read.map_err(|failure| self.failed(failure))
    }

    /// The files as they are in the working tree, committed or not; what Git ignores is left out.
    ///
    /// # Errors
    /// Where there is none, or something is too large or cannot be read.
    pub fn working_tree(&self) -> Result<Arc<Snapshot>, LocalError> {
        let root = self.workdir().ok_or_else(|| LocalError::Bare(self.path()))?;
        tree::read(&self.conversation(&Abandoned::default()), &self.repository, root).map(Arc::new)
    }

    /// The files as they are staged, whatever the working tree holds. An index other than the repository's own is that of a commit
    /// which Git is about to make (`GIT_INDEX_FILE`).
    ///
    /// # Errors
    /// Where a merge is not resolved, or something is too large or damaged.
    pub fn staged(&self, index: Option<&Path>) -> Result<Arc<Snapshot>, LocalError> {
        let opened = index.map_or_else(|| self.repository.index(), Index::open);
        let mut index = opened.map_err(|error| self.damaged(&error))?;
        self.unmerged(&index)?;
        let read = self.tree_of(&mut index).map_err(Failure::Damaged);
        let read = read.and_then(|tree| {
            walk::read_tree(&self.conversation(&Abandoned::default()), &self.repository, tree, "the index")
        });
        read.map(Arc::new).map_err(|failure| self.failed(failure))
    }

    /// The trees of an index are made in memory: nothing is written to the repository.
    fn tree_of(&self, index: &mut Index) -> Result<Oid, git2::Error> {
        self.repository.odb()?.add_new_mempack_backend(FIRST)?;
        index.write_tree_to(&self.repository)
    }

    fn unmerged(&self, index: &Index) -> Result<(), LocalError> {
        let mut conflicts = index.conflicts().map_err(|error| self.damaged(&error))?;
        let Some(conflict) = conflicts.next() else { return Ok(()) };
        let conflict = conflict.map_err(|error| self.damaged(&error))?;
        let side = conflict.our.or(conflict.their).or(conflict.ancestor);
        let path = side.map(|entry| escaped_bytes(&entry.path, 300)).unwrap_or_default();
        Err(LocalError::Unmerged { path, repository: self.path() })
    }

    fn failed(&self, failure: Failure) -> LocalError {
        match failure {
            Failure::Final(error) => LocalError::Unreadable(error),
            Failure::Damaged(error) => self.damaged(&error),
        }
    }

    fn conversation<'a>(&'a self, abandoned: &'a Abandoned) -> Conversation<'a> {
        Conversation { location: &self.location, limits: &self.limits, abandoned }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.repository.workdir().unwrap_or(self.repository.path()).to_owned()
    }

    pub(super) fn damaged(&self, error: &git2::Error) -> LocalError {
        LocalError::Damaged { repository: self.path(), detail: escaped(error.message(), 300) }
    }

    fn missing(&self, name: &str, error: &git2::Error) -> String {
        let remote = format!("origin/{name}");
        if self.repository.revparse_single(&remote).is_ok() {
            return format!("did you mean `{remote}`?");
        }
        match error.code() {
            ErrorCode::NotFound if self.repository.is_shallow() => {
                "the clone is shallow; fetch it with `git fetch origin NAME`, or all with `git fetch --unshallow`"
                    .to_owned()
            }
            ErrorCode::NotFound => "fetch it first (`git fetch origin`), and name it as `git log` does".to_owned(),
            ErrorCode::Ambiguous => "several objects begin so; give more digits".to_owned(),
            _ => escaped(error.message(), 300),
        }
    }

    fn unrelated(&self) -> String {
        if self.repository.is_shallow() {
            "the clone is shallow; `git fetch --deepen=100` or `git fetch --unshallow` brings more of the past"
                .to_owned()
        } else {
            "they come of different histories; compare with a commit of this one, or with --no-merge-base".to_owned()
        }
    }
}

/// A path in an address: what would end or change it is written in hexadecimal.
fn encoded(path: &Path) -> String {
    let text = path.to_string_lossy();
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~' | b'+');
    text.bytes()
        .map(|byte| if harmless(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
