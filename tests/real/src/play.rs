//! A cluster to play with: started, explained, and ended at ctrl-C.
//!
//! What people see; the cluster is the one that the tests use.
use std::io::Write;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

use crate::{Cluster, Options, Shape};

/// Starts a cluster and holds it until ctrl-C.
///
/// # Errors
/// Those of starting it.
pub async fn up(shape: Shape) -> Result<()> {
    let options = Options { name: Some("play".into()), ..Options::of(shape) };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    eprintln!("Kubernetes {} starts ...", options.version);
    let cluster = tokio::select! {
        biased;
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
        started = Cluster::start(options) => started?,
    };
    writeln!(std::io::stdout(), "{}", explained(&cluster, shape))?;
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    eprintln!("everything ends ...");
    drop(cluster);
    Ok(())
}

fn explained(cluster: &Cluster, shape: Shape) -> String {
    let kubectl = cluster.kubectl();
    let program = kubectl.get_program().to_string_lossy();
    let mut text = format!(
        "\n  export KUBECONFIG={}\n  alias kubectl='{program} kubectl'      # or your own kubectl\n\n  logs: {}\n",
        cluster.kubeconfig().display(),
        cluster.logs().display(),
    );
    if shape == Shape::Node {
        text += &format!(
            "  node: {}, kubelet folder {}, Pods below the cgroup {}\n",
            cluster.node_name(),
            cluster.kubelet_dir().display(),
            cluster.cgroup_root()
        );
    }
    text + "\nctrl-C ends it, and nothing is left."
}
