//! Reef's roles as processes of their own: the binary as it ships, beside a real cluster.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The binary `reef`, which stands beside the folder of the test's own executable.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let reef = test.parent().and_then(Path::parent).unwrap().join("reef");
    assert!(reef.exists(), "{} is missing: `cargo build --bin reef` makes it, and so does `make test-real`", reef.display());
    reef
}

/// A role that is killed with its value.
pub struct Role {
    child: Child,
    log: PathBuf,
}

impl Role {
    /// Starts `reef` with these arguments; its log goes on where an earlier one of the same name ended.
    pub fn start(folder: &Path, kubeconfig: &Path, name: &str, arguments: &[String]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(binary());
        command.arg(name).args(arguments).env_clear().env("KUBECONFIG", kubeconfig).env("PATH", "/usr/bin:/bin");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Self { child, log }
    }

    /// As `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Memory of the process in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }

    /// Events of its log that have this message, with when it was written in milliseconds since 1970.
    pub fn told(&self, message: &str) -> Vec<(i64, Value)> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let told = events.filter(|event| event["message"].as_str().is_some_and(|text| text.starts_with(message)));
        told.filter_map(|event| Some((event["timestamp"].as_str()?.parse::<jiff::Timestamp>().ok()?.as_millisecond(), event)))
            .collect()
    }

    /// The whole log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
