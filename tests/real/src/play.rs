//! A cluster to play with: started, explained, and ended at ctrl-C.
//!
//! What people see; the cluster is the one that the tests use.
use std::{io::Write, path::PathBuf};

use anyhow::{Result, ensure};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Cluster, Options, Shape, stage};

/// Starts a cluster and holds it until ctrl-C; with `reef`, Reef runs on it and one VM is followed from Git.
///
/// # Errors
/// Those of starting it.
pub async fn up(shape: Shape, reef: bool) -> Result<()> {
    ensure!(!reef || shape == Shape::Node, "Reef needs a node: --shape node");
    let options = Options { name: Some("play".into()), ..Options::of(shape) };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    eprintln!("Kubernetes {} starts ...", options.version);
    let (cluster, clone) = tokio::select! {
        biased;
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
        started = started(options, reef) => started?,
    };
    let told = explained(&cluster, shape) + &clone.map(pushing).unwrap_or_default();
    writeln!(std::io::stdout(), "{told}\nctrl-C ends it, and nothing is left.")?;
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    eprintln!("everything ends ...");
    drop(cluster);
    Ok(())
}

async fn started(options: Options, reef: bool) -> Result<(Cluster, Option<PathBuf>)> {
    let mut cluster = Cluster::start(options).await?;
    if !reef {
        return Ok((cluster, None));
    }
    eprintln!("Reef is put on it ...");
    let clone = stage::set(&mut cluster, stage::Beyond::default()).await?;
    Ok((cluster, Some(clone)))
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
    text
}

/// What to type to see a guest change.
fn pushing(clone: PathBuf) -> String {
    format!(
        r#"
  what the guest says of itself, in one terminal:
    kubectl logs --follow --selector reef.dev/vm=one --container vm-manager --tail 3
  and a push in another:
    cd {}
    sed -i 's/size: 512Mi/size: 1Gi/; s/coresPerSocket: 1/coresPerSocket: 2/' vms/one.yaml
    git commit -am 'one: two vCPUs, 1Gi' && git push origin main
    kubectl get vm,pods
"#,
        clone.display()
    )
}
