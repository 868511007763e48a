//! Roles that are killed at every request and at any moment: they go on where the world stands, and it ends as if nothing had happened.

use crate::fleet::size;
use crate::story::Story;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reef::simulation::deterministic;
use reef_api::Size;
use reef_sim::api::{Failure, Fault};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::mpsc;

/// Where a role dies around one of its requests.
#[derive(Clone, Copy, Debug)]
enum Dies {
    /// Before it was sent.
    Before,
    /// After it was sent, and before the answer came.
    Sent,
    /// Just after the answer.
    After,
}

/// Growth, shrink, and one of each; the last brings the VM back to where it began.
fn changes() -> [Size; 3] {
    [size(4, 4), size(2, 1), size(3, 2)]
}

/// Goes through the changes without any fault: what is there after each.
async fn reference(seed: u64) -> Vec<Value> {
    let mut story = Story::of(seed, 1).await;
    let mut ends = Vec::new();
    for size in changes() {
        story.resize("web-1", size);
        story.settles(120).await;
        ends.push(story.masked());
    }
    ends
}

/// The same, and in each change the role dies at its `k`-th request. Tells how many of the changes had so many.
async fn crashing(seed: u64, role: &'static str, k: usize, dies: Dies, expected: &[Value]) -> usize {
    let mut story = Story::of(seed, 1).await;
    let role = if role == "daemon" { story.vm("web-1").status.unwrap().node_name.unwrap() } else { role.to_owned() };
    let mut crashes = 0;
    for (size, expected) in changes().into_iter().zip(expected) {
        let mut reached = at_request(&story, &role, k, dies);
        story.resize("web-1", size);
        let crashed = tokio::select! {
            biased;
            reached = reached.recv() => reached.is_some(),
            () = story.settles(120) => false,
        };
        if crashed {
            crashes += 1;
            if matches!(dies, Dies::After) {
                tokio::time::sleep(Duration::from_millis(8)).await;
            }
            story.world.kill(&role);
            tokio::time::sleep(Duration::from_millis(500)).await;
            if role == "controller" { story.world.start_controller() } else { story.world.start_daemon(&role) }
        }
        story.world.faults.clear();
        story.settles(180).await;
        assert_eq!(story.masked(), *expected, "seed {seed}, {role} dies {dies:?} its request {k}");
    }
    assert_eq!(story.told("web-1", "VMResizeCompleted"), 3, "{role} dies {dies:?} its request {k}");
    story.rests().await;
    crashes
}

/// Tells when a role sends its `k`-th request from now on, watches not counted.
fn at_request(story: &Story, role: &str, k: usize, dies: Dies) -> mpsc::UnboundedReceiver<()> {
    let (tell, reached) = mpsc::unbounded_channel();
    let (role, mut count) = (role.to_owned(), 0);
    story.world.faults.set(move |facts| {
        if facts.user_agent != role || facts.query.contains_key("watch") {
            return Fault::default();
        }
        count += 1;
        if count != k {
            return Fault::default();
        }
        let _ = tell.send(());
        let failure = if matches!(dies, Dies::Before) { Failure::DropBefore } else { Failure::None };
        Fault { failure, ..Fault::default() }
    });
    reached
}

fn dies_at_every_request(role: &'static str, dies: Dies) {
    let expected = deterministic(reference(1)).unwrap();
    let mut points = 0;
    for k in 1.. {
        let crashes = deterministic(crashing(1, role, k, dies, &expected)).unwrap();
        points += crashes;
        if crashes == 0 {
            break;
        }
    }
    assert!(points >= 6, "only {points} points were tried");
}

#[test]
fn a_controller_that_dies_before_any_of_its_requests_goes_on_where_the_world_stands() {
    dies_at_every_request("controller", Dies::Before);
}

#[test]
fn a_controller_that_dies_without_the_answer_to_any_of_its_requests_goes_on_where_the_world_stands() {
    dies_at_every_request("controller", Dies::Sent);
}

#[test]
fn a_controller_that_dies_after_the_answer_to_any_of_its_requests_goes_on_where_the_world_stands() {
    dies_at_every_request("controller", Dies::After);
}

#[test]
fn a_daemon_that_dies_around_any_of_its_requests_goes_on_where_the_world_stands() {
    for dies in [Dies::Before, Dies::Sent, Dies::After] {
        dies_at_every_request("daemon", dies);
    }
}

/// Two VMs of one commit, and whoever dies when chance says so, often before it has listed everything.
async fn at_random(seed: u64) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut story = Story::of(seed, 2).await;
    for size in changes() {
        story.state("web-1", size);
        story.state("web-2", Size::new(reef_api::Vcpus(5), size.memory));
        story.push("both");
        for _ in 0..4 {
            let role = ["controller", "node-1", "node-2"][chance.random_range(0..3)];
            tokio::time::sleep(Duration::from_millis(chance.random_range(1..1500))).await;
            story.world.kill(role);
            tokio::time::sleep(Duration::from_millis(chance.random_range(1..1500))).await;
            if role == "controller" { story.world.start_controller() } else { story.world.start_daemon(role) }
        }
    }
    story.settles(300).await;
    story.rests().await;
}

#[test]
fn roles_that_die_again_and_again_at_any_moment_leave_nothing_half_done() {
    for seed in 0..6 {
        println!("seed {seed}");
        deterministic(at_random(seed)).unwrap();
    }
}
