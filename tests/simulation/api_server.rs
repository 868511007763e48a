//! An API server that loses requests and replies, refuses, is busy, or whose watches are cut, late or silent.

use crate::fleet::size;
use crate::story::Story;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reef::simulation::deterministic;
use reef_api::Size;
use reef_sim::api::{Failure, Fault, RequestFacts, WatchFailure};
use serde_json::Value;
use std::time::Duration;

/// Growth, shrink, and one of each.
const fn changes() -> [(u32, u64); 3] {
    [(4, 4), (2, 1), (3, 2)]
}

fn fails(failure: Failure) -> Fault {
    Fault { failure, ..Fault::default() }
}

fn watch(facts: &RequestFacts) -> bool {
    facts.query.contains_key("watch")
}

fn writes(facts: &RequestFacts) -> bool {
    facts.method.as_str() != "GET"
}

/// Goes through the changes, and tells what is there in the end.
async fn goes_through(story: &mut Story, seconds: u64) -> Value {
    for (vcpus, gib) in changes() {
        story.resize("web-1", size(vcpus, gib));
        story.settles(seconds).await;
    }
    story.world.faults.clear();
    story.settles(seconds).await;
    story.rests().await;
    story.masked()
}

async fn reference() -> Reference {
    let mut story = Story::of(1, 1).await;
    let end = goes_through(&mut story, 120).await;
    (end, story.world.faults.writes(), story.pod_resizes("web-1"))
}

/// What is there without a fault, how many writes it took, and how often the Pod was changed.
type Reference = (Value, usize, i64);

/// The same end as without a fault, with at most so many more writes.
async fn comes_through(
    (end, writes, resizes): &Reference,
    hook: impl FnMut(&RequestFacts) -> Fault + Send + 'static,
    more: usize,
    what: &str,
) {
    let mut story = Story::of(1, 1).await;
    story.world.faults.set(hook);
    assert_eq!(goes_through(&mut story, 600).await, *end, "{what}");
    let written = story.world.faults.writes();
    assert!(written <= writes + more, "{what}: {written} writes instead of {writes}");
    let resized = story.pod_resizes("web-1");
    assert!(resized <= resizes + 3, "{what}: the Pod was changed {resized} times instead of {resizes}");
}

/// How many of the reference's writes come before the first VM has settled.
const FIRST_WRITES: usize = 10;

/// Fails one write in each story: the `first`, and each `step` further.
fn at_writes(failure: Failure, first: usize, step: usize) {
    let reference = deterministic(reference()).unwrap();
    for k in (first..=reference.1 - FIRST_WRITES).step_by(step) {
        let mut count = 0;
        let hook = move |facts: &RequestFacts| {
            count += usize::from(writes(facts));
            if writes(facts) && count == k { fails(failure) } else { Fault::default() }
        };
        deterministic(comes_through(&reference, hook, 12, &format!("{failure:?} at write {k}"))).unwrap();
    }
}

#[test]
fn a_request_that_is_lost_at_any_write_changes_nothing_about_the_end() {
    at_writes(Failure::DropBefore, 1, 2);
}

#[test]
fn a_reply_that_is_lost_at_any_write_causes_no_second_resize_and_no_second_event() {
    at_writes(Failure::DropAfter, 1, 1);
}

#[test]
fn a_server_error_at_any_write_changes_nothing_about_the_end() {
    at_writes(Failure::Status(500), 2, 2);
}

#[test]
fn a_conflict_at_any_write_is_read_and_decided_anew() {
    at_writes(Failure::Status(409), 1, 2);
}

/// One request in three is answered so.
fn one_in_three(failure: Failure) -> impl FnMut(&RequestFacts) -> Fault + Send {
    let mut chance = ChaCha8Rng::seed_from_u64(7);
    move |facts| if !watch(facts) && chance.random_bool(0.33) { fails(failure) } else { Fault::default() }
}

#[test]
fn requests_that_fail_again_and_again_are_repeated_within_bounds() {
    let reference = deterministic(reference()).unwrap();
    let failures = [429, 500, 503, 504].map(Failure::Status).into_iter();
    for failure in failures.chain([Failure::DropBefore, Failure::DropAfter]) {
        deterministic(comes_through(&reference, one_in_three(failure), 60, &format!("{failure:?}"))).unwrap();
    }
}

