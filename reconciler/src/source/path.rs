//! A path inside a Git tree: relative, with forward slashes, harmless to print. Never a path of the file system.

use std::fmt;
use std::sync::Arc;

use super::text::{escaped, is_unprintable};

/// A validated path of a file or folder inside a tree; empty means the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(Arc<str>);

/// Why a text is no path inside a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It starts at the root of a file system.
    #[error("path `{path}` is absolute; name a folder inside the repository, such as `clusters/prod`")]
    Absolute {
        /// The path as written, escaped.
        path: String,
    },
    /// One of its components cannot be a name in a tree.
    #[error("path `{path}` has the component `{component}`, which no file in a repository may have")]
    Component {
        /// The path as written, escaped.
        path: String,
        /// The offending component, escaped.
        component: String,
    },
}

impl RepoPath {
    /// The root of the tree.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads a path as people write it: a leading `./` and a trailing `/` are dropped.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.starts_with('/') {
            return Err(PathError::Absolute { path: escaped(text, 200) });
        }
        let components: Vec<&str> = text.split('/').filter(|component| !matches!(*component, "" | ".")).collect();
        match components.iter().find(|component| !is_safe_name(component)) {
            Some(component) => {
                Err(PathError::Component { path: escaped(text, 200), component: escaped(component, 100) })
            }
            None => Ok(Self(components.join("/").into())),
        }
    }

    /// The path of `name` in this folder. The name must have passed [`is_safe_name`].
    pub(super) fn join(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(Arc::from(name)) } else { Self(format!("{}/{name}", self.0).into()) }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as text that is shared with whatever else is about this file.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path is `folder` or lies below it.
    #[must_use]
    pub fn is_below(&self, folder: &RepoPath) -> bool {
        folder.is_root()
            || self.0.strip_prefix(folder.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The components from the root down.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|component| !component.is_empty())
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Whether a name of a tree entry can be used: it neither leaves its folder on any system nor deceives whoever reads it.
pub(super) fn is_safe_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && !name.eq_ignore_ascii_case(".git")
        && name.len() <= 255
        && !name.chars().any(|character| matches!(character, '/' | '\\') || is_unprintable(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        assert_eq!(RepoPath::parse("./a//b/").map(|path| path.to_string()), Ok("a/b".to_owned()));
        assert_eq!(RepoPath::parse(""), Ok(RepoPath::root()));
    }

    #[test]
    fn paths_that_leave_the_tree_are_refused() {
        for text in ["/etc", "a/../b", "..", "a\\b", "a/.git/config", "a/.GIT", "a\0b", "a\nb", "a\u{202e}b"] {
            assert!(RepoPath::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn below_means_whole_components() {
        let folder = RepoPath::parse("team/a").unwrap();
        assert!(RepoPath::parse("team/a/vm.yaml").unwrap().is_below(&folder));
        assert!(RepoPath::parse("team/a").unwrap().is_below(&folder));
        assert!(!RepoPath::parse("team/ab/vm.yaml").unwrap().is_below(&folder));
    }
}
