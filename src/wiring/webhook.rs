//! The webhook with everything that production hands it.
//!
//! Wiring only: no rule of admission is known here.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use reef_api::GitSourceSpec;
use reef_reconciler::controller::check_source;
use reef_reconciler::observe::Kind;
use reef_reconciler::source::FileUrls;
use reef_watch::Health;
use reef_watch::metrics::{Calls, Entry};
use reef_webhook::certificates::{Callers, CertificateFiles, Keeper, Place, Serving, follow};
use reef_webhook::decide::Lifetimes;
use reef_webhook::{Desk, Known, Metrics, ServeError};
use tokio_util::sync::CancellationToken;

use super::clock::SystemClock;
use super::health::Probes;
use super::kubeconfig::Cluster;
use super::predecessor::{self, Seen};
use super::preflight;
use super::roles::register_beside;

/// What `reef webhook` can be told.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Users whose writes are Reef's own.
    pub own_users: BTreeSet<String>,
    /// Whether sources may name repositories of the controller's machine.
    pub file_urls: FileUrls,
    /// Where the certificate comes from.
    pub trust: Trust,
    /// Who may call.
    pub callers: Callers,
}

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Trust {
    /// It is made here, by an authority of its own.
    Own {
        /// Where it is kept, and who is to trust it.
        place: Place,
        /// How long things are valid.
        lifetimes: Lifetimes,
    },
    /// Somebody else renews these files.
    Files(CertificateFiles),
}

impl Trust {
    /// A certificate that is made here.
    pub fn own(namespace: String, secret: String, configurations: String, hosts: Vec<String>, life: Duration) -> Self {
        Self::Own { place: Place { namespace, secret, configurations, hosts }, lifetimes: Lifetimes::of(life) }
    }
}

/// A webhook that is ready to run.
pub struct Webhook {
    cluster: Cluster,
    options: WebhookOptions,
    known: Known,
    serving: Serving,
    metrics: Metrics,
    health: Health,
}

impl Webhook {
    /// Puts a webhook together.
    ///
    /// # Errors
    /// Where the cluster lacks Reef's kinds or does not answer, or asks ch-vmm's webhook as well.
    pub async fn new(cluster: &Cluster, options: WebhookOptions) -> anyhow::Result<Self> {
        // Before the kinds are missed: to install them would change what ch-vmm works with.
        predecessor::refuse(cluster, Seen::Admission).await?;
        preflight::check(cluster, &[Kind::Policy, Kind::Source]).await?;
        let metrics = Metrics::default();
        let serving = Serving::told_to(&metrics);
        Ok(Self { cluster: cluster.clone(), options, known: Known::default(), serving, metrics, health: Health::new() })
    }

    /// What is served of it at `/metrics`.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        register_webhook(&self.metrics, &self.health, &self.cluster.calls, &mut registry);
        registry
    }

    /// What its health endpoints answer.
    pub fn probes(&self) -> Probes {
        let Probes { ready: listed, live } = Probes::of(&self.health);
        let serving = self.serving.clone();
        let certified =
            move || serving.is_ready().then_some(()).ok_or("there is no certificate to serve yet".to_owned());
        Probes { ready: Box::new(move || listed().and_then(|()| certified())), live }
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// When it cannot serve.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) -> Result<(), ServeError> {
        let desk = Desk {
            known: self.known.clone(),
            client: self.cluster.requests.clone(),
            own_users: Arc::new(self.options.own_users.clone()),
            source_check: source_check(self.options.file_urls),
            metrics: self.metrics.clone(),
        };
        let watches = self.cluster.watches.clone();
        let following = async { self.known.follow(watches, &self.health, stop.clone()).await };
        let keeping = self.keep(stop.clone());
        let serving = async {
            let outcome = reef_webhook::serve(listener, desk, &self.serving, &self.options.callers, stop.clone()).await;
            stop.cancel();
            outcome
        };
        tokio::join!(following, keeping, serving).2
    }

    async fn keep(&self, stop: CancellationToken) {
        match &self.options.trust {
            Trust::Own { place, lifetimes } => {
                let (requests, watches) = (&self.cluster.requests, &self.cluster.watches);
                let clock = Arc::new(SystemClock);
                Keeper::new(requests, watches, place.clone(), *lifetimes, clock, self.serving.clone()).run(stop).await;
            }
            Trust::Files(files) => follow(files, &self.serving, &stop).await,
        }
    }
}

/// What the controller would say of a source when it reads it.
fn source_check(files: FileUrls) -> reef_webhook::SourceCheck {
    Arc::new(move |spec: &GitSourceSpec| check_source(spec, files))
}

/// Registers everything that a webhook counts, and says what.
pub fn register_webhook(metrics: &Metrics, health: &Health, calls: &Calls, registry: &mut Registry) -> Vec<Entry> {
    let beside = register_beside("webhook", health, calls, registry);
    beside.into_iter().chain(metrics.register(registry)).collect()
}
