//! Guests that do not give: memory that is held, a CPU that is not ejected, and a guest that eats all that it sees.

use std::time::Duration;

use reef_api::{MIB, Reason, Size};

use crate::guest::Order;
use crate::manifest::VmFile;
use crate::report;
use crate::sizes::{same_machine, size};
use crate::story::{Story, restarts};
use crate::world::play;

/// Long enough for a daemon that does not wait to have asked, and for a guest to have followed.
const QUIET: Duration = Duration::from_secs(6);

#[test]
fn a_shrink_waits_while_the_guest_holds_its_memory_and_kills_nobody() {
    play(async |world| {
        let (large, small) = (size(1, 1024), size(1, 384));
        let story = Story::begin(world, "pressure", 1, &[VmFile::new("db-1", large)]).await?;
        let before = story.settled("db-1", large).await?;
        story.order("db-1", Order::Hold(800)).await?;
        story.holding("db-1", 800).await?;
        story.push(&[("db-1", small)])?;
        story.waits_for("db-1", Reason::GuestPressure).await?;
        tokio::time::sleep(QUIET).await;
        let during = story.running("db-1").await?.unwrap();
        same_machine(&before.guest, &during.guest);
        assert_eq!(during.guest.total_kib, before.guest.total_kib, "nothing was taken from it");
        assert_eq!(during.guest.held_kib, 800 * 1024);
        story.order("db-1", Order::Release).await?;
        let after = story.settled("db-1", small).await?;
        same_machine(&before.guest, &after.guest);
        assert_eq!(after.limits.oom_kills, 0);
        story.end().await
    });
}

#[test]
fn a_guest_that_refuses_to_eject_a_cpu_keeps_it_and_its_memory_goes_on() {
    play(async |world| {
        let first = size(2, 512);
        let story = Story::begin(world, "eject", 1, &[VmFile::new("db-1", first)]).await?;
        let before = story.settled("db-1", first).await?;
        story.order("db-1", Order::RefuseEject).await?;
        story.push(&[("db-1", size(1, 768))])?;
        story.waits_for("db-1", Reason::CpuRemovalPending).await?;
        let held = |it: &crate::story::Running| {
            it.guest.cpus == 2 && it.guest.total_kib == before.guest.total_kib + 256 * 1024
        };
        let during = story
            .until("memory grows while the CPU stays", async || Ok(story.running("db-1").await?.filter(held)))
            .await?;
        assert!(during.limits.cpu >= 2000, "the Pod carries both CPUs while the guest has them");
        story.order("db-1", Order::AllowEject).await?;
        let after = story.settled("db-1", size(1, 768)).await?;
        same_machine(&before.guest, &after.guest);
        story.end().await
    });
}

/// Resizes that a greedy guest lives through.
const RESIZES: u64 = 50;
/// Between two pushes: shorter than a resize takes, so that many are overtaken on their way.
const BETWEEN: Duration = Duration::from_millis(2500);

#[test]
fn a_guest_that_eats_all_memory_at_once_is_never_killed_over_fifty_random_resizes() {
    play(async |world| {
        let first = size(1, 512);
        let story = Story::begin(world, "eater", 4, &[VmFile::new("db-1", first)]).await?;
        let before = story.settled("db-1", first).await?;
        story.order("db-1", Order::Eat(48)).await?;
        let (mut most_used, mut total) = (0, 0);
        for round in 0..RESIZES {
            let target = random_size(round);
            story.push(&[("db-1", target)])?;
            tokio::time::sleep(BETWEEN).await;
            let now = story.running("db-1").await?.unwrap();
            same_machine(&before.guest, &now.guest);
            assert_eq!(now.limits.oom_kills, 0, "round {round}, {target}: {now:?}");
            assert!(
                now.guest.total_kib * 1024 <= now.limits.memory,
                "round {round}: the guest has more than its Pod: {now:?}"
            );
            most_used = most_used.max(now.limits.most_used.unwrap_or(0));
            total = total.max(now.guest.total_kib);
        }
        assert!(total > 1024 * 1024, "it grew beyond a gibibyte on its way, or nothing was tried: {total} KiB");
        story.order("db-1", Order::Release).await?;
        let last = random_size(RESIZES - 1);
        let after = story.settled("db-1", last).await?;
        same_machine(&before.guest, &after.guest);
        let pods = story.pods("db-1").await?;
        assert_eq!((pods.len(), restarts(&pods[0])), (1, 0));
        report::fact(
            "greedy guest: resizes, most memory of its container",
            format!("{RESIZES}, {} MiB", most_used / MIB.get()),
        )?;
        story.end().await
    });
}

/// The same sizes in each run: 256Mi to 1536Mi in any order, and vCPUs that grow to three and then shrink to one, because
/// a QEMU that emulates the processor does not live through adding one after a removal.
fn random_size(round: u64) -> Size {
    let mixed = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
    let vcpus = match round * 5 / RESIZES {
        0 | 4 => 1,
        1 | 3 => 2,
        _ => 3,
    };
    size(vcpus, 256 + 128 * (mixed % 11))
}
