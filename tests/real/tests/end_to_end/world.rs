//! One real cluster with one node, and Reef's roles beside it: what all stories of this program play on.
//!
//! Everything is started once, because a cluster costs seconds; each story has a namespace and a repository of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, ensure};
use reef_api::source::GitSource;
use reef_real::stage::{accounts, beside, images};
use reef_real::{Cluster, Options, Shape};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OnceCell};

use crate::role::Role;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static WORLD: OnceCell<World> = OnceCell::const_new();
/// One story at a time: the node has no room for two, and one that waits for room must not get another's.
static TURN: Mutex<()> = Mutex::const_new(());

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
        let _turn = TURN.lock().await;
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
        images::import(&cluster, &folder)?;
        install_definitions(&cluster)?;
        accounts::install(&cluster)?;
        until_served(&cluster.client().await?).await;
        let cache = folder.join("cache").display().to_string();
        let controller =
            ["--allow-file-urls", "--health-addr", "127.0.0.1:0", "--vmm-image", images::REEF, "--cache-dir", &cache];
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
        self.cluster.lock().await.client().await
    }
}

/// Installs the kinds; the roles run beside the cluster.
fn install_definitions(cluster: &Cluster) -> anyhow::Result<()> {
    let manifests = Command::new(beside("reef")?).args(["manifests", "--crds"]).output()?;
    ensure!(manifests.status.success(), "reef manifests: {}", String::from_utf8_lossy(&manifests.stderr));
    let file = cluster.folder().join("definitions.yaml");
    std::fs::write(&file, manifests.stdout)?;
    run(cluster.kubectl().args(["apply", "--server-side", "-f"]).arg(&file))?;
    run(cluster.kubectl().args(["wait", "--for=condition=Established", "--timeout=30s", "-f"]).arg(&file))
}

/// A kind is served a moment after its definition says that it is established.
async fn until_served(client: &kube::Client) {
    use kube::Api;
    let all = kube::api::ListParams::default();
    let (vms, sources) = (Api::<reef_api::VirtualMachine>::all(client.clone()), Api::<GitSource>::all(client.clone()));
    while vms.list(&all).await.is_err() || sources.list(&all).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Runs a command that has to succeed.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
