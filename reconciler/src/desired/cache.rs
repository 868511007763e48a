//! Files that were read before: one is read again only when its content changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::file::ParsedFile;
use crate::source::{RepoPath, Snapshot};

/// What was read of the files of one source.
#[derive(Clone, Debug, Default)]
pub struct ParseCache {
    files: BTreeMap<RepoPath, (String, Arc<ParsedFile>)>,
    files_parsed: u64,
}

impl ParseCache {
    /// How many files were read in all.
    #[must_use]
    pub fn files_parsed(&self) -> u64 {
        self.files_parsed
    }

    /// Reads what changed and forgets what is gone.
    pub(super) fn refresh(&mut self, snapshot: &Snapshot) {
        self.files.retain(|path, _| snapshot.files.contains_key(path));
        for (path, file) in &snapshot.files {
            if self.files.get(path).is_some_and(|(blob, _)| *blob == file.blob) {
                continue;
            }
            let parsed = Arc::new(ParsedFile::read(path.as_str(), &file.bytes));
            self.files_parsed = self.files_parsed.saturating_add(1);
            self.files.insert(path.clone(), (file.blob.clone(), parsed));
        }
    }

    /// The files of the snapshot that was refreshed from, in order.
    pub(super) fn files(&self) -> impl Iterator<Item = (&RepoPath, &ParsedFile)> {
        self.files.iter().map(|(path, (_, parsed))| (path, parsed.as_ref()))
    }
}
