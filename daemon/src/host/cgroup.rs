//! A container's cgroup, of either version: its processes, its limits and its use.
//!
//! Numbers of the kernel become units here; what they mean for a VM is decided elsewhere.

use super::read::{self, unexpected};
use super::{HostError, Paths, PodRef, layout};
use crate::decide::{Limit, Limits};
use reef_api::{Bytes, MilliCpu};
use std::path::{Path, PathBuf};

/// From here on a limit of cgroup v1 means none: the kernel's largest whole number of pages.
const V1_UNLIMITED: u64 = i64::MAX as u64 & !0xffff;
/// Thousandths of a CPU in a CPU.
const MILLIS: u64 = 1000;

/// The cgroup of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cgroup {
    /// One folder for everything.
    V2 {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder for each controller.
    V1 {
        /// The memory controller's folder.
        memory: PathBuf,
        /// The CPU controller's folder, where it was found.
        cpu: Option<PathBuf>,
    },
}

impl Cgroup {
    /// Finds the cgroup of a container.
    pub(super) fn find(paths: &Paths, pod: &PodRef) -> Result<Self, HostError> {
        let top = paths.root.join("sys/fs/cgroup");
        let names = layout::cgroups(paths.cgroup_root.as_deref(), pod)?;
        let within = |hierarchy: &Path| names.iter().map(|name| hierarchy.join(name)).find(|path| path.is_dir());
        let found = if top.join("cgroup.controllers").exists() {
            within(&top).map(|folder| Self::V2 { folder })
        } else {
            let cpu = || ["cpu", "cpu,cpuacct"].iter().find_map(|name| within(&top.join(name)));
            within(&top.join("memory")).map(|memory| Self::V1 { memory, cpu: cpu() })
        };
        found.ok_or_else(|| HostError::NoCgroup { container_id: pod.container_id.clone(), root: top })
    }

    /// The processes in it, by id.
    pub(super) fn processes(&self) -> Result<Vec<u32>, HostError> {
        let folder = match self {
            Self::V2 { folder } => folder,
            Self::V1 { memory, .. } => memory,
        };
        let path = folder.join("cgroup.procs");
        let text = read::text(&path)?;
        let id = |line: &str| line.trim().parse().map_err(|_| unexpected(&path, "a process id", line));
        text.lines().map(id).collect()
    }

    /// The limits; one that cannot be read is unknown.
    pub(super) fn limits(&self) -> Limits {
        Limits { cpu: known(self.cpu_limit()), memory: known(self.memory_limit()) }
    }

    /// What it uses now, with what is swapped out: that comes back when the guest looks at it. Without accounting of swap
    /// the kernel has no file for it.
    pub(super) fn used(&self) -> Result<Bytes, HostError> {
        match self {
            Self::V2 { folder } => {
                let path = folder.join("memory.swap.current");
                let (current, swapped) = (read::number(&folder.join("memory.current"))?, there(read::number(&path))?);
                let swapped = swapped.unwrap_or(0);
                let sum = current.checked_add(swapped);
                sum.map(Bytes).ok_or_else(|| unexpected(&path, "a number of bytes that can be", &swapped.to_string()))
            }
            Self::V1 { memory, .. } => match there(read::number(&memory.join("memory.memsw.usage_in_bytes")))? {
                Some(used) => Ok(Bytes(used)),
                None => read::number(&memory.join("memory.usage_in_bytes")).map(Bytes),
            },
        }
    }

    fn memory_limit(&self) -> Result<Limit<Bytes>, HostError> {
        match self {
            Self::V2 { folder } => {
                let path = folder.join("memory.max");
                let text = read::text(&path)?;
                if text == "max" {
                    return Ok(Limit::Unlimited);
                }
                let limit = text.parse().map_err(|_| unexpected(&path, "a number of bytes or max", &text))?;
                Ok(Limit::At(Bytes(limit)))
            }
            Self::V1 { memory, .. } => {
                let limit = read::number(&memory.join("memory.limit_in_bytes"))?;
                Ok(if limit >= V1_UNLIMITED { Limit::Unlimited } else { Limit::At(Bytes(limit)) })
            }
        }
    }

    fn cpu_limit(&self) -> Result<Limit<MilliCpu>, HostError> {
        match self {
            Self::V2 { folder } => {
                let path = folder.join("cpu.max");
                let text = read::text(&path)?;
                let (quota, period) =
                    text.split_once(' ').ok_or_else(|| unexpected(&path, "a quota and a period", &text))?;
                cpu(&path, quota, "max", period)
            }
            Self::V1 { cpu: None, .. } => Ok(Limit::Unknown),
            Self::V1 { cpu: Some(folder), .. } => {
                let path = folder.join("cpu.cfs_quota_us");
                cpu(&path, &read::text(&path)?, "-1", &read::text(&folder.join("cpu.cfs_period_us"))?)
            }
        }
    }
}

/// Quota per period as thousandths of a CPU, rounded down: a limit is not taken for more than it is.
fn cpu(path: &Path, quota: &str, unlimited: &str, period: &str) -> Result<Limit<MilliCpu>, HostError> {
    if quota == unlimited {
        return Ok(Limit::Unlimited);
    }
    let micros =
        |text: &str| text.trim().parse::<u64>().map_err(|_| unexpected(path, "a number of microseconds", text));
    let (quota, period) = (micros(quota)?, micros(period)?);
    let millis = quota.checked_mul(MILLIS).and_then(|quota| quota.checked_div(period));
    let millis =
        millis.ok_or_else(|| unexpected(path, "a quota and a period that can be", &format!("{quota} {period}")))?;
    Ok(Limit::At(MilliCpu(millis)))
}

/// What a file says that need not be there.
fn there<T>(read: Result<T, HostError>) -> Result<Option<T>, HostError> {
    match read {
        Err(error) if read::is_gone(&error) => Ok(None),
        read => read.map(Some),
    }
}

fn known<T>(limit: Result<Limit<T>, HostError>) -> Limit<T> {
    limit.unwrap_or_else(|error| {
        tracing::debug!(%error, "limit of a container is not readable");
        Limit::Unknown
    })
}
