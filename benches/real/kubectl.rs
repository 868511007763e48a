//! `kubectl` on the same objects: the same files, the same API server, the same run.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use reef_real::Cluster;
use tokio::time::Instant;

/// Runs `kubectl` on a folder in the namespace `kubectl`, and tells how long it took. `diff` ends with 1 where something differs.
pub fn run(cluster: &Cluster, verb: &str, folder: &Path) -> anyhow::Result<Duration> {
    let mut command = cluster.kubectl();
    command.args([verb, "--server-side", "--namespace", "kubectl", "-f"]).arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let begun = Instant::now();
    let ended = command.status().context("kubectl cannot be started")?;
    anyhow::ensure!(ended.code().is_some_and(|code| code <= 1), "kubectl {verb} failed: {ended}");
    Ok(begun.elapsed())
}
