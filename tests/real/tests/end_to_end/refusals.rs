//! What the node cannot hold: not now, and never.

use reef_api::Reason;

use crate::manifest::VmFile;
use crate::sizes::{same_machine, size};
use crate::story::{Story, restarts};
use crate::world::play;

#[test]
fn a_growth_that_has_no_room_is_deferred_and_completed_when_another_vm_leaves() {
    play(async |world| {
        let (small, large) = (size(1, 256), size(2, 512));
        let files = [VmFile::new("web-1", small), VmFile::new("web-2", small)];
        let story = Story::begin(world, "deferred", 1, &files).await?;
        let before = story.settled("web-1", small).await?;
        story.settled("web-2", small).await?;
        story.push(&[("web-1", large)])?;
        story.waits_for("web-1", Reason::Deferred).await?;
        let during = story.running("web-1").await?.unwrap();
        assert_eq!((during.guest.cpus, &during.guest.boot), (1, &before.guest.boot), "the guest is as it was");
        story.halt("web-2").await?;
        let after = story.settled("web-1", large).await?;
        same_machine(&before.guest, &after.guest);
        story.end().await
    });
}

#[test]
fn a_size_that_the_node_can_never_have_is_refused_and_the_vm_is_untouched() {
    play(async |world| {
        let first = size(1, 256);
        let story = Story::begin(world, "infeasible", 1, &[VmFile::new("web-1", first)]).await?;
        let before = story.settled("web-1", first).await?;
        story.push(&[("web-1", size(4, 512))])?;
        story.waits_for("web-1", Reason::Infeasible).await?;
        let wish_is_back = async || {
            let pods = story.pods("web-1").await?;
            let limits = &pods[0].spec.as_ref().unwrap().containers[0].resources.as_ref().unwrap().limits;
            Ok((limits.as_ref().unwrap()["cpu"].0 == "1").then_some(()))
        };
        story.until("the Pod's wish is taken back", wish_is_back).await?;
        let after = story.running("web-1").await?.unwrap();
        same_machine(&before.guest, &after.guest);
        assert_eq!((after.guest.cpus, after.guest.total_kib), (before.guest.cpus, before.guest.total_kib));
        assert_eq!(restarts(&story.pods("web-1").await?[0]), 0);
        let possible = size(2, 512);
        story.push(&[("web-1", possible)])?;
        let after = story.settled("web-1", possible).await?;
        same_machine(&before.guest, &after.guest);
        story.end().await
    });
}
