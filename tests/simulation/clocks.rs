//! Clocks that differ and clocks that are set while something is waited for: each wait is as long as it is meant to be.

use crate::fleet::size;
use crate::kubelet::quirk;
use crate::story::{Story, aim, message};
use jiff::Timestamp;
use reef::simulation::{World, deterministic};
use reef_sim::cluster::VirtualClock;
use reef_sim::node::Quirks;
use std::sync::Arc;

const HOUR: i64 = 3600;

/// One VM on a cluster whose clock, and that of its kubelets, is off from the controller's by so many seconds.
async fn apart(seed: u64, seconds: i64) -> Story {
    let base = Timestamp::from_second(1_800_000_000 + seconds).unwrap();
    let world = World::start_in(seed, |options| options.clock = Arc::new(VirtualClock::starting_at(base)));
    Story::on(world.await.unwrap(), 1).await
}

/// How many seconds pass until `so`, at most.
async fn seconds_until(most: u64, so: impl Fn() -> bool) -> u64 {
    for second in 0..most {
        if so() {
            return second;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    panic!("it is not so after {most} seconds")
}

impl Story {
    /// A growth that the kubelets defer from now on.
    async fn deferred(&mut self) {
        self.kubelets(quirk(|quirks| quirks.defers = true)).await;
        self.resize("web-1", size(4, 4));
        self.says("web-1", "Deferred", 30).await;
    }

    async fn lease(&self) -> u64 {
        seconds_until(1300, || self.told("web-1", "VMResizeReverted") > 0).await
    }
}

#[test]
fn a_lease_is_as_long_on_a_node_whose_clock_is_an_hour_ahead_or_behind() {
    for off in [HOUR, -HOUR] {
        deterministic(async {
            let mut story = apart(1, off).await;
            story.deferred().await;
            let lease = story.lease().await;
            assert!((598..=602).contains(&lease), "{off}: {lease} s");
            story.kubelets(Quirks::default()).await;
            story.settles(900).await;
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_clock_that_is_set_during_a_lease_or_the_pause_after_it_ends_neither_sooner_nor_much_later() {
    for off in [HOUR, -HOUR] {
        deterministic(async {
            let mut story = Story::of(2, 1).await;
            story.deferred().await;
            story.wait(60).await;
            story.world.set_clock(off);
            let lease = 60 + story.lease().await;
            assert!((540..=660).contains(&lease), "{off}: a lease of {lease} s");
            assert_eq!(aim(&story.vm("web-1")), Some(size(2, 2)));
            story.world.set_clock(-off);
            let tries = |story: &Story| story.pod_sizes("web-1")[0]["limits"]["memory"] != "2304Mi";
            let pause = seconds_until(1300, || tries(&story)).await;
            assert!((540..=660).contains(&pause), "{off}: a pause of {pause} s");
            story.kubelets(Quirks::default()).await;
            story.settles(60).await;
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_controller_that_starts_with_a_clock_set_back_waits_for_another_lease_and_no_more() {
    deterministic(async {
        let mut story = Story::of(3, 1).await;
        story.deferred().await;
        story.wait(300).await;
        story.world.set_clock(-HOUR);
        story.world.start_controller();
        let lease = story.lease().await;
        assert!((595..=620).contains(&lease), "{lease} s");
        story.kubelets(Quirks::default()).await;
        story.settles(900).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_clock_that_is_set_during_a_pause_before_a_start_changes_little_about_it() {
    for off in [0, HOUR, -HOUR] {
        deterministic(async {
            let story = Story::of(4, 1).await;
            story.world.cluster.kill_vmm(&story.pod("web-1")).unwrap();
            story.says("web-1", "Ended", 30).await;
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            story.world.set_clock(off);
            let vm = reef_api::VmKey::new("default", "web-1");
            let pause = 3 + seconds_until(60, || story.world.cluster.pod_of(&vm).is_some()).await;
            assert!((9..=22).contains(&pause), "{off}: {pause} s");
            story.settles(120).await;
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_clock_that_is_set_while_the_kubelet_is_waited_for_calls_nobody_late() {
    for off in [HOUR, -HOUR] {
        deterministic(async {
            let mut story = Story::of(5, 1).await;
            story.kubelets(quirk(|quirks| quirks.stalls = true)).await;
            story.resize("web-1", size(4, 4));
            story.says("web-1", "RaisingPod", 30).await;
            story.wait(60).await;
            story.world.set_clock(off);
            let late = |story: &Story| message(&story.vm("web-1")).contains("more than 5 minutes");
            let told = 60 + seconds_until(700, || late(&story)).await;
            assert!((270..=335).contains(&told), "{off}: told after {told} s");
            story.kubelets(Quirks::default()).await;
            story.settles(60).await;
            story.rests().await;
        })
        .unwrap();
    }
}
