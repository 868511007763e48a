//! The roles with everything that production hands them. `reef demo` starts the same functions.
//!
//! Wiring only: no role's rule is known here.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use prometheus_client::registry::Registry;
use reef_api::NodeDevice;
use reef_daemon::decide::devices::Offers;
use reef_daemon::devices::{self, Places};
use reef_daemon::host::{LinuxHost, Paths};
use reef_daemon::vmm::{Dial, HyperlocalDial, VerifyingDial};
use reef_reconciler::observe::Kind;
use reef_reconciler::source::{FileUrls, Git2Repositories, Limits};
use reef_watch::Health;
use reef_watch::metrics::{Calls, Catalogue, Entry};
use tokio_util::sync::CancellationToken;

use super::build;
use super::clock::SystemClock;
use super::git;
use super::health::Probes;
use super::jitter::SystemJitter;
use super::kubeconfig::Cluster;
use super::predecessor::{self, Seen};
use super::preflight;

/// Requests of the controller that may be under way at once: as many as one HTTP connection pool serves well.
const REQUESTS_AT_ONCE: usize = 64;

/// What `reef controller` can be told.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// Folder for clones of repositories; it belongs to this controller alone.
    pub cache_dir: PathBuf,
    /// Whether sources may name repositories of this machine.
    pub file_urls: FileUrls,
    /// Image of the container `vm-manager`.
    pub vmm_image: String,
    /// Devices of its node that the Pod of a VM asks for.
    pub vm_devices: BTreeSet<NodeDevice>,
    /// Namespace of Argo CD.
    pub argocd_namespace: String,
}

/// What `reef daemon` can be told.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    /// Name of the node.
    pub node: String,
    /// Where the node keeps what the daemon looks at.
    pub host: Paths,
    /// Whether the kernel is asked who listens at a VMM's socket.
    pub sockets: Sockets,
    /// What Pods are offered of the node's devices.
    pub devices: Devices,
}

/// What Pods are offered of a node's devices, and where.
#[derive(Clone, Debug)]
pub struct Devices {
    /// Which of them.
    pub offers: Offers,
    /// Where they are, and the kubelet's folder.
    pub places: Places,
}

impl Devices {
    /// Offers nothing: for the embedded cluster, which has no kubelet to offer it to.
    pub fn none() -> Self {
        Self { offers: Offers::default(), places: Places { root: "/".into(), plugins: devices::PLUGINS.into() } }
    }
}

/// Whether the kernel is asked who listens at a VMM's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// It has to be the VMM's process.
    Verified,
    /// Anybody may: for the embedded cluster, where one process plays every VMM.
    Unverified,
}

/// A controller that is ready to run.
pub struct Controller {
    seams: reef_reconciler::seams::Seams,
    settings: reef_reconciler::seams::Settings,
    health: Health,
    calls: Calls,
}

impl Controller {
    /// Puts a controller together.
    ///
    /// # Errors
    /// Where the cluster lacks Reef's kinds or does not answer, ch-vmm is at work in it, or the cache cannot be written.
    pub async fn new(cluster: &Cluster, options: ControllerOptions, git: git::Made) -> anyhow::Result<Self> {
        // Before the kinds are missed: to install them would change what ch-vmm works with.
        predecessor::refuse(cluster, Seen::All).await?;
        preflight::check(cluster, &Kind::ALL).await?;
        let cache = &options.cache_dir;
        std::fs::create_dir_all(cache).with_context(|| {
            format!("the cache folder {} cannot be made; choose another --cache-dir", cache.display())
        })?;
        let seams = reef_reconciler::seams::Seams {
            client: cluster.requests.clone(),
            watch_client: cluster.watches.clone(),
            clock: Arc::new(SystemClock),
            jitter: Arc::new(SystemJitter),
            repositories: Arc::new(Git2Repositories::new(cache, Limits::default(), git)),
            metrics: reef_reconciler::metrics::Metrics::default(),
        };
        let settings = reef_reconciler::seams::Settings {
            file_urls: options.file_urls,
            vmm_image: options.vmm_image,
            vm_devices: options.vm_devices,
            argocd_namespace: options.argocd_namespace,
            concurrency: REQUESTS_AT_ONCE,
        };
        let (health, calls) = (Health::new(), cluster.calls.clone());
        Ok(Self { seams, settings, health, calls })
    }

