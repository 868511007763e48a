//! The bare clone of one repository on disk: opened, cleaned of what a crash left behind, and replaced when it is damaged.
//!
//! A clone belongs to one process, and within it to whoever holds its lock: every lock file found here is stale. It holds nothing that a
//! fetch cannot bring again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::{Repository, RepositoryInitOptions};

/// Each fetch adds a pack, and libgit2 never repacks; beyond this many the clone is made anew.
const MOST_PACKS: usize = 64;

/// A bare clone's place on disk.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    dir: PathBuf,
}

impl Cache {
    pub(super) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Opens the clone if it is there, sound at first sight, and not grown too big.
    pub(super) fn open(&self) -> io::Result<Option<Repository>> {
        if !self.dir.exists() {
            return Ok(None);
        }
        sweep(&self.dir, 0)?;
        if packs(&self.dir) > MOST_PACKS {
            return Ok(None);
        }
        Ok(Repository::open_bare(&self.dir).ok())
    }

    /// Makes an empty clone beside the old one, which stays until [`Cache::replace`].
    pub(super) fn fresh(&self) -> Result<Repository, git2::Error> {
        let dir = self.fresh_dir();
        remove(&dir).map_err(|error| git2::Error::from_str(&error.to_string()))?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).mkpath(true).external_template(false).no_reinit(true);
        Repository::init_opts(&dir, &options)
    }

    /// Puts the fresh clone in the place of the old one.
    pub(super) fn replace(&self) -> io::Result<()> {
        remove(&self.dir)?;
        fs::rename(self.fresh_dir(), &self.dir)
    }

    /// Takes a fresh clone back that came to nothing.
    pub(super) fn discard_fresh(&self) {
        if let Err(error) = remove(&self.fresh_dir()) {
            tracing::warn!(%error, "an unfinished clone could not be removed");
        }
    }

    fn fresh_dir(&self) -> PathBuf {
        self.dir.with_extension("new")
    }
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes lock files and unfinished packs. Loose objects, two levels down, are left alone.
fn sweep(dir: &Path, depth: usize) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < 8 {
            sweep(&entry.path(), depth + 1)?;
        } else if kind.is_file() && is_left_over(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_left_over(name: &str) -> bool {
    name.ends_with(".lock") || name.starts_with("pack_git2_") || name.starts_with("tmp_")
}

fn packs(dir: &Path) -> usize {
    let entries = fs::read_dir(dir.join("objects/pack")).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pack")).count()
}
