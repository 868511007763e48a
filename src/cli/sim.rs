//! `reef sim`: the embedded cluster alone, for a controller and daemons of one's own; or, with a seed, the whole of Reef in virtual time.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use tokio_util::task::TaskTracker;

use super::folder::Folder;
use super::{print, seeds};
use crate::wiring::embedded::{Embedded, Options};
use crate::wiring::shutdown;

/// Arguments of `reef sim`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Whoever can connect holds the embedded cluster: it asks nobody who he is.")]
pub struct Args {
    /// Where the API server listens; a port of 0 takes any that is free.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How many nodes there are.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=100))]
    nodes: u16,
    /// Empty folder for host trees, sockets and the kubeconfig; one that is removed at the end when absent.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many times faster than measured on real ones its kubelets, VMMs and guests are.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    speed: u32,
    #[command(flatten)]
    seeds: seeds::SeedArgs,
}

/// All that is random in a cluster that is served follows from it.
const SEED: u64 = 1;

impl Args {
    /// Whether a simulation is played and no cluster served.
    pub fn plays(&self) -> bool {
        self.seeds.plays()
    }
}

/// Serves until told to stop, or plays what the seeds say.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.plays() {
        // A thread of its own: each run makes a runtime, which cannot be made inside of one.
        let played = std::thread::spawn(move || seeds::run(&args.seeds));
        return played.join().map_err(|_| anyhow::anyhow!("the simulation panicked"))?;
    }
    if !args.listen.ip().is_loopback() {
        bail!(
            "{} is not on this machine alone; the embedded cluster has no authentication, so listen on 127.0.0.1",
            args.listen
        );
    }
    let stop = shutdown::on_signal()?;
    let folder = Folder::new(args.dir)?;
    let options = Options {
        listen: args.listen,
        nodes: args.nodes,
        dir: folder.path().to_owned(),
        seed: SEED,
        speed: args.speed,
    };
    let tasks = TaskTracker::new();
    let embedded = Embedded::start(&options, &tasks, &stop).await?;
    print::text(&instructions(&embedded, folder.path()))?;
    stop.cancelled().await;
    tasks.close();
    tasks.wait().await;
    for breach in embedded.cluster.breaches() {
        tracing::error!(%breach, "a VM held more than its Pod");
    }
    Ok(if embedded.cluster.breaches().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn instructions(embedded: &Embedded, folder: &std::path::Path) -> String {
    let server = &embedded.connection.server;
    let kubeconfig = embedded.kubeconfig.display();
    let cache = folder.join("cache");
    let mut text = format!(
        "An embedded cluster with {} nodes and Reef's kinds is served at {server}

export KUBECONFIG={kubeconfig}
reef controller --allow-file-urls --cache-dir {} --health-addr 127.0.0.1:0 &
",
        embedded.nodes.len(),
        cache.display()
    );
    for node in &embedded.nodes {
        let root = embedded.host_root(node);
        let _ = writeln!(
            text,
            "reef daemon --node {node} --host-root {} --unverified-sockets --health-addr 127.0.0.1:0 &",
            root.display()
        );
    }
    text + "\nThen create a GitSource that names your repository, and see `reef status`. Ctrl-C ends the cluster.\n"
}
