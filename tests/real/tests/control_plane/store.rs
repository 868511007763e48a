//! An API server and an etcd that go away, come back, and come back with the past.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use kube::Api;
use kube::api::WatchParams;
use reef_api::VirtualMachine;
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
async fn an_etcd_that_is_restarted_or_comes_back_with_the_past_is_found_again_by_the_controller_that_runs() -> Result<()>
{
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
    let version = |vm: &VirtualMachine| vm.metadata.resource_version.as_deref().and_then(|it| it.parse::<u64>().ok());
    let late = version(&story.vm().await?).context("a version")?;
    stand.stop().await?;
    std::fs::remove_dir_all(&data)?;
    copy(&backup, &data)?;
    stand.start_again().await?;
    // A watch that goes on from a version of the future hears of nothing: that is what the controller has to notice.
    let vms = Api::<VirtualMachine>::namespaced(story.client.clone(), &story.namespace);
    story.settles(size(4, 4)).await?;
    let early = version(&story.vm().await?).context("a version")?;
    ensure!(early < late, "the versions went back: {late} before and {early} now");
    let mut watch = vms.watch(&WatchParams::default(), &late.to_string()).await?.boxed();
    story.push(size(2, 4))?;
    story.settles(size(2, 4)).await?;
    ensure!(version(&story.vm().await?).context("a version")? < late, "the versions have not caught up");
    let silent = tokio::time::timeout(Duration::from_secs(1), watch.next()).await.is_err();
    ensure!(silent, "the server tells such a watch nothing");
    ensure!(story.log()?.contains("everything is listed anew"), "the controller says what it has found");
    story.push(size(1, 2))?;
    story.settles(size(1, 2)).await?;
    stand.controller_lives().await
}
