//! The real Argo CD beside Reef: it applies the VMs from Git, Reef carries out their resizes and tells Argo CD the truth about them.
//!
//! Settings, rights and samples are those of `argocd/`, changed in addresses and names alone.

mod actions;
mod admission;
mod application;
mod fleet;
mod follows;
mod gate;
mod together;

use std::path::{Path, PathBuf};

use kube::api::DeleteParams;
use reef_real::stage::argocd::{self, ArgoCd};
use tokio::sync::OnceCell;

use crate::world::{World, play, run};

static ARGO_CD: OnceCell<ArgoCd> = OnceCell::const_new();

/// Plays a story on the world that all stories share, with Argo CD beside it as long as the story takes.
fn play_synced<F: Future<Output = anyhow::Result<()>>>(story: impl FnOnce(&'static World, &'static ArgoCd) -> F) {
    play(async |world| {
        let argo_cd = ready(world).await?;
        let told = story(world, argo_cd).await;
        let paused = argo_cd.pause(&mut *world.cluster.lock().await).await;
        told.and(paused)
    });
}

async fn ready(world: &'static World) -> anyhow::Result<&'static ArgoCd> {
    if let Some(argo_cd) = ARGO_CD.get() {
        clear(world).await?;
        argo_cd.resume(&mut *world.cluster.lock().await).await?;
        return Ok(argo_cd);
    }
    let mut cluster = world.cluster.lock().await;
    let argo_cd = ArgoCd::start(&mut cluster).await?;
    argocd::configure(&cluster, &file("argocd-cm.yaml"))?;
    run(cluster.kubectl().args(["apply", "--server-side", "-f"]).arg(file("rbac.yaml")))?;
    Ok(ARGO_CD.get_or_init(async || argo_cd).await)
}

/// A file of `argocd/`.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../argocd").join(name)
}

/// Removes Applications that a story which failed has left.
async fn clear(world: &World) -> anyhow::Result<()> {
    let applications = application::all(world.client().await?);
    for name in application::names(&applications).await? {
        applications.delete(&name, &DeleteParams::default()).await?;
    }
    Ok(())
}
