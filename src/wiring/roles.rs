//! The roles with everything that production hands them. `reef demo` starts the same functions.
//!
//! Wiring only: no role's rule is known here.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use reef_api::NodeDevice;
use reef_daemon::decide::devices::Offers;
use reef_daemon::devices::{self, Places};
use reef_daemon::host::{LinuxHost, Paths};
use reef_daemon::vmm::{Dial, HyperlocalDial, VerifyingDial};
use reef_reconciler::observe::Kind;
use reef_reconciler::source::{FileUrls, Git2Repositories, Limits};
use tokio_util::sync::CancellationToken;

use super::clock::SystemClock;
use super::git;
use super::health::{Probes, Question};
use super::jitter::SystemJitter;
use super::kubeconfig::Cluster;
use super::preflight;

/// A loop that has not gone round for so long is stuck: its beat is a few seconds.
const STUCK_AFTER: Duration = Duration::from_secs(60);

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
    health: reef_reconciler::seams::Health,
}

impl Controller {
    /// Puts a controller together.
    ///
    /// # Errors
    /// Where the cluster lacks Reef's kinds or does not answer, or the cache cannot be written.
    pub async fn new(cluster: &Cluster, options: ControllerOptions, git: git::Made) -> anyhow::Result<Self> {
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
            counters: reef_reconciler::seams::Counters::default(),
        };
        let settings = reef_reconciler::seams::Settings {
            file_urls: options.file_urls,
            vmm_image: options.vmm_image,
            vm_devices: options.vm_devices,
            concurrency: REQUESTS_AT_ONCE,
        };
        Ok(Self { seams, settings, health: reef_reconciler::seams::Health::default() })
    }

    /// What it counts.
    pub fn counters(&self) -> reef_reconciler::seams::Counters {
        self.seams.counters.clone()
    }

    /// What its health endpoints answer.
    pub fn probes(&self) -> Probes {
        let (ready, live) = (self.health.clone(), self.health.clone());
        let turned = Turned::default();
        Probes { ready: listed(move || ready.is_ready()), live: Box::new(move || alive(turned.since(live.beats()))) }
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
    health: reef_daemon::Health,
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
        };
        let settings = reef_daemon::Settings::for_node(options.node);
        let health = reef_daemon::Health::new();
        Ok(Self { devices: options.devices, seams, settings, health })
    }

    /// What its health endpoints answer.
    pub fn probes(&self) -> Probes {
        let (ready, live) = (self.health.clone(), self.health.clone());
        Probes { ready: listed(move || ready.is_ready()), live: Box::new(move || alive(live.idle_for())) }
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

fn listed(ready: impl Fn() -> bool + Send + Sync + 'static) -> Question {
    Box::new(
        move || if ready() { Ok(()) } else { Err("not everything that is watched has been listed yet".to_owned()) },
    )
}

fn alive(idle: Duration) -> Result<(), String> {
    if idle < STUCK_AFTER { Ok(()) } else { Err(format!("the loop has not gone round for {} s", idle.as_secs())) }
}

/// When a counter was last seen to have grown.
struct Turned {
    last: std::sync::Mutex<(u64, tokio::time::Instant)>,
}

impl Default for Turned {
    fn default() -> Self {
        Self { last: std::sync::Mutex::new((0, tokio::time::Instant::now())) }
    }
}

impl Turned {
    fn since(&self, count: u64) -> Duration {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.0 != count {
            *last = (count, tokio::time::Instant::now());
        }
        last.1.elapsed()
    }
}
