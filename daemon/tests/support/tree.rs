//! A node's files in a folder, as much of them as the daemon reads: containers' cgroups, and processes.

use reef_daemon::host::PodRef;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A node with cgroups of version 2 under the driver `cgroupfs`.
pub struct Tree {
    root: TempDir,
}

impl Tree {
    pub fn new() -> Self {
        let tree = Self { root: TempDir::new().unwrap() };
        tree.write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
        tree
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A container with these processes.
    pub fn pod(&self, uid: &str, container: &str, pids: &[u32]) -> &Self {
        let at = |file: &str| format!("sys/fs/cgroup/kubepods/pod{uid}/{container}/{file}");
        let pids: String = pids.iter().map(|pid| format!("{pid}\n")).collect();
        self.write(&at("cgroup.procs"), &pids);
        self.write(&at("memory.max"), "17179869184\n");
        self.write(&at("memory.current"), "536870912\n");
        self.write(&at("cpu.max"), "800000 100000\n");
        self
    }

    /// A Cloud Hypervisor with two vCPUs.
    pub fn vmm(&self, pid: u32, start_time: u64) -> &Self {
        let fields = format!("S 1 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0 9 0 {start_time} 5 6 7");
        self.write(&format!("proc/{pid}/comm"), "cloud-hyperviso\n");
        self.write(&format!("proc/{pid}/stat"), &format!("{pid} (cloud-hyperviso) {fields}\n"));
        for vcpu in 0..2 {
            self.write(&format!("proc/{pid}/task/{}/comm", pid + 1 + vcpu), &format!("vcpu{vcpu}\n"));
        }
        self
    }

    /// Changes a file in one step, as the kernel does.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let aside = self.root().join(".aside");
        fs::write(&aside, text).unwrap();
        fs::rename(aside, path).unwrap();
    }
}

/// A Pod's container by the names that its node knows.
pub fn pod(uid: &str, container: &str) -> PodRef {
    PodRef { pod_uid: uid.to_owned(), container_id: container.to_owned() }
}