#[test]
fn a_server_that_is_away_for_an_hour_is_not_pressed_and_found_again() {
    for failure in [Failure::DropBefore, Failure::Status(503), Failure::Status(429)] {
        deterministic(async {
            let mut story = Story::of(2, 2).await;
            story.world.faults.set(move |_| fails(failure));
            story.world.server.drop_watches();
            story.resize("web-1", size(4, 1));
            let before = story.world.faults.calls().len();
            story.wait(3600).await;
            let calls = story.world.faults.calls().len() - before;
            // Nine watches that are opened anew each half minute, and the few writes.
            assert!(calls < 3000, "{failure:?}: {calls} calls in an hour");
            let view = story.world.cluster.vmm_view(&story.pod("web-1")).unwrap();
            assert_eq!(view.vcpus_present, 2, "nothing is done without the API server");
            story.world.faults.clear();
            story.settles(400).await;
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_request_that_hangs_is_given_up_and_what_it_did_is_looked_up() {
    let mut count = 0;
    let hook = move |facts: &RequestFacts| {
        count += usize::from(writes(facts));
        let hangs = writes(facts) && count % 4 == 0;
        Fault { reply_delay: Duration::from_secs(if hangs { 60 } else { 0 }), ..Fault::default() }
    };
    deterministic(async { comes_through(&reference().await, hook, 60, "hanging replies").await }).unwrap();
}

#[test]
fn a_request_that_arrives_after_it_was_given_up_breaks_nothing() {
    let mut count = 0;
    let hook = move |facts: &RequestFacts| {
        count += usize::from(writes(facts));
        let late = writes(facts) && count % 4 == 0;
        Fault { delay: Duration::from_secs(if late { 25 } else { 0 }), ..Fault::default() }
    };
    deterministic(async { comes_through(&reference().await, hook, 60, "late requests").await }).unwrap();
}

/// Opens every watch anew, with a fault on all of them from now on.
async fn with_watches(failure: WatchFailure) {
    let (end, _, _) = reference().await;
    let mut story = Story::of(1, 1).await;
    story.world.faults.set(move |_| Fault { watch: failure, ..Fault::default() });
    story.world.server.drop_watches();
    story.wait(5).await;
    assert_eq!(goes_through(&mut story, 3600).await, end, "{failure:?}");
}

#[test]
fn watches_that_are_cut_or_late_or_silent_only_cost_time() {
    let seconds = Duration::from_secs;
    let failures = [
        WatchFailure::Ends(seconds(2)),
        WatchFailure::Ends(Duration::from_millis(100)),
        WatchFailure::Late(seconds(5)),
        WatchFailure::Late(Duration::from_millis(300)),
        WatchFailure::Freezes(seconds(1)),
        WatchFailure::Freezes(seconds(20)),
    ];
    for failure in failures {
        deterministic(with_watches(failure)).unwrap();
    }
}

#[test]
fn compaction_at_any_moment_is_followed_by_a_new_list_and_nothing_is_done_twice() {
    deterministic(async {
        let (end, writes, resizes) = reference().await;
        let mut story = Story::of(1, 1).await;
        let (server, store) = (story.world.server.clone(), story.world.cluster.store().clone());
        let compacts = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(700)).await;
                store.compact();
                server.drop_watches();
            }
        });
        for (vcpus, gib) in changes() {
            story.resize("web-1", size(vcpus, gib));
            story.settles(300).await;
        }
        compacts.abort();
        story.settles(60).await;
        story.rests().await;
        assert_eq!((story.masked(), story.pod_resizes("web-1") <= resizes + 2), (end, true));
        assert!(story.world.faults.writes() <= writes + 12, "{} writes, {writes} without", story.world.faults.writes());
    })
    .unwrap();
}

#[test]
fn a_controller_and_a_daemon_with_views_of_different_age_never_break_containment() {
    for seed in 0..6 {
        deterministic(async {
            let mut story = Story::of(seed, 2).await;
            let late = if seed % 2 == 0 { "controller" } else { "node-" };
            story.world.faults.set(move |facts| {
                let watch = if facts.user_agent.starts_with(late) {
                    WatchFailure::Late(Duration::from_millis(700 * (seed + 1)))
                } else {
                    WatchFailure::None
                };
                Fault { watch, ..Fault::default() }
            });
            story.world.server.drop_watches();
            let sizes: [Size; 6] = [size(4, 1), size(1, 4), size(4, 4), size(1, 1), size(3, 2), size(2, 3)];
            for wanted in sizes {
                story.state("web-1", wanted);
                story.resize("web-2", wanted);
                tokio::time::sleep(Duration::from_millis(600 * (seed + 1))).await;
            }
            story.settles(600).await;
            story.world.faults.clear();
            story.rests().await;
        })
        .unwrap();
    }
}

/// The first creation of a Pod arrives 25 s late: it was given up, repeated, and the Pod that came of that was deleted.
async fn with_a_creation_on_its_way() -> Story {
    let mut story = Story::of(1, 1).await;
    let mut creations = 0;
    story.world.faults.set(move |facts| {
        let creates = facts.user_agent == "controller" && facts.method == "POST" && facts.path.ends_with("/pods");
        creations += usize::from(creates);
        Fault { delay: Duration::from_secs(if creates && creations == 1 { 25 } else { 0 }), ..Fault::default() }
    });
    story.resize("web-2", size(2, 2));
    story.wait(20).await;
    let pods: Api<Pod> = Api::namespaced(story.world.server.client(), "default");
    pods.delete(&story.pod("web-2").name, &DeleteParams::default().grace_period(0)).await.unwrap();
    story
}

#[test]
fn a_pod_that_comes_late_and_unseen_is_looked_for_until_a_look_is_answered() {
    deterministic(async {
        let story = with_a_creation_on_its_way().await;
        let mut looks = 0;
        story.world.faults.set(move |facts| {
            let looks_for = facts.user_agent == "controller" && facts.method == "GET" && facts.path.contains("/pods/");
            looks += usize::from(looks_for);
            let failure = if looks_for && looks <= 3 { Failure::Status(500) } else { Failure::None };
            let freezes = WatchFailure::Freezes(Duration::from_millis(1));
            let watch = if facts.user_agent == "controller" { freezes } else { WatchFailure::None };
            Fault { failure, watch, ..Fault::default() }
        });
        story.world.server.drop_watches();
        for _ in 0..90 {
            story.wait(1).await;
            assert!(story.pods("web-2").len() <= 1, "two VMMs write to one disk");
        }
        let calls = story.world.faults.calls();
        let looks = calls.iter().filter(|call| call.role == "controller" && call.path.contains("/pods/"));
        assert!(looks.count() > 3, "a look that failed is repeated");
        story.world.faults.clear();
        story.world.server.drop_watches();
        story.settles(400).await;
        story.rests().await;
    })
    .unwrap();
}
