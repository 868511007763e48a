//! A bare repository on this machine, and pushes to it: commits as somebody else's `git push` makes them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use git2::build::TreeUpdateBuilder;
use git2::{Commit, FileMode, Oid, Repository as Git, RepositoryInitOptions, Signature, Tree};

use super::difference::difference;
use super::example::ExampleFile;

const MAIN: &str = "main";

/// A bare repository.
#[derive(Clone, Debug)]
pub struct Repository {
    path: PathBuf,
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The file has this content.
    Write {
        /// Path in the repository.
        path: String,
        /// Content.
        text: String,
    },
    /// The file is removed.
    Remove {
        /// Path in the repository.
        path: String,
    },
}

/// A commit that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its id in hexadecimal.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
}

impl Repository {
    /// Makes a repository whose first commit holds the files.
    ///
    /// # Errors
    /// Where the folder cannot be written, or is a repository already.
    pub fn create(path: &Path, files: &[ExampleFile]) -> anyhow::Result<Self> {
        let mut options = RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).initial_head("main");
        Git::init_opts(path, &options).with_context(|| format!("no repository can be made in {}", path.display()))?;
        let repository = Self { path: path.to_owned() };
        let write = |file: &ExampleFile| Change::Write { path: file.path.to_owned(), text: file.text.to_owned() };
        let files: Vec<Change> = files.iter().map(write).collect();
        repository.push("the sizes of all VMs", &files)?;
        Ok(repository)
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its address for a GitSource.
    pub fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// The content of a file at the tip.
    ///
    /// # Errors
    /// Where it is not there or is no text.
    pub fn read(&self, file: &str) -> anyhow::Result<String> {
        let git = self.open()?;
        let tip = tip(&git)?.context("the repository has no commit")?;
        let entry = tip.tree()?.get_path(Path::new(file)).with_context(|| format!("there is no file {file}"))?;
        let blob = git.find_blob(entry.id())?;
        Ok(String::from_utf8(blob.content().to_vec())?)
    }

    /// Commits changes on top of the tip.
    ///
    /// # Errors
    /// Where the repository cannot be written, or somebody pushed in the same moment.
    pub fn push(&self, subject: &str, changes: &[Change]) -> anyhow::Result<Pushed> {
        let git = self.open()?;
        let tip = tip(&git)?;
        let base = match &tip {
            Some(tip) => tip.tree()?,
            None => git.find_tree(git.treebuilder(None)?.write()?)?,
        };
        let tree = updated(&git, &base, changes)?;
        commit(&git, MAIN, subject, &git.find_tree(tree)?, tip.as_slice())
    }

    /// Commits changes on top of the tip, on a new branch.
    ///
    /// # Errors
    /// Where the repository cannot be written, or has the branch already.
    pub fn propose(&self, branch: &str, subject: &str, changes: &[Change]) -> anyhow::Result<Pushed> {
        let git = self.open()?;
        let tip = tip(&git)?.context("the repository has no commit")?;
        git.branch(branch, &tip, false).with_context(|| format!("the branch {branch} cannot be made"))?;
        let tree = updated(&git, &tip.tree()?, changes)?;
        commit(&git, branch, subject, &git.find_tree(tree)?, &[tip])
    }

    /// Merges a branch, as a forge does when a pull request is approved.
    ///
    /// # Errors
    /// Where the branch is not there, or both sides changed the same lines.
    pub fn merge(&self, branch: &str) -> anyhow::Result<Pushed> {
        let git = self.open()?;
        let tip = tip(&git)?.context("the repository has no commit")?;
        let theirs = git.find_reference(&reference(branch))?.peel_to_commit()?;
        let tree = git.merge_commits(&tip, &theirs, None)?.write_tree_to(&git)?;
        commit(&git, MAIN, &format!("Merge branch '{branch}'"), &git.find_tree(tree)?, &[tip, theirs])
    }

