//! Real bare repositories in temporary folders, for the tests of this module.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, RepositoryInitOptions, Signature, Time};
use tempfile::TempDir;

use super::*;

/// Where pushes go.
pub(super) struct Origin {
    pub(super) dir: TempDir,
    pub(super) repo: Repository,
}

impl Origin {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = RepositoryInitOptions::new();
        options.bare(true).initial_head("main").external_template(false);
        let repo = Repository::init_opts(dir.path(), &options).unwrap();
        Self { dir, repo }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub(super) fn location(&self) -> Location {
        Location::parse(&format!("file://{}", self.dir.path().display()), FileUrls::Allowed).unwrap()
    }

    pub(super) fn tree(&self, files: &[(&str, &str)]) -> Oid {
        let empty = self.repo.treebuilder(None).unwrap().write().unwrap();
        let mut update = TreeUpdateBuilder::new();
        for (path, text) in files {
            update.upsert(*path, self.repo.blob(text.as_bytes()).unwrap(), FileMode::Blob);
        }
        update.create_updated(&self.repo, &self.repo.find_tree(empty).unwrap()).unwrap()
    }

    /// A tree of any names and modes, also those that Git itself would not write.
    pub(super) fn raw_tree(&self, entries: &[(&str, &[u8], Oid)]) -> Oid {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(format!("{mode} ").as_bytes());
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(id.as_bytes());
        }
        self.repo.odb().unwrap().write(ObjectType::Tree, &bytes).unwrap()
    }

    pub(super) fn blob(&self, text: &str) -> Oid {
        self.repo.blob(text.as_bytes()).unwrap()
    }

    /// A commit of `tree` on top of `parents`, which `reference` then points to.
    pub(super) fn commit_tree(&self, reference: &str, tree: Oid, parents: &[Oid], seconds: i64) -> Oid {
        let who = Signature::new("Ann", "ann@example.com", &Time::new(seconds, 0)).unwrap();
        let parents: Vec<_> = parents.iter().map(|id| self.repo.find_commit(*id).unwrap()).collect();
        let tree = self.repo.find_tree(tree).unwrap();
        let message = "grow \u{1b}[31mvm\n\nbecause";
        let id = self.repo.commit(None, &who, &who, message, &tree, &parents.iter().collect::<Vec<_>>()).unwrap();
        self.repo.reference(reference, id, true, "push").unwrap();
        id
    }

    /// A commit whose time is any text, on `main`.
    pub(super) fn commit_at(&self, tree: Oid, parent: Option<Oid>, time: &str) -> Oid {
        let parent = parent.map_or_else(String::new, |id| format!("parent {id}\n"));
        let who = format!("Ann\u{202e} <ann@example.com> {time} +0000");
        let text = format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\nchange\n");
        let id = self.repo.odb().unwrap().write(ObjectType::Commit, text.as_bytes()).unwrap();
        self.repo.reference("refs/heads/main", id, true, "push").unwrap();
        id
    }

    /// Pushes a tree of exactly these files to `main`.
    pub(super) fn push(&self, files: &[(&str, &str)]) -> Oid {
        let parent = self.repo.refname_to_id("refs/heads/main").ok();
        let parents: Vec<Oid> = parent.into_iter().collect();
        self.commit_tree("refs/heads/main", self.tree(files), &parents, 1_700_000_000)
    }
}

/// The clones' side.
pub(super) struct Clones {
    pub(super) dir: TempDir,
    pub(super) repositories: Git2Repositories,
}

impl Clones {
    pub(super) fn new() -> Self {
        Self::with(Limits { total: Duration::from_secs(20), ..Limits::default() })
    }

    pub(super) fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = set_process_timeouts(Duration::from_secs(2), Duration::from_secs(6)).unwrap();
        let repositories = Git2Repositories::new(&dir.path().join("cache"), limits, made);
        Self { dir, repositories }
    }

    pub(super) async fn fetch(
        &self,
        location: &Location,
        last: Option<&Arc<Snapshot>>,
    ) -> Result<Arc<Snapshot>, FetchError> {
        self.repositories.fetch(location, last.cloned()).await
    }

    /// The one clone's folder.
    pub(super) fn clone_dir(&self) -> PathBuf {
        let mut entries = std::fs::read_dir(self.dir.path().join("cache")).unwrap();
        entries.next().unwrap().unwrap().path()
    }
}

/// The paths and contents of a snapshot.
pub(super) fn texts(snapshot: &Snapshot) -> Vec<(String, String)> {
    let files = snapshot.files.iter();
    files
        .map(|(path, file)| (path.to_string(), String::from_utf8_lossy(file.bytes.as_ref().unwrap()).into_owned()))
        .collect()
}

pub(super) fn pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}
