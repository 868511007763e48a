//! Each party killed in the middle of a resize: controller, daemon, kubelet and API server.

use reef_real::Party;

use crate::manifest::VmFile;
use crate::sizes::{same_machine, size};
use crate::story::{Story, restarts};
use crate::world::{World, play};

/// Grows and shrinks a VM, and lets `kill` do its worst as soon as each resize has begun.
async fn survives(
    world: &'static World,
    namespace: &str,
    kill: impl AsyncFn(&'static World) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (small, large) = (size(1, 256), size(2, 1024));
    let story = Story::begin(world, namespace, 1, &[VmFile::new("web-1", small)]).await?;
    let before = story.settled("web-1", small).await?;
    for target in [large, small] {
        story.push(&[("web-1", target)])?;
        story.begun("web-1", target).await?;
        kill(world).await?;
        let after = story.settled("web-1", target).await?;
        same_machine(&before.guest, &after.guest);
        assert_eq!(after.uid, before.uid);
    }
    let pods = story.pods("web-1").await?;
    assert_eq!((pods.len(), restarts(&pods[0])), (1, 0));
    story.end().await
}

async fn revive(world: &World, party: Party) -> anyhow::Result<()> {
    let mut cluster = world.cluster.lock().await;
    cluster.kill(party).await?;
    cluster.revive(party).await?;
    Ok(())
}

#[test]
fn a_controller_that_is_killed_in_the_middle_goes_on() {
    play(async |world| {
        let replace = async |world: &'static World| world.controller.replace(&mut *world.cluster.lock().await).await;
        survives(world, "kill-controller", replace).await
    });
}

#[test]
fn a_daemon_that_is_killed_in_the_middle_goes_on() {
    play(async |world| {
        let replace = async |world: &'static World| world.daemon.replace(&mut *world.cluster.lock().await).await;
        survives(world, "kill-daemon", replace).await
    });
}

#[test]
fn a_kubelet_that_is_killed_in_the_middle_goes_on() {
    play(async |world| survives(world, "kill-kubelet", async |world| revive(world, Party::Kubelet).await).await);
}

#[test]
fn an_api_server_that_is_killed_in_the_middle_goes_on() {
    play(async |world| survives(world, "kill-api-server", async |world| revive(world, Party::ApiServer).await).await);
}
