//! Reef against a person who does the same by hand, and a person who does it in the wrong order.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

use crate::guest::Order;
use crate::hand::HandPod;
use crate::manifest::VmFile;
use crate::report;
use crate::sizes::size;
use crate::stages::has;
use crate::story::Story;
use crate::timeline::now;
use crate::world::play;

/// Growths by Reef and by hand, one after the other; the median of each counts.
const ROUNDS: usize = 3;

#[test]
fn growth_by_reef_is_measured_against_the_same_by_hand() {
    play(async |world| {
        let (small, large) = (size(1, 256), size(2, 1024));
        let story = Story::begin(world, "floor", 1, &[VmFile::new("web-1", small)]).await?;
        let mut by_reef = Vec::new();
        let mut template: Option<Pod> = None;
        for _ in 0..ROUNDS {
            story.settled("web-1", small).await?;
            template = story.pods("web-1").await?.pop();
            let (_, pushed) = story.push(&[("web-1", large)])?;
            story.settled("web-1", large).await?;
            let entries = story.timeline.entries();
            let settled = entries.iter().find(|entry| entry.at > pushed && is_settled_at(entry, large));
            by_reef.push(settled.map_or(i64::MAX, |entry| entry.at - pushed));
            story.push(&[("web-1", small)])?;
        }
        story.settled("web-1", small).await?;
        story.halt("web-1").await?;
        let mut by_hand = Vec::new();
        for _ in 0..ROUNDS {
            let pod = HandPod::start(world, &story.client, &story.namespace, template.as_ref().unwrap()).await?;
            story.until("the guest by hand is up", async || Ok(story.look(&pod.get().await?).filter(|it| has(&it.guest, small)))).await?;
            let begun = now();
            pod.patch(large).await?;
            pod.resized(large).await?;
            pod.ask_vmm(large, small)?;
            let there = story
                .until("the guest by hand has it", async || {
                    let Some(running) = story.look(&pod.get().await?) else { return Ok(None) };
                    Ok(story.lines(&running).into_iter().find(|line| line.at > begun && has(line, large)))
                })
                .await?;
            by_hand.push(there.at - begun);
            pod.end().await?;
            story.until("the Pod by hand is gone", async || Ok(story.bare_pods().await?.is_empty().then_some(()))).await?;
        }
        by_reef.sort_unstable();
        by_hand.sort_unstable();
        report::by_hand(&format!("grow: {small} to {large}"), by_hand[ROUNDS / 2])?;
        report::against_floor(by_reef[ROUNDS / 2] * 100 / by_hand[ROUNDS / 2])?;
        report::fact("growth, settled by Reef, ms", format!("{by_reef:?}"))?;
        report::fact("growth, by hand until the guest has it, ms", format!("{by_hand:?}"))?;
        story.end().await
    });
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
        story.until("the guest by hand is up", async || Ok(story.look(&pod.get().await?).filter(|it| has(&it.guest, small)))).await?;
        pod.ask_vmm(large, small)?;
        let seen = story.until("the guest has memory that its Pod has not", async || {
            Ok(story.look(&pod.get().await?).filter(|it| has(&it.guest, large)))
        });
        let seen = seen.await?;
        assert!(seen.limits.memory < large.memory.0, "its Pod was not asked: {:?}", seen.limits);
        story.write_order("web-1", Order::Eat(64))?;
        let killed = story.until("the kernel kills it", async || {
            let pod = pod.get().await?;
            let statuses = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
            Ok(statuses.into_iter().find_map(|status| status.state?.terminated).map(|ended| (ended.reason, ended.exit_code)))
        });
        let (reason, code) = killed.await?;
        assert!(reason.as_deref() == Some("OOMKilled") || code == 137, "{reason:?} {code}");
        tokio::time::sleep(Duration::from_millis(1)).await;
        pod.end().await?;
        story.end().await
    });
}
