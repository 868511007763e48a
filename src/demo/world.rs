//! The demonstration's world: embedded cluster, repository, one controller, a daemon for each node, and a GitSource.
//!
//! The roles are started by the functions that start them in production.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use reef_api::{GitSource, GitSourceSpec};
use reef_daemon::host::Paths;
use reef_reconciler::source::FileUrls;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::example::FILES;
use super::repository::Repository;
use crate::wiring::embedded::{Embedded, Options};
use crate::wiring::git;
use crate::wiring::roles::{Controller, ControllerOptions, Daemon, DaemonOptions, Devices, Sockets};

/// Namespace of the demonstration.
pub const NAMESPACE: &str = "default";
/// Name of its GitSource.
pub const SOURCE: &str = "demo";
/// How often the repository is looked at, should the notice of a push be lost.
const INTERVAL: &str = "10s";

/// Everything that runs in the demonstration.
pub struct World {
    /// The cluster.
    pub embedded: Embedded,
    /// The repository.
    pub repository: Repository,
    roles: TaskTracker,
    stop_roles: CancellationToken,
    parties: TaskTracker,
    stop_parties: CancellationToken,
}

impl World {
    /// Starts everything; VMs boot afterwards by themselves.
    ///
    /// # Errors
    /// Where a folder or an address cannot be used.
    pub async fn start(options: &Options, git: git::Made) -> anyhow::Result<Self> {
        let repository = Repository::create(&options.dir.join("vms.git"), FILES)?;
        let (parties, stop_parties) = (TaskTracker::new(), CancellationToken::new());
        let embedded = Embedded::start(options, &parties, &stop_parties).await?;
        let (roles, stop_roles) = (TaskTracker::new(), CancellationToken::new());
        let world = Self { embedded, repository, roles, stop_roles, parties, stop_parties };
        world.start_controller(&options.dir.join("cache"), git).await?;
        for node in &world.embedded.nodes {
            world.start_daemon(node).await?;
        }
        world.create_source().await?;
        Ok(world)
    }

    /// Stops the roles, then the other parties.
    pub async fn stop(self) {
        for (tasks, stop) in [(self.roles, self.stop_roles), (self.parties, self.stop_parties)] {
            stop.cancel();
            tasks.close();
            tasks.wait().await;
        }
    }

    /// Folder that a daemon takes for the root of a node.
    pub fn host_root(&self, node: &str) -> PathBuf {
        self.embedded.host_root(node)
    }

    async fn start_controller(&self, cache_dir: &Path, git: git::Made) -> anyhow::Result<()> {
        let options = ControllerOptions {
            cache_dir: cache_dir.to_owned(),
            file_urls: FileUrls::Allowed,
            vmm_image: "reef".to_owned(),
            vm_devices: BTreeSet::new(),
            argocd_namespace: reef_api::argocd::ARGOCD_NAMESPACE.to_owned(),
        };
        let controller = Controller::new(&self.embedded.connection, options, git).await?;
        let stop = self.stop_roles.clone();
        self.roles.spawn(async move { ended("controller", controller.run(stop).await) });
        Ok(())
    }

    async fn start_daemon(&self, node: &str) -> anyhow::Result<()> {
        let options = DaemonOptions {
            node: node.to_owned(),
            host: Paths::below(self.host_root(node)),
            sockets: Sockets::Unverified,
            devices: Devices::none(),
        };
        let daemon = Daemon::new(&self.embedded.connection, options).await?;
        let stop = self.stop_roles.clone();
        self.roles.spawn(async move { ended("daemon", daemon.run(stop).await) });
        Ok(())
    }

    async fn create_source(&self) -> anyhow::Result<()> {
        let api: Api<GitSource> = Api::namespaced(self.embedded.connection.requests.clone(), NAMESPACE);
        let spec = GitSourceSpec {
            url: self.repository.url(),
            reference: Some("main".to_owned()),
            interval: Some(INTERVAL.to_owned()),
            ..GitSourceSpec::default()
        };
        let metadata = ObjectMeta { name: Some(SOURCE.to_owned()), ..ObjectMeta::default() };
        let source = GitSource { metadata, spec, status: None };
        api.create(&PostParams::default(), &source).await.context("the GitSource cannot be created")?;
        Ok(())
    }
}

fn ended(role: &'static str, outcome: Result<(), impl std::error::Error>) {
    if let Err(error) = outcome {
        tracing::error!(role, error = %error, "a role ended by itself");
    }
}