    /// What it counts.
    pub fn metrics(&self) -> reef_reconciler::metrics::Metrics {
        self.seams.metrics.clone()
    }

    /// What is served of it at `/metrics`.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        register_controller(&self.seams.metrics, &self.health, &self.calls, &mut registry);
        registry
    }

    /// What its health endpoints answer.
    pub fn probes(&self) -> Probes {
        Probes::of(&self.health)
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// When it cannot go on.
    pub async fn run(self, stop: CancellationToken) -> Result<(), reef_reconciler::controller::RunError> {
        reef_reconciler::controller::run(self.seams, self.settings, stop, self.health).await
    }
}

/// A daemon that is ready to run.
pub struct Daemon {
    devices: Devices,
    seams: reef_daemon::Seams,
    settings: reef_daemon::Settings,
    health: Health,
    calls: Calls,
}

impl Daemon {
    /// Puts a daemon together.
    ///
    /// # Errors
    /// Where the cluster lacks Reef's kinds or does not answer.
    pub async fn new(cluster: &Cluster, options: DaemonOptions) -> anyhow::Result<Self> {
        preflight::check(cluster, &[Kind::Vm, Kind::Pod]).await?;
        let dial: Arc<dyn Dial> = match options.sockets {
            Sockets::Verified => Arc::new(VerifyingDial),
            Sockets::Unverified => Arc::new(HyperlocalDial),
        };
        let seams = reef_daemon::Seams {
            client: cluster.requests.clone(),
            watch_client: cluster.watches.clone(),
            host: Arc::new(LinuxHost::new(options.host)),
            dial,
            jitter: Arc::new(SystemJitter),
            metrics: reef_daemon::Metrics::default(),
        };
        let (health, calls) = (Health::new(), cluster.calls.clone());
        Ok(Self {
            devices: options.devices,
            seams,
            settings: reef_daemon::Settings::for_node(options.node),
            health,
            calls,
        })
    }

    /// What is served of it at `/metrics`.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        register_daemon(&self.seams.metrics, &self.health, &self.calls, &mut registry);
        registry
    }

    /// What its health endpoints answer.
    pub fn probes(&self) -> Probes {
        Probes::of(&self.health)
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// When it cannot go on.
    pub async fn run(self, stop: CancellationToken) -> Result<(), reef_daemon::RunError> {
        let end = stop.child_token();
        let Devices { offers, places } = self.devices;
        let offering = devices::offer(offers, places, self.seams.jitter.clone(), end.clone());
        let offering = tokio::spawn(offering);
        let outcome = reef_daemon::run(self.seams, self.settings, stop, self.health).await;
        end.cancel();
        if let Err(error) = offering.await {
            tracing::error!(%error, "devices were no longer offered");
        }
        outcome
    }
}

/// Registers everything that a controller counts, and says what.
pub fn register_controller(
    metrics: &reef_reconciler::metrics::Metrics,
    health: &Health,
    calls: &Calls,
    registry: &mut Registry,
) -> Vec<Entry> {
    let beside = register_beside("controller", health, calls, registry);
    beside.into_iter().chain(metrics.register(registry)).collect()
}

/// Registers everything that a daemon counts, and says what.
pub fn register_daemon(
    metrics: &reef_daemon::Metrics,
    health: &Health,
    calls: &Calls,
    registry: &mut Registry,
) -> Vec<Entry> {
    let beside = register_beside("daemon", health, calls, registry);
    beside.into_iter().chain(metrics.register(registry)).collect()
}

/// Registers what every role tells, and says what.
pub fn register_beside(role: &'static str, health: &Health, calls: &Calls, registry: &mut Registry) -> Vec<Entry> {
    let build = build::register(role, registry);
    let mut catalogue = Catalogue::of(registry);
    health.add(&mut catalogue);
    calls.add(&mut catalogue);
    build.into_iter().chain(catalogue.into_entries()).collect()
}
