//! Growing, shrinking, and both at once: one VM, several, and one that is deleted in the middle.

use reef_api::{Bytes, MIB, Size, Vcpus};

use crate::guest::Line;
use crate::manifest::VmFile;
use crate::report::{self, Measured};
use crate::stages::{Asked, stages};
use crate::story::{Running, Story, restarts};
use crate::world::{World, play};

/// A size in whole mebibytes.
pub const fn size(vcpus: u32, mib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(mib * MIB.get()))
}

/// Resizes one VM, checks that it is the same boot with the right difference in memory, and puts it into the report.
async fn resize(
    world: &World,
    story: &Story,
    name: &str,
    kind: &str,
    before: &Running,
    from: Size,
    to: Size,
) -> anyhow::Result<Running> {
    let (commit, at) = story.push(&[(name, to)])?;
    let after = story.settled(name, to).await?;
    same_machine(&before.guest, &after.guest);
    let delta = i128::from(after.guest.total_kib) - i128::from(before.guest.total_kib);
    assert_eq!(delta * 1024, i128::from(to.memory.0) - i128::from(from.memory.0), "MemTotal moves by what was plugged");
    let asked = Asked { vm: name, commit: &commit.id, size: to, at };
    let lines = story.lines(&after);
    let stages = stages(&asked, &story.timeline.entries(), &lines, &world.controller, &world.daemon);
    report::resize(Measured { resize: format!("{kind}: {from} to {to}"), stages })?;
    Ok(after)
}

/// The guest was neither started anew nor bereft of a process.
pub fn same_machine(before: &Line, after: &Line) {
    assert_eq!((&after.boot, after.killed), (&before.boot, before.killed));
}

#[test]
fn a_pushed_size_is_seen_by_the_guest_growing_shrinking_and_mixed() {
    play(async |world| {
        let first = size(1, 512);
        // No vCPU is added after one was removed: a QEMU that emulates the processor does not live through that.
        let story = Story::begin(world, "sizes", 4, &[VmFile::new("web-1", first)]).await?;
        let mut now = story.settled("web-1", first).await?;
        let mut from = first;
        for (kind, to) in [
            ("grow", size(2, 1024)),
            ("more vCPUs, less memory", size(3, 256)),
            ("fewer vCPUs, more memory", size(2, 768)),
            ("shrink", size(1, 384)),
        ] {
            now = resize(world, &story, "web-1", kind, &now, from, to).await?;
            from = to;
        }
        let pods = story.pods("web-1").await?;
        assert_eq!((pods.len(), restarts(&pods[0])), (1, 0));
        assert_eq!(now.limits.oom_kills, 0);
        for name in ["controller", "daemon"] {
            let memory = world.cluster.lock().await.memory_kib(name).await?;
            report::fact(&format!("memory of the {name} (built for debugging)"), format!("{memory} KiB"))?;
        }
        story.end().await
    });
}
