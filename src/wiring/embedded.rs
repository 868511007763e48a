//! The embedded cluster over real HTTP on loopback, with host trees and real sockets in a folder: for `reef sim` and `reef demo`.
//!
//! Starts the other parties only; no role of Reef runs here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::PostParams;
use reef_api::{Bytes, GIB, MilliCpu};
use reef_sim::api::kubeconfig;
use reef_sim::cluster::{Cluster, ClusterOptions};
use reef_sim::node::NodeOptions;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::SystemClock;
use super::{crds, kubeconfig as connect};

/// CPU of each embedded node.
const NODE_CPU: MilliCpu = MilliCpu(16_000);
/// Memory of each embedded node.
const NODE_GIB: u64 = 64;

/// How the embedded cluster is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; a port of 0 takes any that is free.
    pub listen: SocketAddr,
    /// How many nodes it has.
    pub nodes: u16,
    /// Folder for host trees and the kubeconfig.
    pub dir: PathBuf,
    /// All that is random in it follows from this.
    pub seed: u64,
    /// How many times faster than measured its kubelets, VMMs and guests are.
    pub speed: u32,
}

/// A running embedded cluster.
pub struct Embedded {
    /// What can be done to it from behind, and seen.
    pub cluster: Arc<Cluster>,
    /// Connections to it.
    pub connection: connect::Cluster,
    /// Its kubeconfig.
    pub kubeconfig: PathBuf,
    /// Names of its nodes.
    pub nodes: Vec<String>,
    hosts: PathBuf,
}

impl Embedded {
    /// Starts the cluster on `tasks` and installs Reef's kinds.
    ///
    /// # Errors
    /// Where the folder or the address cannot be used.
    pub async fn start(options: &Options, tasks: &TaskTracker, stop: &CancellationToken) -> anyhow::Result<Self> {
        Self::serve(cluster_options(options), options.listen, &options.dir, tasks, stop).await
    }

    /// Starts a cluster of any kind, with its host trees and its kubeconfig in `dir`.
    ///
    /// # Errors
    /// Where the folder or the address cannot be used.
    pub async fn serve(
        mut options: ClusterOptions,
        listen: SocketAddr,
        dir: &Path,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let hosts = dir.join("nodes");
        std::fs::create_dir_all(&hosts).with_context(|| format!("the folder {} cannot be made", hosts.display()))?;
        let listener = TcpListener::bind(listen).await;
        let listener = listener.with_context(|| format!("cannot listen at {listen}; choose another --listen"))?;
        let address = listener.local_addr()?;
        let nodes: Vec<String> = options.nodes.iter().map(|node| node.name.clone()).collect();
        options.host_dir = Some(hosts.clone());
        let cluster = Arc::new(Cluster::new(options));
        tasks.spawn(cluster.api().clone().serve(listener, stop.clone()));
        let (living, until) = (Arc::clone(&cluster), stop.clone());
        tasks.spawn(async move { living.run(until).await });
        let kubeconfig = dir.join("kubeconfig");
        write(&kubeconfig, &kubeconfig_text(address))?;
        let connection = connect::Cluster::find(Some(&kubeconfig), None).await?;
        install(&connection).await?;
        Ok(Self { cluster, connection, kubeconfig, nodes, hosts })
    }

    /// Root of the file system of one node.
    pub fn host_root(&self, node: &str) -> PathBuf {
        self.hosts.join(node)
    }
}

fn kubeconfig_text(address: SocketAddr) -> String {
    kubeconfig(address)
}

fn cluster_options(options: &Options) -> ClusterOptions {
    let mut cluster = ClusterOptions::two_nodes(options.seed, Arc::new(SystemClock));
    let memory = Bytes(NODE_GIB.saturating_mul(GIB.get()));
    let node = |number| NodeOptions::new(&format!("node-{number}"), NODE_CPU, memory);
    cluster.nodes = (1..=options.nodes).map(node).collect();
    cluster.timings = cluster.timings.scaled(1, options.speed.max(1));
    cluster
}

async fn install(cluster: &connect::Cluster) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.requests.clone());
    for definition in crds::all() {
        api.create(&PostParams::default(), &definition).await.context("the embedded cluster refuses a definition")?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
