//! What a clone of the repository tells of a VM: the commits that its status names, and the sizes that its file had.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reef_reconciler::review::PastSize;
use reef_reconciler::source::Commit;
use serde::Serialize;

/// What is known of Git beside the cluster.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Whether there is a clone, and whether it is of this repository.
    pub clone: CloneAtHand,
    /// The commits that the VM names and the clone has, by their ids.
    pub commits: BTreeMap<String, Commit>,
    /// The sizes that the VM's file stated, the newest first.
    pub sizes: Vec<PastSize>,
    /// Whether older commits were not looked at: the clone is shallow, or the past very long.
    pub cut: bool,
}

/// Whether a clone can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CloneAtHand {
    /// There is none.
    #[default]
    None,
    /// It has a commit that the VM names.
    Found,
    /// It has none of them: it is of another repository, or behind.
    Lacking,
    /// The VM names no commit.
    Unasked,
}

/// A commit as people and programs see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommitView {
    /// The id.
    pub id: String,
    /// The author's name.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
    /// The committer's time.
    pub time: Timestamp,
}

impl From<&Commit> for CommitView {
    fn from(commit: &Commit) -> Self {
        let Commit { id, subject, author, time } = commit.clone();
        Self { id, author, subject, time }
    }
}

impl Past {
    /// A commit, where the clone has it.
    pub fn commit(&self, id: &str) -> Option<CommitView> {
        self.commits.get(id).map(CommitView::from)
    }

    /// Why the authors and subjects of these commits are not told; nothing where they are.
    pub fn missing<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
        match self.clone {
            CloneAtHand::Unasked => None,
            CloneAtHand::None => {
                Some("no clone is at hand: name one by --repository to see who made the commit, and what was before")
            }
            CloneAtHand::Found if ids.into_iter().all(|id| self.commits.contains_key(id)) => None,
            CloneAtHand::Found => Some("a commit is not in this clone: `git fetch` brings it"),
            CloneAtHand::Lacking => Some(
                "the commit is not in this clone: `git fetch`, or name a clone of the right repository by --repository",
            ),
        }
    }
}
