//! Files that were read before: one is read again only when its content changed.

use std::collections::BTreeMap;

use git2::Oid;

use super::file::ParsedFile;
use crate::source::{RepoPath, Snapshot};

/// What was read of the files of one source.
#[derive(Clone, Debug, Default)]
pub struct ParseCache {
    files: BTreeMap<RepoPath, (Oid, ParsedFile)>,
    files_parsed: u64,
}

impl ParseCache {
    /// How many files were read in all.
    #[must_use]
    pub fn files_parsed(&self) -> u64 {
        self.files_parsed
    }

    /// Whether nothing has been read: then a snapshot must come with all its contents.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Reads what changed and forgets what is gone.
    pub(super) fn refresh(&mut self, snapshot: &Snapshot) {
        self.files.retain(|path, _| snapshot.files.contains_key(path));
        for (path, file) in &snapshot.files {
            if self.files.get(path).is_some_and(|(blob, _)| *blob == file.blob) {
                continue;
            }
            let parsed = match &file.bytes {
                Some(bytes) => ParsedFile::read(path, bytes),
                None => ParsedFile::lost(path),
            };
            self.files_parsed = self.files_parsed.saturating_add(1);
            self.files.insert(path.clone(), (file.blob, parsed));
        }
    }

    /// The files of the snapshot that was refreshed from, in order.
    pub(super) fn files(&self) -> impl Iterator<Item = (&RepoPath, &ParsedFile)> {
        self.files.iter().map(|(path, (_, parsed))| (path, parsed))
    }
}
