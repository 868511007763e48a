//! An API server and an etcd that go away, come back, and come back with the past.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use reef_real::Party;

use crate::stand::{Stand, size};

impl Stand {
    async fn stop(&mut self) -> Result<()> {
        self.cluster.kill(Party::ApiServer).await?;
        self.cluster.kill(Party::Etcd).await
    }

    async fn start_again(&mut self) -> Result<()> {
        self.cluster.revive(Party::Etcd).await?;
        self.cluster.revive(Party::ApiServer).await
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").args(["--recursive", "--no-target-directory"]).arg(from).arg(to).status()?;
    ensure!(copied.success(), "cp failed");
    Ok(())
}

#[tokio::test]
async fn an_etcd_that_is_restarted_is_found_again_and_one_that_is_restored_by_a_controller_that_is_started_anew()
-> Result<()> {
    let mut stand = Stand::start(&[]).await?;
    let story = stand.story("store", size(1, 1)).await?;
    stand.stop().await?;
    let data = stand.cluster.folder().join("etcd");
    let backup = stand.cluster.folder().join("backup");
    copy(&data, &backup)?;
    story.push(size(2, 2))?;
    stand.start_again().await?;
    story.settles(size(2, 2)).await?;
    stand.controller_lives().await?;
    for size in [size(3, 3), size(4, 1), size(4, 4)] {
        story.push(size)?;
        story.settles(size).await?;
    }
    let version =
        |vm: &reef_api::VirtualMachine| vm.metadata.resource_version.as_deref().and_then(|it| it.parse::<u64>().ok());
    let late = version(&story.vm().await?).context("a version")?;
    stand.stop().await?;
    std::fs::remove_dir_all(&data)?;
    copy(&backup, &data)?;
    stand.start_again().await?;
    // A watch that goes on from a version of the future hears of nothing, Kubernetes' own components' neither: they are started anew.
    stand.replace_controller().await?;
    story.settles(size(4, 4)).await?;
    let early = version(&story.vm().await?).context("a version")?;
    ensure!(early < late, "the versions went back: {late} before and {early} now");
    story.push(size(1, 2))?;
    story.settles(size(1, 2)).await?;
    stand.controller_lives().await
}
