//! The memory limit of the launcher's own container, and whether the kernel enforced it.
//!
//! Reading only, under both versions of cgroups. Outside of a container there may be nothing to read, and then nothing is judged.

use super::error::LaunchError;
use reef_api::Bytes;
use std::fs;
use std::path::{Path, PathBuf};

/// A VMM does not start in less than this beside its guest.
const LEAST_OVERHEAD: Bytes = Bytes(32 << 20);
/// What cgroups of version 1 tell where there is no limit is a number near the largest.
const UNLIMITED: u64 = 1 << 60;

/// The cgroup that holds the container's memory.
#[derive(Clone, Debug)]
pub(super) struct MemoryGroup {
    folder: PathBuf,
    limit_file: &'static str,
    kills_file: &'static str,
}

impl MemoryGroup {
    /// The cgroup of this process, where it can be seen.
    pub(super) fn own() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let path = path.trim_start_matches('/');
            if controllers.split(',').any(|name| name == "memory") {
                Self::at(Path::new("/sys/fs/cgroup/memory"), path, "memory.limit_in_bytes", "memory.oom_control")
            } else if controllers.is_empty() {
                Self::at(Path::new("/sys/fs/cgroup"), path, "memory.max", "memory.events")
            } else {
                None
            }
        })
    }

    /// In a container the hierarchy's root often is the container's own cgroup, and the path is that of the node.
    fn at(root: &Path, path: &str, limit_file: &'static str, kills_file: &'static str) -> Option<Self> {
        let folders = [root.join(path), root.to_owned()];
        let folder = folders.into_iter().find(|folder| folder.join(limit_file).is_file())?;
        Some(Self { folder, limit_file, kills_file })
    }

    /// The limit, where there is one.
    pub(super) fn limit(&self) -> Option<Bytes> {
        let text = fs::read_to_string(self.folder.join(self.limit_file)).ok()?;
        text.trim().parse().ok().filter(|limit| *limit < UNLIMITED).map(Bytes)
    }

    /// How many processes the kernel has killed in it.
    pub(super) fn kills(&self) -> u64 {
        let text = fs::read_to_string(self.folder.join(self.kills_file)).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

/// Whether the limit carries a guest of this size.
pub(super) fn carries(group: Option<&MemoryGroup>, memory: Bytes) -> Result<(), LaunchError> {
    match group.and_then(MemoryGroup::limit) {
        Some(limit) if limit < memory.saturating_add(LEAST_OVERHEAD) => {
            Err(LaunchError::Memory { limit, memory, least: LEAST_OVERHEAD })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(limit: &str, kills: &str) -> (tempfile::TempDir, MemoryGroup) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("own")).unwrap();
        fs::write(folder.path().join("own/memory.max"), limit).unwrap();
        fs::write(folder.path().join("own/memory.events"), kills).unwrap();
        let group = MemoryGroup::at(folder.path(), "own", "memory.max", "memory.events").unwrap();
        (folder, group)
    }

    #[test]
    fn a_limit_that_does_not_carry_guest_and_vmm_is_told_with_what_they_need() {
        let (_folder, group) = group("536870912\n", "low 0\noom 3\noom_kill 2\n");
        assert_eq!((group.limit(), group.kills()), (Some(Bytes(512 << 20)), 2));
        let refused = carries(Some(&group), Bytes(512 << 20)).unwrap_err();
        assert_eq!(
            refused.sentence(),
            "the container's memory limit is 512Mi, but the VM has 512Mi and its VMM needs at least 32Mi; raise spec.resources or the policy's overhead"
        );
        assert!(carries(Some(&group), Bytes(384 << 20)).is_ok());
    }

    #[test]
    fn what_has_no_limit_or_no_cgroup_carries_everything() {
        for limit in ["max\n", "9223372036854771712\n", "garbage"] {
            let (_folder, group) = group(limit, "");
            assert_eq!((group.limit(), group.kills()), (None, 0), "{limit}");
            assert!(carries(Some(&group), Bytes(1 << 50)).is_ok());
        }
        assert!(carries(None, Bytes(1 << 50)).is_ok());
    }
}
