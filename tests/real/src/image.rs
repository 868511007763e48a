//! Container images without a registry: packed by hand, imported from a file.
//!
//! One layer, no compression. The tar files themselves are written by `tar`.
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

/// Where the kubelet's images are, among those of a container runtime.
const NAMESPACE: &str = "k8s.io";
/// What the runtime writes on an image when Pods can use it.
const USABLE: &str = "io.cri-containerd.image=managed";

/// Packs one static program as the image `name`, with itself as the command.
///
/// # Errors
/// A file cannot be read or written.
pub fn pack(program: &Path, name: &str, tar: &Path) -> Result<()> {
    let work = tempfile::tempdir_in(tar.parent().context("an image needs a folder")?)?;
    let root = work.path().join("root");
    fs::create_dir(&root)?;
    let file = program.file_name().context("a program needs a name")?;
    fs::copy(program, root.join(file)).with_context(|| format!("cannot copy {}", program.display()))?;
    let command = format!("/{}", file.to_string_lossy());
    pack_root(&root, name, &[&command], tar)
}

/// Packs a folder as the file system of the image `name`, which runs `command`.
///
/// # Errors
/// A file cannot be read or written.
pub fn pack_root(root: &Path, name: &str, command: &[&str], tar: &Path) -> Result<()> {
    let work = tempfile::tempdir_in(tar.parent().context("an image needs a folder")?)?;
    archive(root, &work.path().join("layer.tar"), &["."])?;
    let sum = told(Command::new("sha256sum").arg(work.path().join("layer.tar")))?;
    let sum = sum.split_whitespace().next().context("sha256sum says nothing")?;
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Entrypoint": command, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{sum}")]},
    });
    let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
    fs::write(work.path().join("config.json"), config.to_string())?;
    fs::write(work.path().join("manifest.json"), manifest.to_string())?;
    archive(work.path(), tar, &["manifest.json", "config.json", "layer.tar"])
}

/// Imports an image and waits until Pods can use it.
///
/// # Errors
/// The file is no image, or the runtime does not take it.
pub fn import(socket: &Path, tar: &Path) -> Result<()> {
    let ctr = |arguments: &[&str]| {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(socket).args(["--namespace", NAMESPACE, "images"]).args(arguments);
        command
    };
    // Unpacked at its first use, by the runtime itself.
    told(ctr(&["import", "--no-unpack"]).arg(tar))?;
    for _ in 0..200 {
        let listed = told(&mut ctr(&["ls"]))?;
        if listed.lines().count() > 1 && listed.lines().skip(1).all(|image| image.contains(USABLE)) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    bail!("containerd does not offer the image of {} to Pods", tar.display())
}

fn archive(folder: &Path, tar: &Path, members: &[&str]) -> Result<()> {
    told(
        Command::new("tar")
            .args(["--owner=0", "--group=0", "--numeric-owner", "-cf"])
            .arg(tar)
            .arg("-C")
            .arg(folder)
            .args(members),
    )?;
    Ok(())
}

fn told(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The name that images have for this machine's processor.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
