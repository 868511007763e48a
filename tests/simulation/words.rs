//! What a kubelet or an API server says, and does not do, or does, and does not say: nothing moves by words alone.

use crate::fleet::size;
use crate::kubelet::quirk;
use crate::story::{Story, aim, message, reason};
use reef::simulation::deterministic;
use reef_api::Phase;
use reef_sim::api::{Failure, Fault};
use reef_sim::node::Quirks;
use serde_json::{Value, json};

#[test]
fn a_kubelet_that_cannot_lower_a_limit_is_told_in_its_words_and_everything_else_goes_on() {
    deterministic(async {
        let mut story = Story::of(1, 2).await;
        story.kubelets(quirk(|quirks| quirks.keeps = true)).await;
        story.resize("web-1", size(2, 1));
        story.says("web-1", "PodResizeError", 120).await;
        let told = message(&story.vm("web-1"));
        assert!(told.contains("cannot decrease memory limits") && told.contains("below current usage"), "{told}");
        let [wish, allocated, actual] = story.pod_sizes("web-1");
        assert_eq!((&wish["limits"]["memory"], &allocated["memory"]), (&json!("1280Mi"), &json!("1280Mi")));
        assert_eq!((&actual["limits"]["memory"], story.real("web-1")), (&json!("2304Mi"), size(2, 1)));
        let writes = story.world.faults.writes();
        story.wait(3600).await;
        assert_eq!(story.world.faults.writes() - writes, 0, "a sentence with another number in it is no news");
        story.resize("web-2", size(3, 3));
        story.says("web-2", "Settled", 60).await;
        story.resize("web-1", size(3, 2));
        story.settles(120).await;
        story.kubelets(Quirks::default()).await;
        story.resize("web-1", size(1, 1));
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}

/// The Pod's status says that the wish is in effect, and nothing of it is.
fn promise(story: &Story, name: &str) {
    let promised = |pod: &mut Value| {
        let wish = pod["spec"]["containers"][0]["resources"].clone();
        pod["status"]["containerStatuses"][0]["resources"] = wish;
        let conditions = pod["status"]["conditions"].as_array_mut().unwrap();
        conditions.retain(|condition| condition["type"] != "PodResizeInProgress");
    };
    story.world.cluster.store().update(&story.pod(name), None, "kubelet", promised).unwrap();
}

#[test]
fn a_status_that_promises_what_the_cgroup_does_not_have_lets_nothing_grow() {
    deterministic(async {
        let mut story = Story::of(2, 1).await;
        story.kubelets(quirk(|quirks| quirks.stalls = true)).await;
        story.resize("web-1", size(4, 4));
        story.says("web-1", "RaisingPod", 30).await;
        story.wait(5).await;
        promise(&story, "web-1");
        story.wait(120).await;
        let view = story.world.cluster.vmm_view(&story.pod("web-1")).unwrap();
        assert_eq!((view.vcpus_requested, view.memory_requested_bytes), (2, size(2, 2).memory.get()));
        assert_eq!(reason(&story.vm("web-1")), "RaisingPod", "{}", message(&story.vm("web-1")));
        story.contained();
        story.kubelets(Quirks::default()).await;
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_server_that_does_not_know_the_resize_of_pods_is_told_and_asked_ever_less_often() {
    for code in [404, 405] {
        deterministic(async {
            let mut story = Story::of(3, 1).await;
            story.world.faults.set(move |facts| {
                let meets = facts.path.ends_with("/resize");
                Fault { failure: if meets { Failure::Status(code) } else { Failure::None }, ..Fault::default() }
            });
            let (pod, asked) = (story.pod_sizes("web-1"), resizes(&story));
            story.resize("web-1", size(4, 1));
            story.says("web-1", "Unsupported", 60).await;
            story.wait(3600).await;
            assert!(resizes(&story) - asked <= 8, "{code}: asked {} times in an hour", resizes(&story) - asked);
            assert_eq!((story.pod_sizes("web-1"), story.real("web-1")), (pod, size(2, 1)), "memory is free to go");
            story.world.faults.clear();
            story.wait(700).await;
            story.settles(60).await;
            story.rests().await;
        })
        .unwrap();
    }
}

fn resizes(story: &Story) -> usize {
    story.world.faults.calls().iter().filter(|call| call.path.ends_with("/resize")).count()
}

#[test]
fn a_status_that_can_never_be_written_keeps_its_own_vm_as_it_is_and_no_other() {
    for code in [403, 500] {
        deterministic(async {
            let mut story = Story::of(4, 2).await;
            story.world.faults.set(move |facts| {
                let meets = facts.user_agent == "controller" && facts.path.ends_with("/web-1/status");
                Fault { failure: if meets { Failure::Status(code) } else { Failure::None }, ..Fault::default() }
            });
            let (pod, writes) = (story.pod_sizes("web-1"), story.world.faults.writes());
            story.state("web-1", size(4, 1));
            story.resize("web-2", size(1, 4));
            story.says("web-2", "Settled", 60).await;
            story.wait(3600).await;
            assert_eq!((story.pod_sizes("web-1"), story.real("web-1")), (pod, size(2, 2)), "{code}");
            let written = story.world.faults.writes() - writes;
            assert!(written < 120, "{code}: {written} writes in an hour");
            assert_eq!(story.told("web-1", "VMResizeInitiated"), 1, "events are told before the status");
            story.world.faults.clear();
            story.settles(700).await;
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_vm_that_migrates_is_left_alone_and_follows_when_it_has_arrived() {
    deterministic(async {
        let mut story = Story::of(5, 2).await;
        story.machine("web-1", |machine| machine.hypervisor_mut().set_migrating(true)).await;
        story.state("web-1", size(4, 1));
        story.resize("web-2", size(3, 3));
        story.says("web-2", "Settled", 60).await;
        story.wait(120).await;
        let writes = story.world.faults.writes();
        story.wait(1800).await;
        assert_eq!(story.real("web-1"), size(2, 2), "{}", message(&story.vm("web-1")));
        assert!(story.world.faults.writes() - writes <= 4, "{} writes", story.world.faults.writes() - writes);
        assert_ne!((reason(&story.vm("web-1")).as_str(), aim(&story.vm("web-1"))), ("Settled", Some(size(2, 2))));
        story.machine("web-1", |machine| machine.hypervisor_mut().set_migrating(false)).await;
        story.settles(700).await;
        assert_eq!(story.phase("web-1"), Some(Phase::Running));
        story.rests().await;
    })
    .unwrap();
}
