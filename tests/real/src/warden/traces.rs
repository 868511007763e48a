//! What a run leaves outside of its namespaces, a folder and cgroups, and how it is removed.
//!
//! It removes nothing that is not of a run, whatever its name.
use std::{collections::BTreeSet, fs, io, path::Path, time::Duration};

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::{cgroups, claim};
use crate::layout::{Layout, slot_of};

/// How often, every 50 ms, the removal is tried: the last processes of a run that was killed may take a moment to be gone.
const TRIES: u32 = 200;

/// Removes the traces of a run that has ended.
///
/// # Errors
/// Processes are left, or the folder is not that of a run.
pub async fn remove(layout: &Layout) -> Result<()> {
    for _ in 0..TRIES {
        if remove_once(layout).is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    remove_once(layout)
}

/// Removes, where it can, what is left of runs whose warden was killed: their slots can be claimed.
pub fn sweep(place: impl Fn(u16) -> Layout) {
    let folders = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    let names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).chain(cgroups::names());
    let slots: BTreeSet<u16> = names.filter_map(|name| slot_of(&name)).collect();
    for claim in slots.into_iter().filter_map(claim::of) {
        let _ = remove_once(&place(claim.slot));
    }
}

/// The same, once and now.
///
/// # Errors
/// As for [`remove`].
pub fn remove_once(layout: &Layout) -> Result<()> {
    cgroups::remove(&layout.cgroup_root())?;
    remove_folder(&layout.folder).with_context(|| format!("cannot remove {}", layout.folder.display()))
}

/// Removes a folder that is a run's by the file in it that is written first and removed last; any other only if it is empty.
fn remove_folder(folder: &Path) -> io::Result<()> {
    let configuration = folder.join("etc");
    if Layout::setup_file(folder).is_file() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path == configuration {
                continue;
            }
            if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        fs::remove_dir_all(&configuration)?;
    } else {
        let _ = fs::remove_dir(&configuration);
    }
    absent(fs::remove_dir(folder))
}

/// Takes it for done where there was nothing to do.
pub fn absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_removed_if_it_is_of_a_run_or_empty_and_no_other_is() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str, files: &[&str]| {
            let folder = place.path().join(name);
            fs::create_dir(&folder).unwrap();
            for file in files {
                fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
                fs::write(folder.join(file), "").unwrap();
            }
            let removed = remove_folder(&folder).is_ok();
            assert_eq!(folder.exists(), !removed);
            removed
        };
        assert!(make("run", &["etc/setup.json", "etc/hosts", "etcd/member/wal", "containerd.sock"]));
        assert!(make("begun", &[]));
        assert!(!make("foreign", &["notes.txt"]));
        assert!(!make("alike", &["etc/hosts"]));
        assert!(remove_folder(&place.path().join("none")).is_ok());
    }
}
