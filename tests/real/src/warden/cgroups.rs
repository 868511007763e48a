//! The cgroup of a run, in each hierarchy of this machine (v1 has several, v2 has one).
//!
//! It sets no limits: those of the Pods below are the kubelet's business.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

const ROOT: &str = "/sys/fs/cgroup";
/// What a kubelet expects to find in a hierarchy of version 2.
const CONTROLLERS: [&str; 6] = ["cpu", "cpuset", "memory", "pids", "io", "hugetlb"];

/// Makes the cgroup `name`, which begins with a slash.
///
/// # Errors
/// There are no cgroups on this machine, or they cannot be written.
pub fn make(name: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        let path = below(&hierarchy, name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make the cgroup {}", path.display()))?;
        delegate(&hierarchy);
        delegate(&path);
        fill_cpuset(&hierarchy, &path).with_context(|| format!("cannot fill {}", path.display()))?;
    }
    Ok(())
}

/// Version 2: lets groups below have each controller that is there. One that is not there is not missed here but by the kubelet.
fn delegate(group: &Path) {
    for controller in CONTROLLERS {
        let _ = fs::write(group.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// Version 1: a cpuset starts empty, and nothing runs in an empty one.
fn fill_cpuset(hierarchy: &Path, group: &Path) -> io::Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let (from, to) = (hierarchy.join(file), group.join(file));
        if from.exists() && to.exists() {
            fs::write(to, fs::read(from)?)?;
        }
    }
    Ok(())
}

/// Removes the cgroup `name` and all below it, where it is there.
///
/// # Errors
/// Processes are left in it.
pub fn remove(name: &str) -> Result<()> {
    for hierarchy in hierarchies().unwrap_or_default() {
        let path = below(&hierarchy, name);
        remove_tree(&path).with_context(|| format!("cannot remove the cgroup {}", path.display()))?;
    }
    Ok(())
}

/// The names of the cgroups that could be those of runs.
pub fn names() -> Vec<String> {
    let folders = hierarchies().unwrap_or_default().into_iter().filter_map(|hierarchy| fs::read_dir(hierarchy).ok());
    folders.flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The mounted hierarchies, each once: with version 1 some are symbolic links to others.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").exists() {
        return Ok(vec![root.to_owned()]);
    }
    let entries = fs::read_dir(root).with_context(|| format!("there are no cgroups at {ROOT}"))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.path().join("cgroup.procs").exists() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn below(hierarchy: &Path, name: &str) -> PathBuf {
    hierarchy.join(name.trim_start_matches('/'))
}

/// Removes a group after the groups in it: only empty ones can be removed, and their files cannot.
fn remove_tree(group: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}
