//! Argo CD beside a cluster: its store, its repo server, its controllers and its API server, as programs that end with the cluster.
//!
//! What its own manifests install, and nothing of Reef's. Which Applications there are is told by a test.
mod programs;
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::net::{TcpStream, UnixStream};

pub use self::programs::Part;
use super::{accounts::Account, apply, run, told};
use crate::Cluster;

/// The namespace of Argo CD.
pub const NAMESPACE: &str = "argocd";
const OBJECTS: &str = include_str!("objects.yaml");
/// How long one of its programs may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Argo CD, of which every part can be killed and started again.
#[derive(Clone, Debug)]
pub struct ArgoCd {
    account: Account,
    built: PathBuf,
    folder: PathBuf,
    first_port: u16,
}

impl ArgoCd {
    /// Installs its kinds and objects, starts all of its parts, and returns when they answer.
    ///
    /// # Errors
    /// It is not built and cannot be, the cluster refuses an object, or a part does not answer.
    pub async fn start(cluster: &mut Cluster) -> Result<Self> {
        let built = built()?;
        install(cluster, &built)?;
        let account = Account::within(cluster, NAMESPACE, "argocd-application-controller").await?;
        let folder = cluster.folder().join("argocd");
        for place in ["home", "tmp", "ssh", "tls", "gnupg", "redis"] {
            fs::create_dir_all(folder.join(place))?;
        }
        let argo_cd = Self { account, built, folder, first_port: cluster.spare_port() };
        argo_cd.resume(cluster).await?;
        Ok(argo_cd)
    }

    /// Starts all of its parts again, after [`ArgoCd::pause`].
    ///
    /// # Errors
    /// One of them runs, or does not answer.
    pub async fn resume(&self, cluster: &mut Cluster) -> Result<()> {
        for part in Part::ALL {
            self.revive(cluster, part).await?;
        }
        Ok(())
    }

    /// Ends all of its parts, so that they take nothing of the machine. Its objects stay.
    ///
    /// # Errors
    /// One of them had ended by itself.
    pub async fn pause(&self, cluster: &mut Cluster) -> Result<()> {
        for part in Part::ALL.into_iter().rev() {
            self.kill(cluster, part).await?;
        }
        Ok(())
    }

    /// Ends a part with SIGKILL.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&self, cluster: &mut Cluster, part: Part) -> Result<()> {
        cluster.kill_program(part.name()).await
    }

    /// Starts a part that does not run, and returns when it answers.
    ///
    /// # Errors
    /// It runs, or does not answer.
    pub async fn revive(&self, cluster: &mut Cluster, part: Part) -> Result<()> {
        cluster.run(self.program(part)).await?;
        let begun = tokio::time::Instant::now();
        while !matches!(tokio::time::timeout(PATIENCE, self.asked(part)).await, Ok(Ok(()))) {
            if begun.elapsed() > PATIENCE {
                let log = cluster.logs().join(format!("{}.log", part.name()));
                bail!("{} does not answer after {} s: see {}", part.name(), PATIENCE.as_secs(), log.display());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn asked(&self, part: Part) -> Result<()> {
        match part {
            Part::Redis => UnixStream::connect(self.socket()).await.map(drop)?,
            Part::RepoServer | Part::ApplicationSetController => {
                TcpStream::connect(self.address(part)).await.map(drop)?
            }
            _ => self.healthy(part).await?,
        }
        Ok(())
    }
}

/// Merges settings into its ConfigMap `argocd-cm`, as a person does with a patch.
///
/// # Errors
/// The file is no patch, or the cluster refuses it.
pub fn configure(cluster: &Cluster, patch: &Path) -> Result<()> {
    let patch = format!("--patch-file={}", patch.display());
    run(cluster.kubectl().args(["--namespace", NAMESPACE, "patch", "configmap", "argocd-cm", "--type=merge", &patch]))
}

/// The folder of what `argocd/build` makes.
fn built() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("argocd/build");
    Ok(told(&mut Command::new(script))?.trim().into())
}

fn install(cluster: &Cluster, built: &Path) -> Result<()> {
    run(cluster.kubectl().args(["apply", "--server-side", "-f"]).arg(built.join("crds")))?;
    let file = cluster.folder().join("argocd.yaml");
    // A kind is served a moment after its definition is there.
    let mut refused = None;
    for _ in 0..100 {
        match apply(cluster, &file, OBJECTS) {
            Ok(()) => return Ok(()),
            Err(why) => refused = Some(why),
        }
        std::thread::sleep(PAUSE);
    }
    refused.map_or(Ok(()), Err).context("the objects of Argo CD")
}
