//! What the kernel holds a container to: read from its cgroup, of either version, by code that the daemon does not use.

use std::path::{Path, PathBuf};

/// The limits and the fate of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory limit in bytes.
    pub memory: u64,
    /// Most memory that it ever used, in bytes; nothing where the kernel does not tell.
    pub most_used: Option<u64>,
    /// CPU limit in thousandths of a CPU.
    pub cpu: u64,
    /// Processes that the kernel killed for going over the memory limit.
    pub oom_kills: u64,
}

/// Reads the limits of a container by its id; nothing once it is gone.
pub fn limits(container_id: &str) -> Option<Limits> {
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        return unified(&find(root, container_id)?);
    }
    let memory = find(&root.join("memory"), container_id)?;
    let cpu = ["cpu", "cpu,cpuacct"].iter().find_map(|name| find(&root.join(name), container_id))?;
    let quota: i64 = text(&cpu, "cpu.cfs_quota_us")?.parse().ok()?;
    let period: i64 = text(&cpu, "cpu.cfs_period_us")?.parse().ok()?;
    Some(Limits {
        memory: text(&memory, "memory.limit_in_bytes")?.parse().ok()?,
        most_used: text(&memory, "memory.max_usage_in_bytes").and_then(|text| text.parse().ok()),
        cpu: if quota < 0 { u64::MAX } else { u64::try_from(quota * 1000 / period).ok()? },
        oom_kills: counter(&text(&memory, "memory.oom_control")?, "oom_kill ")?,
    })
}

fn unified(folder: &Path) -> Option<Limits> {
    let max = text(folder, "cpu.max")?;
    let (quota, period) = max.split_once(' ')?;
    let period: u64 = period.parse().ok()?;
    Some(Limits {
        memory: text(folder, "memory.max")?.parse().unwrap_or(u64::MAX),
        most_used: text(folder, "memory.peak").and_then(|text| text.parse().ok()),
        cpu: quota.parse::<u64>().map_or(u64::MAX, |quota| quota * 1000 / period),
        oom_kills: counter(&text(folder, "memory.events")?, "oom_kill ")?,
    })
}

fn text(folder: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned())
}

fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

/// The folder of a hierarchy whose name holds the id; containers are some five levels deep.
fn find(folder: &Path, id: &str) -> Option<PathBuf> {
    let mut level = vec![folder.to_owned()];
    for _ in 0..7 {
        let mut below = Vec::new();
        for entry in level.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_string_lossy().contains(id) {
                return Some(entry.path());
            }
            below.push(entry.path());
        }
        level = below;
    }
    None
}
