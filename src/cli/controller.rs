//! `reef controller`: the reconciler against a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use reef_reconciler::source::FileUrls;

use super::args::ClusterArgs;
use crate::wiring::roles::{Controller, ControllerOptions};
use crate::wiring::{git, health, shutdown};

/// Arguments of `reef controller`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Run one in a cluster. It stops at SIGTERM or SIGINT, after what is under way. A second signal ends it at once."
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
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Runs until told to stop.
pub async fn run(args: Args, git: git::Made) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let cluster = args.cluster.connect().await?;
    let file_urls = if args.allow_file_urls { FileUrls::Allowed } else { FileUrls::Refused };
    let options = ControllerOptions { cache_dir: args.cache_dir, file_urls, vmm_image: args.vmm_image };
    let controller = Controller::new(&cluster, options, git).await?;
    let listener = health::listen(args.health_addr).await?;
    let serving = tokio::spawn(health::serve(listener, controller.probes(), controller.registry(), stop.clone()));
    tracing::info!(server = cluster.server, "controller started");
    let outcome = controller.run(stop.clone()).await;
    stop.cancel();
    serving.await.context("the health endpoints ended early")?;
    outcome?;
    tracing::info!("controller stopped");
    Ok(ExitCode::SUCCESS)
}
