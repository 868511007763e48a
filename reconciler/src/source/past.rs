//! The past of a file in a repository on this machine: which commits changed it, and what it said at each. Writes nothing, follows no rename.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use git2::{ErrorCode, ObjectType, Oid, Sort};

use super::local::{LocalError, LocalRepository};
use super::path::RepoPath;
use super::snapshot::{Commit, Descent, File, Snapshot};
use super::walk;

/// Commits that are looked at for one file.
const MOST_COMMITS: usize = 50_000;
/// Commits of one file that are told.
const MOST_CHANGES: usize = 200;

/// The commits that changed one file, the newest first.
#[derive(Clone, Debug, Default)]
pub struct FileLog {
    /// Each with the file as it was then; without it where the commit removed the file, or made it too large to be read.
    pub changes: Vec<Snapshot>,
    /// Whether the repository may know of older ones that were not looked at.
    pub cut: bool,
}

impl LocalRepository {
    /// What a commit says of itself; nothing where it is not in this clone.
    ///
    /// # Errors
    /// Where the repository cannot be read.
    pub fn told(&self, id: &str) -> Result<Option<Commit>, LocalError> {
        let Ok(oid) = Oid::from_str(id) else { return Ok(None) };
        match self.repository.find_commit(oid) {
            Ok(commit) => Ok(Some(walk::described(&commit))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.damaged(&error)),
        }
    }

    /// The commits up to `from` that changed a file. As `git log` does it: a merge that took the file from one side changed nothing.
    ///
    /// # Errors
    /// Where the repository cannot be read.
    pub fn log(&self, from: Oid, file: &RepoPath) -> Result<FileLog, LocalError> {
        self.walked(from, file).map_err(|error| self.damaged(&error))
    }

    fn walked(&self, from: Oid, file: &RepoPath) -> Result<FileLog, git2::Error> {
        let mut walk = self.repository.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
        walk.push(from)?;
        let mut log = FileLog { cut: self.repository.is_shallow(), ..FileLog::default() };
        for (count, id) in walk.enumerate() {
            if count == MOST_COMMITS || log.changes.len() == MOST_CHANGES {
                log.cut = true;
                break;
            }
            let commit = self.repository.find_commit(id?)?;
            let here = blob(&commit, file)?;
            let mut unchanged = commit.parent_count() == 0 && here.is_none();
            for parent in commit.parents() {
                unchanged = unchanged || blob(&parent, file)? == here;
            }
            if !unchanged {
                log.changes.push(self.alone(&commit, file, here)?);
            }
        }
        Ok(log)
    }

    /// A commit's snapshot that holds one file.
    fn alone(&self, commit: &git2::Commit<'_>, file: &RepoPath, blob: Option<Oid>) -> Result<Snapshot, git2::Error> {
        let mut files = BTreeMap::new();
        if let Some(blob) = blob {
            let (size, _) = self.repository.odb()?.read_header(blob)?;
            if u64::try_from(size).is_ok_and(|size| size <= self.limits.file_bytes) {
                let bytes = Some(Arc::from(self.repository.find_blob(blob)?.content()));
                files.insert(file.clone(), File { blob, bytes });
            }
        }
        Ok(Snapshot {
            commit: walk::described(commit),
            descent: Descent::First,
            path: RepoPath::root(),
            blobs_read: files.len(),
            files,
            skipped: Vec::new(),
        })
    }
}

fn blob(commit: &git2::Commit<'_>, file: &RepoPath) -> Result<Option<Oid>, git2::Error> {
    match commit.tree()?.get_path(Path::new(file.as_str())) {
        Ok(entry) => Ok((entry.kind() == Some(ObjectType::Blob)).then(|| entry.id())),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use git2::{Repository, Signature, Time};

    use super::*;

    /// Commits one file on top of the parents, each a minute after the one before.
    fn commit(git: &Repository, minute: i64, text: Option<&str>, parents: &[Oid]) -> Oid {
        let mut tree = git.treebuilder(None).unwrap();
        if let Some(text) = text {
            tree.insert("vm.yaml", git.blob(text.as_bytes()).unwrap(), 0o100_644).unwrap();
        }
        tree.insert("other", git.blob(minute.to_string().as_bytes()).unwrap(), 0o100_644).unwrap();
        let tree = git.find_tree(tree.write().unwrap()).unwrap();
        let author = Signature::new("A\u{1b}uthor", "a@example.com", &Time::new(minute * 60, 0)).unwrap();
        let parents: Vec<git2::Commit<'_>> = parents.iter().map(|id| git.find_commit(*id).unwrap()).collect();
        let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
        git.commit(None, &author, &author, &format!("minute {minute}\n\nmore"), &tree, &parents).unwrap()
    }

    #[test]
    fn the_log_of_a_file_has_the_commits_that_changed_it_and_no_merge_that_took_one_side() {
        let folder = tempfile::tempdir().unwrap();
        let git = Repository::init(folder.path()).unwrap();
        let first = commit(&git, 1, Some("one"), &[]);
        let same = commit(&git, 2, Some("one"), &[first]);
        let side = commit(&git, 3, Some("two"), &[first]);
        let merge = commit(&git, 4, Some("two"), &[same, side]);
        let gone = commit(&git, 5, None, &[merge]);
        let back = commit(&git, 6, Some("one"), &[gone]);
        let local = LocalRepository::discover(folder.path(), &RepoPath::root()).unwrap();
        let file = RepoPath::parse("vm.yaml").unwrap();
        let log = local.log(back, &file).unwrap();
        let told = |change: &Snapshot| {
            let bytes = change.files.get(&file).and_then(|file| file.bytes.clone());
            (change.commit.subject.clone(), bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
        };
        let told: Vec<(String, Option<String>)> = log.changes.iter().map(told).collect();
        let text = |minute: u32, text: Option<&str>| (format!("minute {minute}"), text.map(str::to_owned));
        assert_eq!(told, [text(6, Some("one")), text(5, None), text(3, Some("two")), text(1, Some("one"))]);
        assert!(!log.cut);
    }

    #[test]
    fn a_commit_tells_of_itself_and_one_that_is_not_here_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let git = Repository::init(folder.path()).unwrap();
        let first = commit(&git, 1, Some("one"), &[]);
        let local = LocalRepository::discover(folder.path(), &RepoPath::root()).unwrap();
        let told = local.told(&first.to_string()).unwrap().unwrap();
        assert_eq!((told.subject.as_str(), told.author.as_str()), ("minute 1", "A\\u{1b}uthor"));
        assert_eq!(local.told("1f0c2e9a77d15bb0e6b4b8f5d1a3f1f7a0c9d8e7").unwrap(), None);
        assert_eq!(local.told("cluster").unwrap(), None);
    }
}
