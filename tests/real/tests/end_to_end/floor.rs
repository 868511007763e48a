//! Reef against a person who does the same by hand, and a person who does it in the wrong order.

use anyhow::Context;
use reef_api::Size;

use crate::guest::Order;
use crate::hand::HandPod;
use crate::manifest::VmFile;
use crate::report;
use crate::sizes::size;
use crate::story::Story;
use crate::timeline::now;
use crate::world::play;

/// Sizes that a VM grows through. Always upwards: a QEMU that emulates the processor lives through no vCPU that is added
/// after a removal.
const SIZES: [Size; 4] = [size(1, 256), size(2, 768), size(3, 1280), size(4, 1792)];
/// The node has fewer CPUs than that.
const OVERCOMMIT: u32 = 4;

/// What growths took, in milliseconds.
#[derive(Default)]
struct Took {
    guest: Vec<i64>,
    settled: Vec<i64>,
}

#[test]
fn growth_by_reef_is_measured_against_the_same_by_hand() {
    play(async |world| {
        let story = Story::begin(world, "floor", OVERCOMMIT, &[VmFile::new("web-1", SIZES[0])]).await?;
        story.settled("web-1", SIZES[0]).await?;
        let template = story.pods("web-1").await?.pop().unwrap();
        let reef = by_reef(&story).await?;
        story.halt("web-1").await?;
        let pod = HandPod::start(world, &story.client, &story.namespace, &template).await?;
        let hand = by_hand(&story, &pod).await?;
        pod.end().await?;
        for (index, [from, to]) in SIZES.array_windows().enumerate() {
            report::by_hand(&format!("grow: {from} to {to}"), hand.guest[index])?;
        }
        let hundredths = |took: &[i64]| took.iter().sum::<i64>() * 100 / hand.guest.iter().sum::<i64>();
        report::against_floor(hundredths(&reef.settled), hundredths(&reef.guest))?;
        report::fact("growth by Reef until settled, ms", format!("{:?}", reef.settled))?;
        report::fact("growth by Reef until the guest has it, ms", format!("{:?}", reef.guest))?;
        report::fact("growth by hand until the guest has it, ms", format!("{:?}", hand.guest))?;
        story.end().await
    });
}

async fn by_reef(story: &Story) -> anyhow::Result<Took> {
    let mut took = Took::default();
    for size in SIZES.into_iter().skip(1) {
        let (_, pushed) = story.push(&[("web-1", size)])?;
        let running = story.settled("web-1", size).await?;
        let there = story.lines(&running).into_iter().find(|line| line.at > pushed && line.has(size));
        took.guest.push(there.context("the guest has it")?.at - pushed);
        let entries = story.timeline.entries();
        let settled = entries.iter().find(|entry| entry.at > pushed && is_settled_at(entry, size));
        took.settled.push(settled.context("the VM is settled")?.at - pushed);
    }
    Ok(took)
}

/// A person who knows what to do, and whose hand is as fast as a program.
async fn by_hand(story: &Story, pod: &HandPod) -> anyhow::Result<Took> {
    let mut took = Took::default();
    let up = async || Ok(story.look(&pod.get().await?).filter(|it| it.guest.has(SIZES[0])));
    story.until("the guest by hand is up", up).await?;
    for size in SIZES.into_iter().skip(1) {
        let begun = now();
        pod.patch(size, OVERCOMMIT).await?;
        pod.resized(size).await?;
        pod.ask_vmm(size, SIZES[0])?;
        let there = async || {
            let Some(running) = story.look(&pod.get().await?) else { return Ok(None) };
            Ok(story.lines(&running).into_iter().find(|line| line.at > begun && line.has(size)))
        };
        took.guest.push(story.until("the guest by hand has it", there).await?.at - begun);
    }
    Ok(took)
}

fn is_settled_at(entry: &crate::timeline::Entry, size: reef_api::Size) -> bool {
    matches!(&entry.object, crate::timeline::Object::Vm(vm) if vm.is_settled() && vm.actual() == Some(size))
}

#[test]
fn the_same_guest_is_killed_when_its_memory_is_raised_before_its_pod() {
    play(async |world| {
        let (small, large) = (size(1, 256), size(1, 1536));
        let story = Story::begin(world, "wrong-order", 1, &[VmFile::new("web-1", small)]).await?;
        story.settled("web-1", small).await?;
        let template = story.pods("web-1").await?.pop().unwrap();
        story.halt("web-1").await?;
        let pod = HandPod::start(world, &story.client, &story.namespace, &template).await?;
        story
            .until("the guest by hand is up", async || {
                Ok(story.look(&pod.get().await?).filter(|it| it.guest.has(small)))
            })
            .await?;
        pod.ask_vmm(large, small)?;
        let seen = story.until("the guest has memory that its Pod has not", async || {
            Ok(story.look(&pod.get().await?).filter(|it| it.guest.has(large)))
        });
        let seen = seen.await?;
        assert!(seen.limits.memory < large.memory.0, "its Pod was not asked: {:?}", seen.limits);
        story.write_order("web-1", Order::Eat(64))?;
        let killed = story.until("the kernel kills it", async || {
            let pod = pod.get().await?;
            let statuses = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
            Ok(statuses
                .into_iter()
                .find_map(|status| status.state?.terminated)
                .map(|ended| (ended.reason, ended.exit_code)))
        });
        let (reason, code) = killed.await?;
        assert!(reason.as_deref() == Some("OOMKilled") || code == 137, "{reason:?} {code}");
        pod.end().await?;
        story.end().await
    });
}
