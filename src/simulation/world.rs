//! The world of a simulation: cluster, roles, repository, and the person who pushes to it.
//!
//! Roles can be killed and started at any moment; what they had in memory is gone, what they had sent may yet take effect.

use super::clock::WrongClock;
use super::faults::Faults;
use super::frozen::Freezer;
use super::invariants::{Inspector, Recording};
use super::node::{Locks, SimHost};
use super::socket::WatchedDial;
use super::trace::{Keep, Trace};
use super::traps::Traps;
use super::wire::{Wire, client_of};
use crate::wiring::crds;
use jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DynamicObject, PostParams};
use kube::discovery::ApiResource;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reef_api::vm::VirtualMachineStatus;
use reef_api::{Clock, GitSource, GitSourceSpec, VirtualMachine, condition};
use reef_reconciler::metrics::Metrics;
use reef_reconciler::seams::{Jitter, Seams, Settings};
use reef_reconciler::source::{FetchError, FileUrls, Location, MemoryRepositories, Redacted, RepoPath};
use reef_sim::api::{ApiOptions, ApiServer, InfeasibleMode, RequestFacts};
use reef_sim::cluster::{Cluster, ClusterOptions, VirtualClock};
use reef_watch::Health;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Namespace in which everything happens.
const NAMESPACE: &str = "default";
/// How often a node says that it lives. Nobody here reads it, and at the usual ten seconds it was more than half of all writes.
const LEASE: Duration = Duration::from_secs(600);
/// The address of the repository; nothing is ever connected.
const URL: &str = "https://git.invalid/fleet.git";

/// Reef's kinds as they are sent to a new cluster. Made once: a process plays many worlds.
static DEFINED: LazyLock<Result<Vec<DynamicObject>, String>> = LazyLock::new(|| {
    let read = |crd| serde_json::to_value(crd).and_then(serde_json::from_value);
    crds::all().into_iter().map(read).collect::<Result<_, _>>().map_err(|error| error.to_string())
});

/// Why a simulation could not go on.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The embedded cluster refused what every cluster takes.
    #[error("the embedded cluster refused {what}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// The world was told something that is not valid.
    #[error("{0}")]
    Invalid(String),
    /// Virtual time ran out.
    #[error("after {seconds} s of virtual time still waiting until {what}; VMs: {vms}")]
    TooLong {
        /// What was waited for.
        what: String,
        /// The bound.
        seconds: u64,
        /// Each VM and what it says.
        vms: String,
    },
}

/// Everything.
pub struct World {
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// Its API server.
    pub server: ApiServer,
    /// What goes wrong with the roles' requests to it.
    pub faults: Faults,
    /// What happened.
    pub trace: Trace,
    /// What the controller counts.
    pub metrics: Metrics,
    pub(super) traps: Traps,
    wrong_clock: Arc<WrongClock>,
    inspector: Option<Inspector>,
    repositories: MemoryRepositories,
    clock: Arc<dyn Clock>,
    seed: u64,
    roles: BTreeMap<String, JoinHandle<()>>,
    freezers: BTreeMap<String, Freezer>,
    healths: BTreeMap<String, Health>,
    locks: BTreeMap<String, Locks>,
    _stop: tokio_util::sync::DropGuard,
}

/// How a world is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    /// Whether somebody looks for what is wrong, and what he writes down.
    pub(super) recording: Option<Recording>,
    /// What is kept of every change.
    pub(super) trace: Keep,
}

/// Runs a future in one thread, in virtual time, without any I/O.
///
/// # Errors
/// Where the runtime cannot be made.
pub fn deterministic<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(future))
}

struct SeededJitter(Mutex<ChaCha8Rng>);

impl Jitter for SeededJitter {
    fn up_to(&self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.0.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..=most))
    }
}

impl World {
    /// A cluster of two nodes with Reef's kinds, a repository without a commit, a source for it, and all roles running.
    ///
    /// # Errors
    /// Where the embedded cluster refuses its own set-up.
    pub async fn start(seed: u64) -> Result<Self, WorldError> {
        Self::start_in(seed, |_| {}).await
    }

