//! The cluster in real time: HTTP on loopback, VMMs on unix sockets, a Git repository on disk, and Reef's roles as production starts them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use kube::Api;
use kube::api::PostParams;
use reef::demo::repository::{Change, Repository};
use reef::wiring::clock::SystemClock;
use reef::wiring::embedded::Embedded;
use reef::wiring::git;
use reef::wiring::kubeconfig::Cluster as Connection;
use reef::wiring::roles::{Controller, ControllerOptions, Daemon, DaemonOptions, Devices, Sockets};
use reef_api::{Bytes, GIB, GitSource, GitSourceSpec, MilliCpu};
use reef_daemon::host::Paths;
use reef_reconciler::metrics::Metrics;
use reef_reconciler::source::FileUrls;
use reef_sim::cluster::{ClusterOptions, ClusterTimings};
use reef_sim::node::NodeOptions;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::stages::NAMESPACE;

/// Name of the GitSource.
pub const SOURCE: &str = "bench";
/// Long enough that no look at the repository happens by itself while something is measured.
const INTERVAL: &str = "6h";

/// Cluster, repository and daemons.
pub struct Live {
    /// The cluster.
    pub embedded: Embedded,
    /// The repository.
    pub repository: Repository,
    git: git::Made,
    stop: CancellationToken,
    dir: tempfile::TempDir,
}

impl Live {
    /// Starts a cluster of such nodes, a daemon for each, and a source for a repository without a VM.
    pub async fn start(nodes: usize, timings: ClusterTimings, git: git::Made) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let repository = Repository::create(&dir.path().join("vms.git"), &[])?;
        repository.push("a repository", &[note("It holds VMs.")])?;
        let mut options = ClusterOptions::two_nodes(1, Arc::new(SystemClock));
        let memory = Bytes(512 * GIB.get());
        let node = |number| NodeOptions::new(&format!("node-{number}"), MilliCpu(64_000), memory);
        options.nodes = (1..=nodes).map(node).collect();
        options.timings = timings;
        let stop = CancellationToken::new();
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let embedded = Embedded::serve(options, listen, dir.path(), &TaskTracker::new(), &stop).await?;
        let live = Self { embedded, repository, git, stop, dir };
        for node in &live.embedded.nodes {
            live.start_daemon(node).await?;
        }
        live.create_source().await?;
        Ok(live)
    }

    async fn start_daemon(&self, node: &str) -> anyhow::Result<()> {
        let host_root = self.embedded.host_root(node);
        let options = DaemonOptions {
            node: node.to_owned(),
            host: Paths::below(host_root),
            sockets: Sockets::Unverified,
            devices: Devices::none(),
        };
        let daemon = Daemon::new(&self.embedded.connection, options).await?;
        let stop = self.stop.clone();
        tokio::spawn(async move { daemon.run(stop).await });
        Ok(())
    }

    async fn create_source(&self) -> anyhow::Result<()> {
        let spec = GitSourceSpec {
            url: self.repository.url(),
            reference: Some("main".to_owned()),
            interval: Some(INTERVAL.to_owned()),
            ..GitSourceSpec::default()
        };
        let source = GitSource::new(SOURCE, spec);
        self.sources().create(&PostParams::default(), &source).await?;
        Ok(())
    }

    fn sources(&self) -> Api<GitSource> {
        Api::namespaced(self.embedded.connection.requests.clone(), NAMESPACE)
    }

    /// Waits until the source has told that it has read a commit.
    pub async fn observed(&self, commit: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(300) {
            let status = self.sources().get(SOURCE).await?.status.unwrap_or_default();
            if status.observed_commit.as_deref() == Some(commit) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("the source has not told of commit {commit}")
    }

    /// Starts a controller in this process.
    pub async fn controller(&self) -> anyhow::Result<Resident> {
        // Connections of its own, as a process of its own has.
        let connection = Connection::find(Some(&self.embedded.kubeconfig), None).await?;
        let options = ControllerOptions {
            cache_dir: self.dir.path().join("cache-here"),
            file_urls: FileUrls::Allowed,
            vmm_image: "reef".to_owned(),
            vm_devices: BTreeSet::new(),
            argocd_namespace: reef_api::argocd::ARGOCD_NAMESPACE.to_owned(),
        };
        let controller = Controller::new(&connection, options, self.git).await?;
        let (metrics, stop) = (controller.metrics(), self.stop.child_token());
        let until = stop.clone();
        let task = tokio::spawn(async move { controller.run(until).await });
        Ok(Resident { metrics, stop, task })
    }

    /// Starts `reef controller` as a process of its own; it ends when it is dropped.
    pub fn controller_apart(&self) -> anyhow::Result<Child> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reef"));
        command.args(["controller", "--allow-file-urls", "--health-addr", "127.0.0.1:0", "--vmm-image", "reef"]);
        command.arg("--cache-dir").arg(self.dir.path().join("cache-apart"));
        command.arg("--kubeconfig").arg(&self.embedded.kubeconfig);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.log()?).kill_on_drop(true);
        command.spawn().context("the controller cannot be started")
    }

    fn log(&self) -> anyhow::Result<Stdio> {
        Ok(std::fs::File::create(self.dir.path().join("controller.log"))?.into())
    }

    /// Writes the branch again as it is: a push that brings nothing.
    pub fn push_nothing(&self) -> anyhow::Result<()> {
        let branch: PathBuf = self.repository.path().join("refs/heads/main");
        let tip = std::fs::read(&branch).with_context(|| format!("{} cannot be read", branch.display()))?;
        Ok(std::fs::write(&branch, tip)?)
    }

    /// Ends everything.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

/// A change of a file that defines nothing.
pub fn note(text: &str) -> Change {
    Change::Write { path: "README.md".to_owned(), text: text.to_owned() }
}

/// A controller in this process.
pub struct Resident {
    /// What it counts.
    pub metrics: Metrics,
    stop: CancellationToken,
    task: JoinHandle<Result<(), reef_reconciler::controller::RunError>>,
}

impl Resident {
    /// Stops it.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        Ok(self.task.await??)
    }
}
