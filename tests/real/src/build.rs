//! Kubernetes as one program, built where it was not built before.
//!
//! The building itself is a script, which the Makefile runs as well.
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// The folder of the programs of a version.
///
/// # Errors
/// Go is missing or too old, the version is unknown, or it does not compile; the script says so on standard error.
pub async fn programs(version: &str) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kube/build");
    let built = Command::new(&script)
        .arg(version)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .with_context(|| format!("cannot run {}", script.display()))?;
    if !built.status.success() {
        bail!("Kubernetes {version} could not be built; what is missing stands above");
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&built.stdout).trim()))
}
