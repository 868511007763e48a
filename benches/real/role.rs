//! A role of Reef as a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

use crate::machine;

/// How long it may take to end by itself.
const END: Duration = Duration::from_secs(60);

/// A running role; it ends when it is dropped.
pub struct Role {
    process: Child,
    /// Its process id.
    pub pid: u32,
}

/// The release binary, or another one that the environment names.
pub fn program() -> PathBuf {
    std::env::var_os("REEF").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_reef")), PathBuf::from)
}

impl Role {
    /// Starts `reef` with these arguments and a health address of its own; what it says is appended to a log.
    pub fn start(arguments: &[&str], kubeconfig: &Path, log: &Path) -> anyhow::Result<Self> {
        let program = program();
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(&program);
        command.args(arguments).args(["--health-addr", "127.0.0.1:0"]).arg("--kubeconfig").arg(kubeconfig);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let process = command.spawn().with_context(|| format!("{} cannot be started", program.display()))?;
        let pid = process.id().with_context(|| format!("reef {arguments:?} has ended"))?;
        Ok(Self { process, pid })
    }

    /// CPU time so far.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        machine::cpu(self.pid)
    }

    /// Ends it as a cluster does.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").arg(self.pid.to_string()).status().await?;
        if !asked.success() {
            bail!("process {} cannot be told to end", self.pid);
        }
        let ended = tokio::time::timeout(END, self.process.wait()).await;
        ended.with_context(|| format!("process {} does not end", self.pid))??;
        Ok(())
    }
}
