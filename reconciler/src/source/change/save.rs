//! A file of the working tree gets its new content at once or not at all. Follows no link.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Change, ChangeError};
use crate::source::local::{LocalError, LocalRepository};
use crate::source::path::RepoPath;

/// How the file begins that takes the content until it is whole; a name with a dot is no manifest.
const PREFIX: &str = ".reef-edit-";

impl LocalRepository {
    /// Writes the change to the working tree, with the rights that the file has.
    ///
    /// # Errors
    /// Where there is no working tree, where the file is a link, write-protected or not what was read any more, and where the
    /// system refuses.
    pub fn save(&self, change: &Change<'_>) -> Result<(), ChangeError> {
        let root = self.workdir().ok_or_else(|| LocalError::Bare(self.path()))?;
        let path = root.join(change.path.as_str());
        let failed = |error| ChangeError::Write { path: path.clone(), error };
        if let Some(link) = not_plain(root, change.path).map_err(failed)? {
            return Err(ChangeError::NotAFile(link));
        }
        let rights = fs::symlink_metadata(&path).map_err(failed)?.permissions();
        if rights.readonly() {
            return Err(ChangeError::Protected(path));
        }
        if fs::read(&path).map_err(failed)? != change.before {
            return Err(ChangeError::Changed(path));
        }
        replace(&path, change.after, rights).map_err(failed)
    }
}

/// The first part of the path that is no folder, or in the end no file.
fn not_plain(root: &Path, path: &RepoPath) -> io::Result<Option<PathBuf>> {
    let mut full = root.to_owned();
    let mut names = path.components().peekable();
    while let Some(name) = names.next() {
        full.push(name);
        let found = fs::symlink_metadata(&full)?;
        let plain = if names.peek().is_some() { found.is_dir() } else { found.is_file() };
        if !plain {
            return Ok(Some(full));
        }
    }
    Ok(None)
}

fn replace(path: &Path, content: &[u8], rights: fs::Permissions) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().set_permissions(rights)?;
    file.as_file().sync_all()?;
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}
