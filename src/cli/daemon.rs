//! `reef daemon`: the node side against a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use reef_daemon::decide::devices::Offers;
use reef_daemon::devices::{PLUGINS, Places};
use reef_daemon::host::{Paths, take_all_descriptors};

use super::args::ClusterArgs;
use crate::wiring::roles::{Daemon, DaemonOptions, Devices, Sockets};
use crate::wiring::{health, shutdown};

/// Arguments of `reef daemon`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Run one on each node, with the node's process ids, cgroups and the kubelet's Pod folders in sight. \
It stops at SIGTERM or SIGINT. A second signal ends it at once."
)]
pub struct Args {
    /// Name of the node that it runs on.
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    node: String,
    /// Root of the node's file system, as this process sees it.
    #[arg(long, value_name = "DIR", default_value = "/")]
    host_root: PathBuf,
    /// The kubelet's folder on the node (its `--root-dir`).
    #[arg(long, value_name = "DIR", default_value = "/var/lib/kubelet")]
    kubelet_dir: PathBuf,
    /// The kubelet's `cgroupRoot`, where it is started with one.
    #[arg(long, value_name = "PATH")]
    cgroup_root: Option<PathBuf>,
    /// Devices that are offered to Pods on this node, by the kubelet's device plugin API, as the resources devices.reef.dev/NAME: names with
    /// commas between them, or none. NAME=PATH offers another device node of the node under the name. What the node does not have is not
    /// offered.
    #[arg(long, value_name = "NAMES", default_value = "kvm,tun,vhost-net")]
    devices: Offers,
    /// The kubelet's folder for device plugins on the node. Kubernetes keeps it there whatever the kubelet's `--root-dir`.
    #[arg(long, value_name = "DIR", default_value = PLUGINS)]
    device_plugin_dir: PathBuf,
    /// Where /livez, /readyz, /healthz and /metrics are served. In a Pod, state the Pod's address for the kubelet to reach it.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8082")]
    health_addr: SocketAddr,
    /// Do not ask the kernel whether a VM's own VMM listens at its socket. For `reef sim`, where one process plays all VMMs.
    #[arg(long)]
    unverified_sockets: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Runs until told to stop.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    match take_all_descriptors() {
        Ok(files) => tracing::debug!(files, "files may be open"),
        Err(error) => tracing::warn!(%error, "there is no room for more open files: each VM takes two"),
    }
    let cluster = args.cluster.connect().await?;
    let sockets = if args.unverified_sockets { Sockets::Unverified } else { Sockets::Verified };
    let host = Paths { root: args.host_root, kubelet: args.kubelet_dir, cgroup_root: args.cgroup_root };
    let places = Places { root: host.root.clone(), plugins: args.device_plugin_dir };
    let devices = Devices { offers: args.devices, places };
    let options = DaemonOptions { node: args.node.clone(), host, sockets, devices };
    let daemon = Daemon::new(&cluster, options).await?;
    let listener = health::listen(args.health_addr).await?;
    let serving = tokio::spawn(health::serve(listener, daemon.probes(), daemon.registry(), stop.clone()));
    tracing::info!(server = cluster.server, node = args.node, "daemon started");
    let outcome = daemon.run(stop.clone()).await;
    stop.cancel();
    serving.await.context("the health endpoints ended early")?;
    outcome?;
    tracing::info!(node = args.node, "daemon stopped");
    Ok(ExitCode::SUCCESS)
}
