//! Two controllers and one Lease on a real API server: one acts, and the other goes on where it was killed, stopped or told to end.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use reef_api::Size;

use tokio::time::Instant;

use crate::stand::{Stand, Story, size, soon};

/// For how long nobody else takes a lease, one renewal where the answer to the first was not waited for, and a moment to notice its end.
const TAKEN_OVER: Duration = Duration::from_secs(30 + 10 + 8);
const ELECT: [&str; 1] = ["--leader-elect"];
const NAMES: [&str; 2] = ["first", "second"];

/// What a controller has logged.
fn log(stand: &Stand, name: &str) -> String {
    std::fs::read_to_string(stand.cluster.logs().join(format!("{name}.log"))).unwrap_or_default()
}

/// How often a controller has become the leader.
fn led(stand: &Stand, name: &str) -> usize {
    log(stand, name).matches("this process leads").count()
}

/// Two controllers, one of which leads. Its name comes first.
async fn pair(stand: &mut Stand) -> Result<[&'static str; 2]> {
    for name in NAMES {
        stand.controller(name, &ELECT).await?;
    }
    let leader = soon("one of them leads", async || Ok(NAMES.into_iter().find(|name| led(stand, name) == 1))).await?;
    let other = NAMES.into_iter().find(|name| *name != leader).context("there are two")?;
    soon("the other stands by", async || Ok(log(stand, other).contains("standing by").then_some(()))).await?;
    Ok([leader, other])
}

/// Pushes a size, and waits until the resize has begun and not ended.
async fn begun(story: &Story, wanted: Size) -> Result<()> {
    story.push(wanted)?;
    soon("the resize has begun", async || {
        let status = story.vm().await?.status.unwrap_or_default();
        Ok(status.resize.filter(|resize| resize.target == wanted).map(drop))
    })
    .await
}

/// How often the Pod of a VM was resized: nothing is asked for twice.
async fn resized(story: &Story) -> Result<i64> {
    Ok(story.pod().await?.metadata.generation.context("a generation")? - 1)
}

/// Events of one reason: their names keep any from being told twice.
async fn told(story: &Story, reason: &str) -> Result<usize> {
    let events = Api::<Event>::namespaced(story.client.clone(), &story.namespace).list(&ListParams::default()).await?;
    let about = events.items.iter().filter(|event| event.reason.as_deref() == Some(reason));
    Ok(about.filter(|event| event.count.unwrap_or(1) == 1).count())
}

#[tokio::test]
async fn a_leader_that_is_killed_in_the_middle_is_followed_within_the_lease_and_nothing_is_done_twice() -> Result<()> {
    let mut stand = Stand::bare(&[]).await?;
    let [leader, other] = pair(&mut stand).await?;
    let story = stand.story("failover", size(1, 1)).await?;
    begun(&story, size(3, 3)).await?;
    let killed = Instant::now();
    stand.cluster.kill_program(leader).await?;
    soon("the other leads", async || Ok((led(&stand, other) == 1).then_some(()))).await?;
    let taken_over = killed.elapsed();
    story.settles(size(3, 3)).await?;
    ensure!(taken_over < TAKEN_OVER, "it took {taken_over:?}");
    println!(
        "failover after {:.1} s, settled {:.1} s after the leader was killed",
        taken_over.as_secs_f64(),
        killed.elapsed().as_secs_f64()
    );
    ensure!(resized(&story).await? == 1, "the Pod was resized {} times", resized(&story).await?);
    ensure!(
        told(&story, "VMResizeCompleted").await? == 1 && told(&story, "VMResizeInitiated").await? == 1,
        "each is told once"
    );
    // It comes back and stands by; the next size is the other one's work.
    stand.controller(leader, &ELECT).await?;
    story.push(size(2, 2))?;
    story.settles(size(2, 2)).await?;
    ensure!((led(&stand, leader), led(&stand, other)) == (1, 1), "the lease stays where it is");
    // Told to end, a leader gives the lease back: nobody waits for its end.
    stand.cluster.signal(other, "TERM").await?;
    let ended = Instant::now();
    soon("the first one leads again", async || Ok((led(&stand, leader) == 2).then_some(()))).await?;
    println!("handed over after {:.1} s", ended.elapsed().as_secs_f64());
    story.push(size(1, 1))?;
    story.settles(size(1, 1)).await
}

#[tokio::test]
async fn a_leader_that_slept_through_its_lease_sends_nothing_and_ends() -> Result<()> {
    let mut stand = Stand::bare(&[]).await?;
    let [leader, other] = pair(&mut stand).await?;
    let story = stand.story("asleep", size(1, 1)).await?;
    stand.cluster.signal(leader, "STOP").await?;
    story.push(size(2, 2))?;
    story.settles(size(2, 2)).await?;
    ensure!(led(&stand, other) == 1, "the other has done it");
    let leases = Api::<Lease>::namespaced(stand.client.clone(), "reef-system");
    let holder =
        async || Ok::<_, anyhow::Error>(leases.get("reef-controller").await?.spec.context("a spec")?.holder_identity);
    let held_by = holder().await?;
    stand.cluster.signal(leader, "CONT").await?;
    soon("the one that slept has ended", async || Ok(log(&stand, leader).contains("the lease was lost").then_some(())))
        .await?;
    ensure!(resized(&story).await? == 1, "it has asked for nothing");
    ensure!(holder().await? == held_by, "the lease stays with the other");
    story.push(size(3, 3))?;
    story.settles(size(3, 3)).await?;
    // Without its lease nobody acts; who comes next makes it anew.
    leases.delete("reef-controller", &DeleteParams::default()).await?;
    soon("the leader ends", async || Ok(log(&stand, other).contains("the lease was lost").then_some(()))).await?;
    stand.controller("third", &ELECT).await?;
    story.push(size(1, 1))?;
    story.settles(size(1, 1)).await?;
    ensure!((led(&stand, "third"), resized(&story).await?) == (1, 3), "one of them acts");
    Ok(())
}
