//! What a commit changed, as lines that people read: removed and added ones, by file.
//!
//! For showing only. What a commit means for VMs is the plan's business.

use std::path::Path;

use git2::{Oid, Repository, Tree};
use similar::{ChangeTag, TextDiff};

/// Lines that are shown of one commit; the rest is counted.
const LIMIT: usize = 12;

/// The lines that a commit removed and added, each file's behind its path.
///
/// # Errors
/// Where the commit cannot be read.
pub fn difference(git: &Repository, commit: &str) -> Result<Vec<String>, git2::Error> {
    let commit = git.find_commit(Oid::from_str(commit)?)?;
    let (now, before) = (commit.tree()?, commit.parent(0).and_then(|parent| parent.tree()).ok());
    let deltas = git.diff_tree_to_tree(before.as_ref(), Some(&now), None)?;
    let mut lines = Vec::new();
    for path in deltas.deltas().filter_map(|delta| delta.new_file().path().map(Path::to_owned)) {
        lines.push(path.display().to_string());
        let old = before.as_ref().map(|tree| text(git, tree, &path)).unwrap_or_default();
        lines.extend(changed(&old, &text(git, &now, &path)));
    }
    Ok(cut(lines))
}

/// The content of a file; nothing where it is not there.
fn text(git: &Repository, tree: &Tree<'_>, path: &Path) -> String {
    let blob = tree.get_path(path).and_then(|entry| git.find_blob(entry.id()));
    blob.map(|blob| String::from_utf8_lossy(blob.content()).into_owned()).unwrap_or_default()
}

fn changed(old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let sign = |tag| match tag {
        ChangeTag::Delete => Some('-'),
        ChangeTag::Insert => Some('+'),
        ChangeTag::Equal => None,
    };
    let lines = diff.iter_all_changes();
    lines.filter_map(|line| Some(format!("  {} {}", sign(line.tag())?, line.value().trim_end()))).collect()
}

fn cut(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LIMIT);
    if more > 1 {
        lines.truncate(LIMIT);
        lines.push(format!("... and {more} lines more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_shown_with_its_sign() {
        let lines = changed("cpu:\n  sockets: 1\nmemory: 2Gi\n", "cpu:\n  sockets: 2\nmemory: 2Gi\n");
        assert_eq!(lines, ["  -   sockets: 1", "  +   sockets: 2"]);
    }

    #[test]
    fn a_long_difference_is_cut_and_counted() {
        let lines = cut((0..20).map(|number| number.to_string()).collect());
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (13, Some("... and 8 lines more")));
    }
}