    /// Takes back what an earlier commit changed.
    ///
    /// # Errors
    /// Where the commit is not there, or later ones changed the same lines.
    pub fn revert(&self, pushed: &Pushed) -> anyhow::Result<Pushed> {
        let git = self.open()?;
        let tip = tip(&git)?.context("the repository has no commit")?;
        let reverted = git.find_commit(Oid::from_str(&pushed.id)?)?;
        let tree = git.revert_commit(&reverted, &tip, 0, None)?.write_tree_to(&git)?;
        commit(&git, MAIN, &format!("Revert \"{}\"", pushed.subject), &git.find_tree(tree)?, &[tip])
    }

    /// The lines that a commit removed and added.
    ///
    /// # Errors
    /// Where the commit cannot be read.
    pub fn difference(&self, pushed: &Pushed) -> anyhow::Result<Vec<String>> {
        Ok(difference(&self.open()?, &pushed.id)?)
    }

    fn open(&self) -> anyhow::Result<Git> {
        Git::open_bare(&self.path).with_context(|| format!("{} is no repository any more", self.path.display()))
    }
}

fn reference(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

fn tip(git: &Git) -> anyhow::Result<Option<Commit<'_>>> {
    match git.find_reference(&reference(MAIN)) {
        Ok(branch) => Ok(Some(branch.peel_to_commit()?)),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn updated(git: &Git, base: &Tree<'_>, changes: &[Change]) -> anyhow::Result<Oid> {
    let mut update = TreeUpdateBuilder::new();
    for change in changes {
        match change {
            Change::Write { path, text } => update.upsert(path.as_str(), git.blob(text.as_bytes())?, FileMode::Blob),
            Change::Remove { path } => update.remove(path.as_str()),
        };
    }
    Ok(update.create_updated(git, base)?)
}

/// Moves the branch only from the first parent on, as a push does.
fn commit(git: &Git, branch: &str, subject: &str, tree: &Tree<'_>, parents: &[Commit<'_>]) -> anyhow::Result<Pushed> {
    let author = Signature::now("Platform Team", "platform@example.com")?;
    let parents: Vec<&Commit<'_>> = parents.iter().collect();
    let id = git.commit(Some(&reference(branch)), &author, &author, subject, tree, &parents)?;
    Ok(Pushed { id: id.to_string(), subject: subject.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::example::FILES;

    #[test]
    fn a_push_is_on_the_branch_and_its_revert_gives_the_old_text_back() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::create(&folder.path().join("vms.git"), FILES).unwrap();
        let before = repository.read("teams/web/web-1.yaml").unwrap();
        let changes = [
            Change::Write { path: "teams/web/web-1.yaml".to_owned(), text: "changed".to_owned() },
            Change::Remove { path: "README.md".to_owned() },
        ];
        let pushed = repository.push("two changes", &changes).unwrap();
        assert_eq!(repository.read("teams/web/web-1.yaml").unwrap(), "changed");
        assert!(repository.read("README.md").is_err());
        let reverted = repository.revert(&pushed).unwrap();
        assert_eq!(reverted.subject, "Revert \"two changes\"");
        assert_eq!(repository.read("teams/web/web-1.yaml").unwrap(), before);
        assert!(repository.read("README.md").is_ok());
    }

    #[test]
    fn a_branch_changes_nothing_until_it_is_merged() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::create(&folder.path().join("vms.git"), FILES).unwrap();
        let write = |path: &str| [Change::Write { path: path.to_owned(), text: "changed".to_owned() }];
        repository.propose("more", "a change", &write("teams/web/web-1.yaml")).unwrap();
        assert_ne!(repository.read("teams/web/web-1.yaml").unwrap(), "changed");
        assert!(repository.propose("more", "another", &write("README.md")).is_err());
        repository.push("meanwhile", &write("README.md")).unwrap();
        let merged = repository.merge("more").unwrap();
        assert_eq!(merged.subject, "Merge branch 'more'");
        assert_eq!(repository.read("teams/web/web-1.yaml").unwrap(), "changed");
        assert_eq!(repository.read("README.md").unwrap(), "changed");
        let lines = repository.difference(&merged).unwrap();
        assert_eq!(lines.first().map(String::as_str), Some("teams/web/web-1.yaml"));
    }
}
