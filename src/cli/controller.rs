//! `reef controller`: the reconciler against a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail};
use reef_api::NodeDevice;
use reef_api::argocd::ARGOCD_NAMESPACE;
use reef_reconciler::source::FileUrls;
use tokio_util::sync::CancellationToken;

use super::args::ClusterArgs;
use crate::wiring::health::{Probes, Question};
use crate::wiring::kubeconfig::Cluster;
use crate::wiring::leader::{Candidacy, Election, Fence, fenced};
use crate::wiring::roles::{Controller, ControllerOptions};
use crate::wiring::{git, health, shutdown};

/// Arguments of `reef controller`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Run one in a cluster, or several with --leader-elect: one of them acts, the others stand by. It stops at SIGTERM or SIGINT, after what is under way. A second signal ends it at once."
)]
pub struct Args {
    /// Where /livez, /readyz, /healthz and /metrics are served. In a Pod, state the Pod's address for the kubelet to reach it.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    health_addr: SocketAddr,
    /// Let GitSources name repositories of this machine (file://), which are read with the controller's own rights.
    #[arg(long)]
    allow_file_urls: bool,
    /// Folder for clones of repositories; it belongs to this controller alone.
    #[arg(long, value_name = "DIR", default_value = "/var/cache/reef")]
    cache_dir: PathBuf,
    /// Image of the container that runs a VM's VMM.
    #[arg(long, value_name = "IMAGE", default_value = concat!("reef:", env!("CARGO_PKG_VERSION")))]
    vmm_image: String,
    /// Devices of its node that the Pod of a VM asks for, with commas between them: kvm, tun, vhost-net; or none. Each node whose `reef daemon`
    /// offers them can then run VMs, and no other node. Without kvm a QEMU emulates, and a Cloud Hypervisor does not start. A VM that runs keeps
    /// what its Pod has.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = device, default_value = NO_DEVICE)]
    vm_devices: Vec<Option<NodeDevice>>,
    /// Namespace of Argo CD, where one is there: Applications are read in it that track VMs, for the commit that they have synced.
    #[arg(long, value_name = "NAME", default_value = ARGOCD_NAMESPACE)]
    argocd_namespace: String,
    #[command(flatten)]
    lease: LeaseArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// The word for no device at all, as the daemon's flag has it.
const NO_DEVICE: &str = "none";

fn device(name: &str) -> Result<Option<NodeDevice>, <NodeDevice as FromStr>::Err> {
    if name == NO_DEVICE { Ok(None) } else { name.parse().map(Some) }
}

/// Which of several controllers acts.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Leader election")]
struct LeaseArgs {
    /// Act only while this process holds a Lease. One that loses it ends, and is to be started anew.
    #[arg(long)]
    leader_elect: bool,
    /// Namespace of the Lease.
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE", default_value = "reef-system")]
    lease_namespace: String,
    /// Name of the Lease.
    #[arg(long, value_name = "NAME", default_value = "reef-controller")]
    lease_name: String,
}

impl LeaseArgs {
    /// The election that is asked for, where one is.
    async fn election(self, cluster: &Cluster) -> anyhow::Result<Option<Election>> {
        if !self.leader_elect {
            return Ok(None);
        }
        let identity = Candidacy::own_identity();
        let candidacy = Candidacy { namespace: self.lease_namespace, name: self.lease_name, identity };
        Election::new(cluster, candidacy).await.map(Some)
    }
}

/// Runs until told to stop.
pub async fn run(args: Args, git: git::Made) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let mut cluster = args.cluster.connect().await?;
    let file_urls = if args.allow_file_urls { FileUrls::Allowed } else { FileUrls::Refused };
    let options = ControllerOptions {
        cache_dir: args.cache_dir,
        file_urls,
        vmm_image: args.vmm_image,
        argocd_namespace: args.argocd_namespace,
        vm_devices: args.vm_devices.into_iter().flatten().collect(),
    };
    let election = args.lease.election(&cluster).await?;
    if let Some(election) = &election {
        cluster.requests = fenced(cluster.requests, election.fence());
    }
    let controller = Controller::new(&cluster, options, git).await?;
    let probes = match &election {
        Some(election) => standing_by(controller.probes(), election.fence()),
        None => controller.probes(),
    };
    let listener = health::listen(args.health_addr).await?;
    let serving = tokio::spawn(health::serve(listener, probes, controller.registry(), stop.clone()));
    tracing::info!(server = cluster.server, "controller started");
    let outcome = match election {
        Some(election) => led(election, controller, &stop).await,
        None => controller.run(stop.clone()).await.map_err(anyhow::Error::from),
    };
    stop.cancel();
    serving.await.context("the health endpoints ended early")?;
    outcome?;
    tracing::info!("controller stopped");
    Ok(ExitCode::SUCCESS)
}

/// Runs while the lease is held.
async fn led(mut election: Election, controller: Controller, stop: &CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        () = election.won() => {}
    }
    let (until, ended) = (stop.child_token(), CancellationToken::new());
    let acting = async {
        let outcome = controller.run(until.clone()).await;
        ended.cancel();
        outcome
    };
    // What is under way when it is told to stop is still done under the lease.
    let kept = async {
        tokio::select! {
            biased;
            () = ended.cancelled() => false,
            () = election.lost() => { until.cancel(); true }
        }
    };
    let (outcome, lost) = tokio::join!(acting, kept);
    outcome?;
    if lost {
        bail!("the lease was lost, so that another controller leads; start this one anew, and it stands by");
    }
    election.release().await;
    Ok(())
}

/// Who stands by is ready to take over.
fn standing_by(probes: Probes, fence: Fence) -> Probes {
    let leads = move |inner: Question, fence: Fence| -> Question {
        Box::new(move || if fence.is_open() { inner() } else { Ok(()) })
    };
    Probes { ready: leads(probes.ready, fence.clone()), live: leads(probes.live, fence) }
}
