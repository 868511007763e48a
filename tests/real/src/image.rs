//! Container images without a registry: packed by hand, imported from a file.
//!
//! Written by the crate that writes Reef's own image; without compression, because they never leave this machine.
use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use reef_image::{Compression, Image, Layer};

/// Where the kubelet's images are, among those of a container runtime.
const NAMESPACE: &str = "k8s.io";
/// What the runtime writes on an image when Pods can use it.
const USABLE: &str = "io.cri-containerd.image=managed";

/// Packs one static program as the image `name`, with itself as the command.
///
/// # Errors
/// A file cannot be read or written.
pub fn pack(program: &Path, name: &str, tar: &Path) -> Result<()> {
    let command = Path::new("/").join(program.file_name().context("a program needs a name")?);
    let mut layer = Layer::default();
    layer.program(&command, program);
    pack_layer(&layer, name, &[&command.to_string_lossy()], tar)
}

/// Packs a folder as the file system of the image `name`, which runs `command`.
///
/// # Errors
/// A file cannot be read or written.
pub fn pack_root(root: &Path, name: &str, command: &[&str], tar: &Path) -> Result<()> {
    pack_layer(&Layer::below(root)?, name, command, tar)
}

/// Packs files as the image `name`, which runs `command` as root.
///
/// # Errors
/// A file cannot be read or written.
pub fn pack_layer(layer: &Layer, name: &str, command: &[&str], tar: &Path) -> Result<()> {
    let labels = BTreeMap::new();
    let image = Image { name, entrypoint: command, user: None, labels, compression: Compression::None };
    image.write(layer, tar).with_context(|| format!("the image {name} cannot be packed"))?;
    Ok(())
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

fn told(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
