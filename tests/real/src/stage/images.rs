//! The images of a node that runs Reef's VMs: Reef with QEMU, and the kernel and file system that a guest boots from.
//!
//! Made of what is on this machine: the binary beside this one, Debian's QEMU, the guest that `guest/build.sh` makes.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use reef_image::{Compression, Image, Layer, contents, contents::libraries};

use super::{beside, run, told};
use crate::{Cluster, image};

/// Reef and QEMU.
pub const REEF: &str = "reef.test/reef:test";
/// Reef alone, which its roles run from.
pub const ROLES: &str = "reef.test/reef-alone:test";
/// The guest's kernel.
pub const KERNEL: &str = "reef.test/kernel:test";
/// The file system that the guest boots from.
pub const INITRAMFS: &str = "reef.test/initramfs:test";

/// A shell, which is given its script as the one argument.
pub const SHELL: &str = "reef.test/shell:test";

const QEMU: &str = "/usr/bin/qemu-system-x86_64";
const EMULATION: &str = "/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so";
/// What QEMU reads when it boots a kernel.
const FIRMWARE: [&str; 3] = ["/usr/share/seabios", "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/linuxboot_dma.bin"];

/// Packs all three and imports them into the cluster.
///
/// # Errors
/// Something of which they are made is missing.
pub fn import(cluster: &Cluster, folder: &Path) -> Result<()> {
    let guest = guest()?;
    let fill = guest.join("fill");
    cluster.import_image(&reef(folder)?)?;
    cluster.import_image(&file(folder, KERNEL, &fill, &guest.join("kernel"))?)?;
    cluster.import_image(&file(folder, INITRAMFS, &fill, &guest.join("initramfs"))?)
}

/// Packs the roles' image as `make image` does, of the program that the tests have built and without its symbols, and imports it.
///
/// # Errors
/// Something of which it is made is missing.
pub fn import_roles(cluster: &Cluster, folder: &Path) -> Result<()> {
    let (binary, tar) = (folder.join("reef"), folder.join("roles.tar"));
    run(Command::new("strip").arg("-o").arg(&binary).arg(beside("reef")?))?;
    let labels = [("org.opencontainers.image.version", env!("CARGO_PKG_VERSION"))].into();
    let (entrypoint, user) = (&[contents::PROGRAM][..], Some(contents::USER));
    let image = Image { name: ROLES, entrypoint, user, labels, compression: Compression::Gzip };
    image.write(&contents::reef(&binary)?, &tar)?;
    cluster.import_image(&tar)
}

/// Packs this machine's shell and `sleep`, and imports them: a container that tries things by itself.
///
/// # Errors
/// Something of which it is made is missing.
pub fn import_shell(cluster: &Cluster, folder: &Path) -> Result<()> {
    let programs = [Path::new("/bin/sh"), Path::new("/bin/sleep")];
    let mut layer = Layer::default();
    for file in libraries(&programs)?.iter().map(PathBuf::as_path).chain(programs) {
        layer.program(file, file);
    }
    let tar = folder.join("shell.tar");
    image::pack_layer(&layer, SHELL, &["/bin/sh", "-c"], &tar)?;
    cluster.import_image(&tar)
}

/// Reef, QEMU and their libraries: the same places as on this machine.
fn reef(folder: &Path) -> Result<PathBuf> {
    let root = tempfile::tempdir_in(folder)?;
    let binary = root.path().join("usr/bin/reef");
    for part in ["usr/bin", "tmp"] {
        fs::create_dir_all(root.path().join(part))?;
    }
    run(Command::new("strip").arg("-o").arg(&binary).arg(beside("reef")?))?;
    let programs = [binary.as_path(), Path::new(QEMU), Path::new(EMULATION)];
    let libraries = libraries(&programs)?;
    let files = [QEMU, EMULATION].into_iter().chain(FIRMWARE).map(Path::new);
    for file in libraries.iter().map(PathBuf::as_path).chain(files) {
        copy(root.path(), file)?;
    }
    let tar = folder.join("reef.tar");
    image::pack_root(root.path(), REEF, &["/usr/bin/reef"], &tar)?;
    Ok(tar)
}

/// Copies a file or folder to the same place below a root, and what links point to instead of links.
fn copy(root: &Path, from: &Path) -> Result<()> {
    let to = root.join(from.strip_prefix("/")?);
    fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
    run(Command::new("cp").args(["--recursive", "--dereference"]).arg(from).arg(&to))
}

/// One file, with the program that writes it where an init container is told to.
fn file(folder: &Path, name: &str, fill: &Path, content: &Path) -> Result<PathBuf> {
    let root = tempfile::tempdir_in(folder)?;
    fs::copy(fill, root.path().join("fill")).with_context(|| format!("cannot copy {}", fill.display()))?;
    fs::copy(content, root.path().join("content"))?;
    let tar = folder.join(format!("{}.tar", name.replace(['/', ':'], "-")));
    image::pack_root(root.path(), name, &["/fill"], &tar)?;
    Ok(tar)
}

/// The folder with the guest's kernel and file system, made at the first time.
///
/// # Errors
/// It cannot be made; what is missing is told.
pub fn guest() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/build.sh");
    Ok(told(&mut Command::new(script))?.trim().into())
}
