//! Starting, stopping and starting anew; several VMs at once; and a VM that is deleted in the middle.

use kube::api::DeleteParams;
use reef_api::Size;

use crate::guest::{self, Order};
use crate::manifest::VmFile;
use crate::sizes::size;
use crate::story::Story;
use crate::world::play;

#[test]
fn a_vm_stops_by_its_power_button_and_starts_anew_at_the_size_of_now() {
    play(async |world| {
        let first = size(1, 256);
        let story = Story::begin(world, "life", 1, &[VmFile::new("web-1", first)]).await?;
        let before = story.settled("web-1", first).await?;
        story.push_policy("web-1", "Halted", first)?;
        // Read while it goes down: the kubelet removes the log of a container some time after its Pod.
        let console = || guest::console(&world.logs, "life", &before.pod, &before.uid);
        let pressed = |(_, line): &(i64, String)| line.contains("the power button was pressed");
        let heard = async || Ok(console().iter().any(pressed).then_some(()));
        story.until("the guest has heard of its power button", heard).await?;
        story.stopped("web-1").await?;
        let next = size(2, 512);
        story.push_policy("web-1", "Always", next)?;
        let after = story.settled("web-1", next).await?;
        assert_ne!((&after.uid, &after.guest.boot), (&before.uid, &before.guest.boot));
        story.end().await
    });
}

#[test]
fn a_guest_that_reboots_comes_back_in_its_pod_with_the_size_that_it_had() {
    play(async |world| {
        let first = size(1, 256);
        let story = Story::begin(world, "reboot", 1, &[VmFile::new("web-1", first)]).await?;
        story.settled("web-1", first).await?;
        let grown = size(2, 768);
        story.push(&[("web-1", grown)])?;
        let before = story.settled("web-1", grown).await?;
        story.order("web-1", Order::Reboot).await?;
        let rebooted = async || Ok(story.running("web-1").await?.filter(|it| it.guest.boot != before.guest.boot));
        story.until("the guest has booted again", rebooted).await?;
        let after = story.settled("web-1", grown).await?;
        assert_eq!(after.uid, before.uid);
        story.end().await
    });
}

#[test]
fn a_guest_that_shuts_down_is_started_again_where_the_policy_says_always() {
    play(async |world| {
        let first = size(1, 256);
        let story = Story::begin(world, "power-off", 1, &[VmFile::new("web-1", first)]).await?;
        let before = story.settled("web-1", first).await?;
        story.order("web-1", Order::PowerOff).await?;
        let again = async || Ok(story.running("web-1").await?.filter(|it| it.guest.boot != before.guest.boot));
        story.until("the guest is started again", again).await?;
        let after = story.settled("web-1", first).await?;
        assert_ne!(after.uid, before.uid, "each start is a new Pod");
        story.end().await
    });
}

#[test]
fn four_vms_of_one_commit_grow_at_once() {
    play(async |world| {
        let (small, large) = (size(1, 256), size(2, 512));
        let names = ["web-1", "web-2", "web-3", "web-4"];
        let story = Story::begin(world, "four", 4, &names.map(|name| VmFile::new(name, small))).await?;
        for name in names {
            story.settled(name, small).await?;
        }
        let sizes: Vec<(&str, Size)> = names.iter().map(|name| (*name, large)).collect();
        let (pushed, _) = story.push(&sizes)?;
        for name in names {
            let after = story.settled(name, large).await?;
            assert_eq!(after.limits.oom_kills, 0);
            let vm = story.vm(name).await?;
            assert_eq!(vm.metadata.annotations.unwrap()["reef.dev/revision"], pushed.id);
        }
        story.end().await
    });
}

#[test]
fn a_vm_that_is_deleted_in_the_middle_comes_back_from_git_at_the_new_size() {
    play(async |world| {
        let (small, large) = (size(1, 256), size(2, 1024));
        let story = Story::begin(world, "deleted", 1, &[VmFile::new("web-1", small)]).await?;
        let before = story.settled("web-1", small).await?;
        story.push(&[("web-1", large)])?;
        story.begun("web-1", large).await?;
        story.vms().delete("web-1", &DeleteParams::default()).await?;
        let after = story.settled("web-1", large).await?;
        assert_ne!((&after.uid, &after.guest.boot), (&before.uid, &before.guest.boot));
        story.end().await
    });
}
