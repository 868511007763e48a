//! Bare repositories as a server holds them, and the clones' side that fetches from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, RepositoryInitOptions, Signature, Time};
use reef_reconciler::source::{
    FetchError, FileUrls, Git2Repositories, Limits, Location, ProcessTimeouts, Repositories, Snapshot,
    set_process_timeouts,
};
use tempfile::TempDir;

/// The branch that the tests push to.
pub const MAIN: &str = "refs/heads/main";

/// A folder of repositories with one in it, `r.git`.
pub struct Origin {
    root: TempDir,
    pub repo: Repository,
}

impl Origin {
    pub fn new() -> Self {
        process();
        let root = tempfile::tempdir().unwrap();
        let mut options = RepositoryInitOptions::new();
        options.bare(true).initial_head("main").external_template(false);
        let repo = Repository::init_opts(root.path().join("r.git"), &options).unwrap();
        Self { root, repo }
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Pushes a commit of exactly these files to `main`.
    pub fn push(&self, files: &[(&str, &str)]) -> Oid {
        let parents: Vec<Oid> = self.repo.refname_to_id(MAIN).ok().into_iter().collect();
        self.commit(MAIN, files, &parents)
    }

    /// Lets `reference` point to a commit on top of `parents`, whatever it pointed to before.
    pub fn commit(&self, reference: &str, files: &[(&str, &str)], parents: &[Oid]) -> Oid {
        let mut update = TreeUpdateBuilder::new();
        for (path, text) in files {
            update.upsert(*path, self.repo.blob(text.as_bytes()).unwrap(), FileMode::Blob);
        }
        let empty = self.repo.treebuilder(None).unwrap().write().unwrap();
        let tree = update.create_updated(&self.repo, &self.repo.find_tree(empty).unwrap()).unwrap();
        let tree = self.repo.find_tree(tree).unwrap();
        let who = Signature::new("Ann", "ann@example.com", &Time::new(1_700_000_000, 0)).unwrap();
        let parents: Vec<_> = parents.iter().map(|id| self.repo.find_commit(*id).unwrap()).collect();
        let parents: Vec<_> = parents.iter().collect();
        let id = self.repo.commit(None, &who, &who, "grow a vm", &tree, &parents).unwrap();
        self.repo.reference(reference, id, true, "push").unwrap();
        id
    }
}

/// The controller's side.
pub struct Clones {
    dir: TempDir,
    repositories: Git2Repositories,
}

impl Clones {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { total: Duration::from_secs(30), ..Limits::default() };
        let repositories = Git2Repositories::new(&dir.path().join("cache"), limits, process());
        Self { dir, repositories }
    }

    pub async fn fetch(&self, location: &Location, last: Option<&Arc<Snapshot>>) -> Result<Arc<Snapshot>, FetchError> {
        self.repositories.fetch(location, last.cloned()).await
    }

    /// The one clone that was made.
    pub fn only(&self) -> Repository {
        let entries = std::fs::read_dir(self.dir.path().join("cache")).unwrap();
        let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        Repository::open_bare(&paths[0]).unwrap()
    }
}

/// libgit2's settings are the process's: every test makes the same.
fn process() -> ProcessTimeouts {
    set_process_timeouts(Duration::from_secs(2), Duration::from_secs(4)).unwrap()
}

/// Three megabytes that do not compress, so that a transfer takes many packets.
pub fn noise() -> String {
    (0..200_000_u64).map(|number| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
}

pub fn location(url: &str) -> Location {
    Location::parse(url, FileUrls::Refused).unwrap()
}

/// The paths and contents of a snapshot.
pub fn texts(snapshot: &Snapshot) -> Vec<(String, String)> {
    let files = snapshot.files.iter();
    files
        .map(|(path, file)| (path.to_string(), String::from_utf8_lossy(file.bytes.as_ref().unwrap()).into_owned()))
        .collect()
}

pub fn pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}
