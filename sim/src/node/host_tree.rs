//! The part of a node's file system that a node daemon reads, for daemons that are processes of their own.
//!
//! ```text
//! ROOT/NODE/proc/PID/{stat,comm,cgroup}        ROOT/NODE/proc/PID/task/TID/comm
//! ROOT/NODE/sys/fs/cgroup/kubepods/[burstable/]podUID/CONTAINER/{cgroup.procs,memory.max,memory.current,cpu.max,cgroup.controllers}
//! ROOT/NODE/var/lib/kubelet/pods/UID/volumes/kubernetes.io~empty-dir/vmm/ch.sock
//! ```
//! Every file changes by a rename, so that no reader sees half of one. Holds nothing that is not in [`HostFacts`].

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use reef_api::names::{VMM_SOCKET, VMM_VOLUME};

use super::host::HostFacts;

/// The kernel's period of a CPU quota, in microseconds.
const PERIOD_MICROS: u64 = 100_000;

/// The trees of all nodes.
#[derive(Clone, Debug)]
pub struct HostTree {
    root: PathBuf,
}

impl HostTree {
    /// Trees below `root`.
    #[must_use]
    pub const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// What a node's daemon is given as its host root.
    #[must_use]
    pub fn host_root(&self, node: &str) -> PathBuf {
        self.root.join(node)
    }

    /// The socket of the VMM in a Pod.
    #[must_use]
    pub fn socket(&self, node: &str, pod_uid: &str) -> PathBuf {
        self.host_root(node).join(socket_path(pod_uid).trim_start_matches('/'))
    }

    /// Makes the folders that a node has before any Pod runs on it.
    ///
    /// # Errors
    /// Where a folder cannot be made.
    pub fn make_node(&self, node: &str) -> io::Result<()> {
        let root = self.host_root(node);
        for folder in ["proc", "sys/fs/cgroup/kubepods/burstable", "var/lib/kubelet/pods", ".tmp"] {
            std::fs::create_dir_all(root.join(folder))?;
        }
        write(&root, Path::new("sys/fs/cgroup/cgroup.controllers"), CONTROLLERS)
    }

    /// Makes the volume of a Pod that its VMM's socket lives in.
    ///
    /// # Errors
    /// Where a folder cannot be made.
    pub fn make_volume(&self, node: &str, pod_uid: &str) -> io::Result<()> {
        let socket = self.socket(node, pod_uid);
        socket.parent().map_or(Ok(()), std::fs::create_dir_all)
    }

    /// Removes what is left of a Pod, its socket with it.
    ///
    /// # Errors
    /// Where it is there and cannot be removed.
    pub fn remove_pod(&self, node: &str, pod_uid: &str) -> io::Result<()> {
        absent_is_fine(std::fs::remove_dir_all(self.host_root(node).join("var/lib/kubelet/pods").join(pod_uid)))
    }

    /// Writes what changed of a process.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn update(
        &self,
        node: &str,
        pod_uid: &str,
        before: Option<&HostFacts>,
        after: Option<&HostFacts>,
    ) -> io::Result<()> {
        let root = self.host_root(node);
        let old = before.map(|facts| files(pod_uid, facts)).unwrap_or_default();
        let new = after.map(|facts| files(pod_uid, facts)).unwrap_or_default();
        for (path, text) in &new {
            if old.get(path) != Some(text) {
                write(&root, path, text)?;
            }
        }
        for folder in old.keys().filter_map(|path| path.parent()).filter(|folder| !holds(&new, folder)) {
            absent_is_fine(std::fs::remove_dir_all(root.join(folder)))?;
        }
        Ok(())
    }
}

const CONTROLLERS: &str = "cpuset cpu io memory hugetlb pids\n";

/// The socket as the node itself names it.
#[must_use]
pub fn socket_path(pod_uid: &str) -> String {
    format!("/var/lib/kubelet/pods/{pod_uid}/volumes/kubernetes.io~empty-dir/{VMM_VOLUME}/{VMM_SOCKET}")
}

fn holds(files: &BTreeMap<PathBuf, String>, folder: &Path) -> bool {
    files.keys().any(|path| path.starts_with(folder))
}

