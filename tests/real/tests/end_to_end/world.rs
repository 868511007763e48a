//! One real cluster with one node, and Reef's roles beside it: what all stories of this program play on.
//!
//! Everything is started once, because a cluster costs seconds; each story has a namespace and a repository of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, ensure};
use reef_real::{Cluster, Options, Shape, image};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OnceCell};

use crate::role::{self, Role};

/// The image of Reef and QEMU.
pub const REEF_IMAGE: &str = "reef.test/reef:test";
/// The image that brings the guest's kernel.
pub const KERNEL_IMAGE: &str = "reef.test/kernel:test";
/// The image that brings the file system that the guest boots from.
pub const INITRAMFS_IMAGE: &str = "reef.test/initramfs:test";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static WORLD: OnceCell<World> = OnceCell::const_new();

/// The cluster, and what runs beside it.
pub struct World {
    /// The cluster.
    pub cluster: Mutex<Cluster>,
    /// The controller.
    pub controller: Role,
    /// The daemon of the node.
    pub daemon: Role,
    /// Where images and disks are.
    pub folder: PathBuf,
    /// Where the kubelet keeps the logs of containers.
    pub logs: PathBuf,
}

/// Plays a story on the world that all stories share.
pub fn play<F: Future<Output = anyhow::Result<()>>>(story: impl FnOnce(&'static World) -> F) {
    RUNTIME.block_on(async {
        let world = WORLD.get_or_try_init(World::start).await.unwrap_or_else(|why| panic!("{why:?}"));
        if let Err(why) = story(world).await {
            panic!("{why:?}");
        }
    });
}

impl World {
    async fn start() -> anyhow::Result<Self> {
        let mut cluster = Cluster::start(Options { shape: Shape::Node, ..Options::default() }).await?;
        let folder = cluster.folder().join("end-to-end");
        std::fs::create_dir_all(&folder)?;
        let guest = guest()?;
        let fill = guest.join("fill");
        for image in [
            reef_image(&folder)?,
            file_image(&folder, KERNEL_IMAGE, &fill, &guest.join("kernel"))?,
            file_image(&folder, INITRAMFS_IMAGE, &fill, &guest.join("initramfs"))?,
        ] {
            cluster.import_image(&image)?;
        }
        install_definitions(&cluster)?;
        let cache = folder.join("cache").display().to_string();
        let controller =
            ["--allow-file-urls", "--health-addr", "127.0.0.1:0", "--vmm-image", REEF_IMAGE, "--cache-dir", &cache];
        let controller = Role::start(&mut cluster, "controller", &controller).await?;
        let (kubelet, cgroups) = (cluster.kubelet_dir().display().to_string(), cluster.cgroup_root().to_owned());
        let node = ["--node", cluster.node_name(), "--health-addr", "127.0.0.1:0"].map(str::to_owned);
        let daemon: Vec<&str> = node.iter().map(String::as_str).collect();
        let daemon = [daemon.as_slice(), &["--kubelet-dir", &kubelet, "--cgroup-root", &cgroups]].concat();
        let daemon = Role::start(&mut cluster, "daemon", &daemon).await?;
        let logs = cluster.folder().join("pods");
        Ok(Self { cluster: Mutex::new(cluster), controller, daemon, folder, logs })
    }

    /// A client of one's own.
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        Ok(self.cluster.lock().await.client().await?)
    }
}

/// Installs what `reef manifests` prints, as the README says.
fn install_definitions(cluster: &Cluster) -> anyhow::Result<()> {
    let manifests = Command::new(role::binary()).arg("manifests").output()?;
    ensure!(manifests.status.success(), "reef manifests: {}", String::from_utf8_lossy(&manifests.stderr));
    let file = cluster.folder().join("definitions.yaml");
    std::fs::write(&file, manifests.stdout)?;
    run(cluster.kubectl().args(["apply", "--server-side", "-f"]).arg(&file))?;
    run(cluster.kubectl().args(["wait", "--for=condition=Established", "--timeout=30s", "-f"]).arg(&file))
}

/// Reef, QEMU, and what QEMU reads when it boots a kernel: from this machine into one image.
fn reef_image(folder: &Path) -> anyhow::Result<PathBuf> {
    let root = folder.join("reef-root");
    let reef = root.join("usr/bin/reef");
    for folder in ["usr/bin", "tmp"] {
        std::fs::create_dir_all(root.join(folder))?;
    }
    run(Command::new("strip").arg("-o").arg(&reef).arg(role::binary()))?;
    let accelerator = "/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so";
    let programs = [reef.as_path(), Path::new("/usr/bin/qemu-system-x86_64"), Path::new(accelerator)];
    for library in libraries(&programs)? {
        copy(&root, &library)?;
    }
    for file in ["/usr/bin/qemu-system-x86_64", accelerator, "/usr/share/seabios", "/usr/share/qemu/kvmvapic.bin"] {
        copy(&root, Path::new(file))?;
    }
    copy(&root, Path::new("/usr/share/qemu/linuxboot_dma.bin"))?;
    let tar = folder.join("reef.tar");
    image::pack_root(&root, REEF_IMAGE, &["/usr/bin/reef"], &tar)?;
    Ok(tar)
}

/// The shared libraries of programs, by the dynamic linker's own word.
fn libraries(programs: &[&Path]) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("ldd").args(programs).output().context("ldd")?;
    let text = String::from_utf8(output.stdout)?;
    let paths = text.lines().filter(|line| line.starts_with('\t')).flat_map(str::split_whitespace);
    Ok(paths.filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}

/// Copies a file or a folder to the same place below a root, and what links point to instead of links.
fn copy(root: &Path, from: &Path) -> anyhow::Result<()> {
    let to = root.join(from.strip_prefix("/")?);
    std::fs::create_dir_all(to.parent().context("a file has a folder")?)?;
    run(Command::new("cp").args(["--recursive", "--dereference"]).arg(from).arg(&to))
}

/// An image of one file, with the program that writes it where an init container is told to.
fn file_image(folder: &Path, name: &str, fill: &Path, file: &Path) -> anyhow::Result<PathBuf> {
    let root = tempfile::tempdir_in(folder)?;
    std::fs::copy(fill, root.path().join("fill"))?;
    std::fs::copy(file, root.path().join("content"))?;
    let tar = folder.join(format!("{}.tar", name.replace(['/', ':'], "-")));
    image::pack_root(root.path(), name, &["/fill"], &tar)?;
    Ok(tar)
}

/// The folder with the guest's kernel and initramfs, made at the first time.
fn guest() -> anyhow::Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/build.sh");
    let output = Command::new(script).output()?;
    ensure!(output.status.success(), "the guest cannot be built: {}", String::from_utf8_lossy(&output.stderr));
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// Runs a command that has to succeed.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
