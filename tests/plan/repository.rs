//! A repository of VMs, and the snapshot of a cluster in which they run.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// A repository with a working tree.
pub struct Repository {
    dir: TempDir,
}

impl Repository {
    /// Three VMs of two teams, and a policy, in one commit on `main`.
    pub fn of_vms() -> Self {
        let made = Self { dir: tempfile::tempdir().unwrap() };
        made.git(&["init", "-q", "-b", "main"]);
        made.write("teams/web.yaml", &[vm("web-1", 2, "2Gi", ""), vm("web-2", 2, "8Gi", "")].join("---\n"));
        made.write("teams/db.yaml", &vm("db-1", 4, "8Gi", "  runPolicy: Always\n"));
        made.write("policy.yaml", POLICY);
        made.commit("all VMs");
        made
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn remove(&self, file: &str) {
        std::fs::remove_file(self.path().join(file)).unwrap();
    }

    /// Exchanges a piece of a file that is there.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path().join(file)).unwrap();
        assert!(text.contains(from), "{text}");
        self.write(file, &text.replacen(from, to, 1));
    }

    pub fn commit(&self, subject: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", subject]);
    }

    /// Runs Git with nothing of this machine's configuration, at one time for all commits.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Reef", "-c", "user.email=reef@example.com", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
            .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Writes a snapshot beside the repository's files, where Git does not see it.
    pub fn snapshot(&self, snapshot: &Value) -> PathBuf {
        let file = self.path().join(".git/snapshot.json");
        std::fs::write(&file, snapshot.to_string()).unwrap();
        file
    }
}

/// The policy of the repository.
pub const POLICY: &str = "\
apiVersion: reef.dev/v1alpha1
kind: SizingPolicy
metadata:
  name: default
  namespace: vms
spec:
  bounds:
    max: { vcpus: 16, memory: 32Gi }
";

/// A VM of the namespace `vms`, with what else its spec says.
pub fn vm(name: &str, vcpus: u32, memory: &str, more: &str) -> String {
    format!(
        "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata:\n  name: {name}\n  namespace: vms\nspec:\n{more}  \
         instance:\n    cpu:\n      coresPerSocket: {vcpus}\n      max: 16\n    memory:\n      size: {memory}\n      min: 1Gi\n      max: 64Gi\n"
    )
}

/// Two nodes, on the first of which the three VMs run, booted to be resized between 1 vCPU, 1Gi and 8 vCPU, 16Gi.
pub fn snapshot() -> Value {
    let node = |name: &str, cpu: &str, memory: &str, taken: Value| json!({ "name": name, "cpu": cpu, "memory": memory, "requested": taken, "allocated": taken, "schedulable": true });
    let pod = |cpu: &str, memory: &str| json!({ "cpuRequest": cpu, "cpuLimit": cpu, "memory": memory });
    let vm = |name: &str, vcpus: u32, memory: &str, pod: Value| {
        let size = json!({ "vcpus": vcpus, "memory": memory });
        json!({
            "namespace": "vms", "name": name, "size": size,
            "pod": { "node": "node-a", "wish": pod, "allocated": pod },
            "vmm": {
                "kind": "CloudHypervisor", "version": "v53.0", "actual": size,
                "boot": { "minVcpus": 1, "maxVcpus": 8, "minMemory": "1Gi", "maxMemory": "16Gi" },
            },
        })
    };
    json!({
        "apiVersion": "reef.dev/v1alpha1", "kind": "ClusterSnapshot", "takenAt": "2026-01-01T00:00:00Z",
        "cluster": "0b1f2e3d", "kubernetes": "v1.35.4",
        "nodes": [
            node("node-a", "10", "24Gi", json!({ "cpu": "8", "memory": "19200Mi" })),
            node("node-b", "32", "64Gi", json!({ "cpu": "0", "memory": "0" })),
        ],
        "vms": [
            vm("db-1", 4, "8Gi", pod("4", "8448Mi")),
            vm("web-1", 2, "2Gi", pod("2", "2304Mi")),
            vm("web-2", 2, "8Gi", pod("2", "8448Mi")),
        ],
    })
}