    /// The same, with who refuses a resize beyond a node's size.
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn start_with(seed: u64, infeasible: InfeasibleMode) -> Result<Self, WorldError> {
        Self::start_in(seed, |options| options.api.infeasible = infeasible).await
    }

    /// The same on a cluster with other nodes or other delays.
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn start_in(seed: u64, adjust: impl FnOnce(&mut ClusterOptions)) -> Result<Self, WorldError> {
        Self::start_watched(seed, Watched { recording: None, trace: Keep::Text }, adjust).await
    }

    /// The same, looked at in one way or another.
    ///
    /// # Errors
    /// As [`World::start`].
    pub(super) async fn start_watched(
        seed: u64,
        watched: Watched,
        adjust: impl FnOnce(&mut ClusterOptions),
    ) -> Result<Self, WorldError> {
        let base = Timestamp::from_second(1_800_000_000).unwrap_or_default();
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(base));
        let mut options = ClusterOptions::two_nodes(seed, clock.clone());
        options.timings.node.lease = LEASE;
        adjust(&mut options);
        let (infeasible, overhead) = (options.api.infeasible, options.overhead);
        let nodes: Vec<String> = options.nodes.iter().map(|node| node.name.clone()).collect();
        let cluster = Arc::new(Cluster::new(options));
        let faults = Faults::new();
        let (delays, switch) = (Mutex::new(ChaCha8Rng::seed_from_u64(seed ^ 0x5eed)), faults.clone());
        let hook = move |facts: &RequestFacts| {
            let millis = delays.lock().unwrap_or_else(PoisonError::into_inner).random_range(1..=4);
            let mut fault = switch.meet(facts);
            fault.delay = fault.delay.max(Duration::from_millis(millis));
            fault
        };
        let options = ApiOptions { faults: Some(Arc::new(hook)), infeasible };
        let server = ApiServer::new(cluster.store().clone(), options);
        let stop = CancellationToken::new();
        let (living, until) = (cluster.clone(), stop.clone());
        tokio::spawn(async move { living.run(until).await });
        let mut world = Self {
            trace: Trace::of(cluster.store(), watched.trace),
            inspector: watched.recording.map(|recording| Inspector::of(&cluster, overhead, recording)),
            traps: Traps::default(),
            wrong_clock: Arc::new(WrongClock::new(clock.clone())),
            cluster,
            server,
            faults,
            metrics: Metrics::default(),
            repositories: MemoryRepositories::new(),
            clock,
            seed,
            roles: BTreeMap::new(),
            freezers: BTreeMap::new(),
            healths: BTreeMap::new(),
            locks: BTreeMap::new(),
            _stop: stop.drop_guard(),
        };
        world.define().await?;
        world.start_controller();
        for node in &nodes {
            world.start_daemon(node);
        }
        Ok(world)
    }

    async fn define(&self) -> Result<(), WorldError> {
        let crds: Api<DynamicObject> = Api::all_with(self.server.client(), &crd_resource());
        let defined = DEFINED.as_ref().map_err(|error| WorldError::Invalid(error.clone()))?;
        for crd in defined {
            crds.create(&PostParams::default(), crd).await.map_err(refused("a CRD"))?;
        }
        let spec = GitSourceSpec { url: URL.to_owned(), interval: Some("30s".to_owned()), ..GitSourceSpec::default() };
        let sources: Api<GitSource> = Api::namespaced(self.server.client(), NAMESPACE);
        let source = GitSource::new("fleet", spec);
        sources.create(&PostParams::default(), &source).await.map_err(refused("a GitSource"))?;
        Ok(())
    }

    /// Who looks for what is wrong, where somebody does.
    pub(super) const fn inspector(&self) -> Option<&Inspector> {
        self.inspector.as_ref()
    }

    fn wire(&self, role: &str) -> Wire {
        Wire { role: role.to_owned(), traps: self.traps.clone(), inspector: self.inspector.clone() }
    }

    /// Starts the controller; one that runs is killed first.
    pub fn start_controller(&mut self) {
        self.start_controller_by(self.client_of("controller"), self.client_of("controller"));
    }

    /// The client of a role, which names itself in each request.
    pub fn client_of(&self, role: &str) -> Client {
        client_of(&self.server, &self.wire(role), NAMESPACE)
    }

    /// Starts the controller with clients of one's own, such as ones that lead to another server.
    pub fn start_controller_by(&mut self, client: Client, watch_client: Client) {
        self.kill("controller");
        let jitter = SeededJitter(Mutex::new(ChaCha8Rng::seed_from_u64(self.seed ^ 0xc0)));
        let seams = Seams {
            client,
            watch_client,
            clock: self.wrong_clock.clone(),
            jitter: Arc::new(jitter),
            repositories: Arc::new(self.repositories.clone()),
            metrics: self.metrics.clone(),
        };
        let settings = Settings {
            file_urls: FileUrls::Refused,
            vmm_image: "reef:simulated".to_owned(),
            vm_devices: BTreeSet::new(),
            argocd_namespace: reef_api::argocd::ARGOCD_NAMESPACE.to_owned(),
            concurrency: 16,
        };
        let health = self.health_of("controller");
        let role = async move {
            let run = reef_reconciler::controller::run(seams, settings, CancellationToken::new(), health);
            if let Err(error) = run.await {
                tracing::error!(%error, "the controller ended");
            }
        };
        self.run("controller", role);
    }

    /// Starts the daemon of a node; one that runs is killed first.
    pub fn start_daemon(&mut self, node: &str) {
        self.start_daemon_as(node, node);
    }

    /// Starts a daemon of a node under a name of its own, beside those that run under other names.
    pub(super) fn start_daemon_as(&mut self, role: &str, node: &str) {
        self.kill(role);
        let (wire, role_name) = (self.wire(role), role.to_owned());
        let locks = self.locks.entry(node.to_owned()).or_default().clone();
        let net = self.cluster.net().clone();
        let seams = reef_daemon::Seams {
            client: client_of(&self.server, &wire, NAMESPACE),
            watch_client: client_of(&self.server, &wire, NAMESPACE),
            host: Arc::new(SimHost::new(node.to_owned(), self.cluster.hosts().clone(), locks)),
            dial: Arc::new(WatchedDial::new(net, role, self.traps.clone(), self.inspector.clone())),
            jitter: Arc::new(reef_daemon::NoJitter),
            metrics: reef_daemon::Metrics::default(),
        };
        let settings = reef_daemon::Settings::for_node(node);
        let health = self.health_of(role);
        let role = async move {
            let run = reef_daemon::run(seams, settings, CancellationToken::new(), health);
            if let Err(error) = run.await {
                tracing::error!(%error, "the daemon ended");
            }
        };
        self.run(&role_name, role);
    }

    fn run(&mut self, name: &str, role: impl Future<Output = ()> + Send + 'static) {
        let freezer = Freezer::default();
        let task = tokio::spawn(freezer.clone().run(role));
        self.freezers.insert(name.to_owned(), freezer);
        self.traps.started(name, task.abort_handle());
        self.roles.insert(name.to_owned(), task);
    }

    /// Whether a role runs.
    pub(super) fn runs(&self, role: &str) -> bool {
        self.roles.contains_key(role)
    }

    /// The roles that should run: the controller, and a daemon for each node.
    pub(super) fn roles_of_all(&self) -> Vec<String> {
        std::iter::once("controller".to_owned()).chain(self.locks.keys().cloned()).collect()
    }

    /// A role that has ended by itself, which none may.
    pub(super) fn ended_role(&self) -> Option<&str> {
        self.roles.iter().find(|(_, task)| task.is_finished()).map(|(name, _)| name.as_str())
    }

    /// What a clock of this world shows that is right.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sets the controller's wall clock wrong by so many seconds, also while it runs; by none it is right.
    pub fn set_clock(&self, seconds: i64) {
        self.wrong_clock.set(seconds);
    }

    /// A new health for a role that starts.
    fn health_of(&mut self, role: &str) -> Health {
        let health = Health::new();
        self.healths.insert(role.to_owned(), health.clone());
        health
    }

    /// What a role tells of its health.
    pub fn health(&self, role: &str) -> Option<&Health> {
        self.healths.get(role)
    }

    /// Holds a role where it stands, or lets it go on.
    pub fn freeze(&self, role: &str, frozen: bool) {
        if let Some(freezer) = self.freezers.get(role) {
            freezer.set(frozen);
        }
    }

    /// Kills a role: `controller`, or the daemon of a node.
    pub fn kill(&mut self, role: &str) {
        if let Some(task) = self.roles.remove(role) {
            task.abort();
        }
    }

    /// Pushes a commit that replaces the whole tree.
    ///
    /// # Errors
    /// Where a path is no path of a repository.
    pub fn push(&self, subject: &str, files: &BTreeMap<String, String>) -> Result<String, WorldError> {
        let invalid = |error: &dyn std::fmt::Display| WorldError::Invalid(error.to_string());
        let location = location()?;
        let mut tree = BTreeMap::new();
        for (path, text) in files {
            let path = RepoPath::parse(path).map_err(|error| invalid(&error))?;
            tree.insert(path, text.clone().into_bytes());
        }
        Ok(self.repositories.push(&location, subject, self.clock.now(), tree))
    }

    /// Rewrites history: the last commit is gone, as before a forced push.
    ///
    /// # Errors
    /// Never, with the address that is used.
    pub fn drop_last_commit(&self) -> Result<(), WorldError> {
        self.repositories.drop_last_commit(&location()?);
        Ok(())
    }

    /// Lets every fetch fail until the next push; the error is made from the repository's address.
    ///
    /// # Errors
    /// Never, with the address that is used.
    pub fn fail_git(&self, error: impl FnOnce(Redacted) -> FetchError) -> Result<(), WorldError> {
        let location = location()?;
        self.repositories.fail(&location, error(location.shown().clone()));
        Ok(())
    }

    /// All VMs, by name.
    pub fn vms(&self) -> BTreeMap<String, VirtualMachine> {
        let resource = reef_sim::store::ResourceId::new(reef_api::names::VM_GROUP, "virtualmachines");
        let objects = self.cluster.store().list(&resource, Some(NAMESPACE));
        let read = |object: &Arc<Value>| serde_json::from_value::<VirtualMachine>((**object).clone()).ok();
        let named = |vm: VirtualMachine| Some((vm.metadata.name.clone()?, vm));
        objects.iter().filter_map(read).filter_map(named).collect()
    }

    /// Waits until the VMs are so.
    ///
    /// # Errors
    /// Where virtual time runs out first.
    pub async fn until(
        &self,
        what: &str,
        seconds: u64,
        so: impl Fn(&BTreeMap<String, VirtualMachine>) -> bool,
    ) -> Result<(), WorldError> {
        let mut changes = self.cluster.store().subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(seconds), async {
            while !so(&self.vms()) {
                if let Err(lagged) = changes.next().await {
                    tracing::debug!(?lagged, "the look at the VMs fell behind");
                    changes = self.cluster.store().subscribe();
                }
            }
        });
        if waited.await.is_ok() {
            return Ok(());
        }
        let said = self.vms().into_iter().map(|(name, vm)| format!("\n  {name}: {}", said(&vm)));
        Err(WorldError::TooLong { what: what.to_owned(), seconds, vms: said.collect() })
    }
}

fn location() -> Result<Location, WorldError> {
    Location::parse(URL, FileUrls::Refused).map_err(|error| WorldError::Invalid(error.to_string()))
}

fn said(vm: &VirtualMachine) -> String {
    let empty = VirtualMachineStatus::default();
    let status = vm.status.as_ref().unwrap_or(&empty);
    let ready = condition::find(&status.conditions, condition::READY);
    let reason = ready.map(|ready| format!("{} {}: {}", ready.status, ready.reason, ready.message));
    let report = status.vmm.as_ref().map(|report| {
        json!({"requested": report.requested(), "actual": report.actual(), "ack": report.ack_seq, "waiting": report.waiting})
    });
    format!("{} {} {}", status.phase.unwrap_or_default(), reason.unwrap_or_default(), report.unwrap_or_default())
}

fn refused(what: &'static str) -> impl FnOnce(kube::Error) -> WorldError {
    move |source| WorldError::Refused { what, source: Box::new(source) }
}

fn crd_resource() -> ApiResource {
    ApiResource {
        group: "apiextensions.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "apiextensions.k8s.io/v1".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        plural: "customresourcedefinitions".to_owned(),
    }
}
