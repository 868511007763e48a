//! The folder of an embedded cluster: one that was named, or one that goes away at the end.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::TempDir;

/// A folder for host trees, kubeconfig, repository and cache.
pub enum Folder {
    /// Stays.
    Named(PathBuf),
    /// Is removed with this value.
    Passing(TempDir),
}

impl Folder {
    /// The named folder, which must be empty or absent, or a new one.
    ///
    /// # Errors
    /// Where it cannot be made, or holds something: nothing of anybody's is written over.
    pub fn new(named: Option<PathBuf>) -> anyhow::Result<Self> {
        let Some(path) = named else {
            let passing = tempfile::Builder::new().prefix("reef-").tempdir();
            return Ok(Self::Passing(passing.context("no temporary folder can be made")?));
        };
        std::fs::create_dir_all(&path).with_context(|| format!("the folder {} cannot be made", path.display()))?;
        if std::fs::read_dir(&path)?.next().is_some() {
            bail!("the folder {} is not empty; name another --dir", path.display());
        }
        Ok(Self::Named(std::path::absolute(path)?))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Named(path) => path,
            Self::Passing(folder) => folder.path(),
        }
    }
}