/// Every file of a process and what is in it.
fn files(pod_uid: &str, facts: &HostFacts) -> BTreeMap<PathBuf, String> {
    let proc = PathBuf::from("proc").join(facts.pid.to_string());
    let group = facts.cgroup(pod_uid);
    let cgroup = PathBuf::from("sys/fs/cgroup").join(group.trim_start_matches('/'));
    let memory_max = facts.memory_limit.map_or_else(|| "max".to_owned(), |limit| limit.get().to_string());
    let mut files = BTreeMap::from([
        (proc.join("stat"), stat(facts)),
        (proc.join("comm"), "cloud-hyperviso\n".to_owned()),
        (proc.join("cgroup"), format!("0::{group}\n")),
        (cgroup.join("cgroup.procs"), format!("{}\n", facts.pid)),
        (cgroup.join("cgroup.controllers"), CONTROLLERS.to_owned()),
        (cgroup.join("memory.max"), format!("{memory_max}\n")),
        (cgroup.join("memory.current"), format!("{}\n", facts.memory_current.get())),
        (cgroup.join("cpu.max"), cpu_max(facts)),
    ]);
    for (thread, name) in facts.threads.iter() {
        files.insert(proc.join("task").join(thread.to_string()).join("comm"), format!("{name}\n"));
    }
    files
}

/// `/proc/PID/stat`: field 2 is the name in brackets, field 22 the start time.
fn stat(facts: &HostFacts) -> String {
    let zeros = |count: usize| vec!["0"; count].join(" ");
    format!(
        "{} (cloud-hyperviso) S 1 {} {} {} {} {}\n",
        facts.pid,
        zeros(15),
        facts.threads.len(),
        0,
        facts.start_time,
        zeros(30)
    )
}

fn cpu_max(facts: &HostFacts) -> String {
    match facts.cpu_quota {
        Some(quota) => format!("{} {PERIOD_MICROS}\n", quota.get().saturating_mul(PERIOD_MICROS) / 1_000),
        None => format!("max {PERIOD_MICROS}\n"),
    }
}

fn write(root: &Path, path: &Path, text: &str) -> io::Result<()> {
    let target = root.join(path);
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let aside = root.join(".tmp").join(path.to_string_lossy().replace('/', "+"));
    std::fs::write(&aside, text)?;
    std::fs::rename(&aside, &target)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reef_api::{Bytes, MilliCpu};

    fn facts() -> HostFacts {
        HostFacts {
            pid: 1000,
            start_time: 4242,
            container_id: "c1".to_owned(),
            guaranteed: true,
            threads: BTreeMap::from([(1000, "cloud-hyperviso".to_owned()), (1010, "vcpu0".to_owned())]).into(),
            memory_limit: Some(Bytes(1 << 30)),
            memory_current: Bytes(77),
            cpu_quota: Some(MilliCpu(1500)),
        }
    }

    #[test]
    fn a_process_is_written_changed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let tree = HostTree::new(folder.path().to_owned());
        tree.make_node("n1").unwrap();
        let read = |path: &str| std::fs::read_to_string(folder.path().join("n1").join(path)).ok();
        let first = facts();
        tree.update("n1", "u1", None, Some(&first)).unwrap();
        let stat = read("proc/1000/stat").unwrap();
        assert_eq!(stat.split_whitespace().nth(21), Some("4242"));
        assert_eq!(read("proc/1000/cgroup").as_deref(), Some("0::/kubepods/podu1/c1\n"));
        assert_eq!(read("proc/1000/task/1010/comm").as_deref(), Some("vcpu0\n"));
        let cgroup = "sys/fs/cgroup/kubepods/podu1/c1";
        assert_eq!(read(&format!("{cgroup}/memory.max")).as_deref(), Some("1073741824\n"));
        assert_eq!(read(&format!("{cgroup}/cpu.max")).as_deref(), Some("150000 100000\n"));
        let mut second = facts();
        std::sync::Arc::make_mut(&mut second.threads).remove(&1010);
        second.memory_limit = None;
        tree.update("n1", "u1", Some(&first), Some(&second)).unwrap();
        assert_eq!((read("proc/1000/task/1010/comm"), read("proc/1000/task/1000/comm").is_some()), (None, true));
        assert_eq!(read(&format!("{cgroup}/memory.max")).as_deref(), Some("max\n"));
        tree.update("n1", "u1", Some(&second), None).unwrap();
        assert!(!folder.path().join("n1/proc/1000").exists());
        assert!(!folder.path().join("n1").join(cgroup).exists());
    }

    #[test]
    fn a_burstable_pod_has_its_own_place() {
        let facts = HostFacts { guaranteed: false, ..facts() };
        assert_eq!(facts.cgroup("u1"), "/kubepods/burstable/podu1/c1");
    }
}
