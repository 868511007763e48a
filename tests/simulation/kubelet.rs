//! Kubelets that refuse, put off, stall, flap or fall silent, and Pods that go away in the middle.

use crate::fleet::size;
use crate::story::{Story, aim, message, target};
use reef::simulation::{World, deterministic};
use reef_api::{Phase, Size};
use reef_sim::api::InfeasibleMode;
use reef_sim::cluster::Cordon;
use reef_sim::node::Quirks;
use std::time::Duration;

impl Story {
    /// Changes every node's kubelet.
    pub async fn kubelets(&self, quirks: Quirks) {
        for node in ["node-1", "node-2"] {
            self.world.cluster.set_quirks(node, quirks.clone()).await.unwrap();
        }
    }

    pub fn phase(&self, name: &str) -> Option<Phase> {
        self.vm(name).status.unwrap().phase
    }

    /// The size that the VM really has, on the node.
    pub fn real(&self, name: &str) -> Size {
        let view = self.world.cluster.vmm_view(&self.pod(name)).unwrap();
        Size::new(reef_api::Vcpus(view.vcpus_present), reef_api::Bytes(view.memory_actual_bytes))
    }
}

pub fn quirk(set: impl FnOnce(&mut Quirks)) -> Quirks {
    let mut quirks = Quirks::default();
    set(&mut quirks);
    quirks
}

/// A size beyond the node's 16 CPUs, in a VM that could grow to it.
pub fn state_too_large(story: &mut Story) {
    story.state("web-1", size(20, 2));
    let file = story.files.get_mut("web-1.yaml").unwrap();
    *file = file.replace("max: 8\n", "max: 32\n");
}

/// A VM that has settled and could grow beyond its node.
pub async fn high_ceiling(world: World) -> Story {
    let mut story = Story::on(world, 0).await;
    state_too_large(&mut story);
    let file = story.files.get_mut("web-1.yaml").unwrap();
    *file = file.replace("coresPerSocket: 20", "coresPerSocket: 2");
    story.sizes.insert("web-1".to_owned(), size(2, 2));
    story.push("a VM with a high ceiling");
    story.settles(60).await;
    story
}

async fn refused_and_taken_back(story: &mut Story) {
    let (pod, events) = (story.pod_sizes("web-1"), "VMPodResizeInfeasible");
    story.says("web-1", "Infeasible", 60).await;
    story.wait(5).await;
    assert_eq!(story.pod_sizes("web-1"), pod, "the wish is taken back");
    assert_eq!((story.phase("web-1"), story.real("web-1")), (Some(Phase::Running), size(2, 2)));
    assert_eq!((aim(&story.vm("web-1")), story.told("web-1", events)), (Some(size(2, 2)), 1));
    story.rests().await;
}

#[test]
fn an_infeasible_size_is_refused_once_remembered_and_left_by_a_new_size() {
    deterministic(async {
        let mut story = Story::of(1, 1).await;
        story.kubelets(quirk(|quirks| quirks.infeasible = Some("static CPU manager".to_owned()))).await;
        story.resize("web-1", size(4, 4));
        refused_and_taken_back(&mut story).await;
        assert!(message(&story.vm("web-1")).contains("static CPU manager"), "{}", message(&story.vm("web-1")));
        let asked = story.pod_resizes("web-1");
        story.world.start_controller();
        story.rests().await;
        assert_eq!(story.pod_resizes("web-1"), asked, "a new controller remembers the refusal");
        story.kubelets(Quirks::default()).await;
        story.resize("web-1", size(4, 3));
        story.settles(60).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_size_beyond_the_node_is_refused_by_the_kubelet_or_at_admission_with_one_outcome() {
    for mode in [InfeasibleMode::default(), InfeasibleMode::AtAdmission] {
        deterministic(async {
            let mut story = high_ceiling(World::start_with(2, mode).await.unwrap()).await;
            state_too_large(&mut story);
            story.push("more than the node has");
            refused_and_taken_back(&mut story).await;
            assert!(message(&story.vm("web-1")).contains("16000"), "{}", message(&story.vm("web-1")));
            story.resize("web-1", size(4, 4));
        })
        .unwrap();
    }
}

#[test]
fn a_deferred_size_waits_and_is_taken_up_when_there_is_room() {
    deterministic(async {
        let mut story = Story::of(3, 2).await;
        story.kubelets(quirk(|quirks| quirks.defers = true)).await;
        story.resize("web-1", size(4, 4));
        story.says("web-1", "Deferred", 30).await;
        assert_eq!((story.phase("web-1"), story.real("web-1")), (Some(Phase::PodResizeInProgress), size(2, 2)));
        let writes = story.world.faults.writes();
        story.wait(300).await;
        assert_eq!(story.world.faults.writes() - writes, 0, "waiting writes nothing");
        story.kubelets(Quirks::default()).await;
        story.settles(60).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_size_that_is_deferred_for_ten_minutes_is_taken_back_and_others_go_on() {
    deterministic(async {
        let mut story = Story::of(4, 2).await;
        let pod = story.pod_sizes("web-1");
        story.kubelets(quirk(|quirks| quirks.defers = true)).await;
        story.resize("web-1", size(4, 4));
        story.says("web-1", "Deferred", 30).await;
        story.wait(590).await;
        assert_eq!(story.told("web-1", "VMResizeReverted"), 0);
        story.wait(40).await;
        assert_eq!((story.told("web-1", "VMResizeReverted"), story.pod_sizes("web-1")), (1, pod));
        assert_eq!((aim(&story.vm("web-1")), target(&story.vm("web-1"))), (Some(size(2, 2)), Some(size(4, 4))));
        story.kubelets(Quirks::default()).await;
        story.resize("web-2", size(3, 3));
        story.says("web-2", "Settled", 60).await;
        story.rests().await;
        assert_eq!(
            story.real("web-1"),
            size(2, 2),
            "what was given up stays given up until there is room, it is due, or somebody asks anew"
        );
        story.settles(900).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_kubelet_that_takes_a_wish_back_and_forth_around_the_lease_ends_consistent() {
    for offset in [0, 5, 20, 100, 400] {
        deterministic(async {
            let mut story = Story::of(5, 1).await;
            story.kubelets(quirk(|quirks| quirks.defers = true)).await;
            story.resize("web-1", size(4, 4));
            story.says("web-1", "Deferred", 30).await;
            story.wait(599).await;
            tokio::time::sleep(Duration::from_millis(900 + offset)).await;
            story.kubelets(Quirks::default()).await;
            story.wait(60).await;
            story.rests().await;
            let vm = story.vm("web-1");
            assert_eq!(aim(&vm), Some(story.real("web-1")), "offset {offset}: the guest has what is aimed at");
        })
        .unwrap();
    }
}

#[test]
fn a_kubelet_that_never_carries_out_a_raise_leaves_the_vm_as_it_is() {
    deterministic(async {
        let mut story = Story::of(6, 2).await;
        story.kubelets(quirk(|quirks| quirks.stalls = true)).await;
        let asked = story.pod_resizes("web-1");
        story.resize("web-1", size(4, 4));
        story.says("web-1", "RaisingPod", 30).await;
        story.wait(30).await;
        let writes = story.world.faults.writes();
        story.wait(7200).await;
        let told = message(&story.vm("web-1"));
        assert!(told.contains("the kubelet of node-") && told.contains("more than 5 minutes"), "{told}");
        assert_eq!(story.world.faults.writes() - writes, 2, "an event and a status");
        assert_eq!(story.real("web-1"), size(2, 2));
        assert_eq!((story.pod_resizes("web-1") - asked, story.phase("web-1")), (1, Some(Phase::PodResizeInProgress)));
        story.kubelets(Quirks::default()).await;
        story.settles(60).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_kubelet_that_never_lowers_a_pod_is_told_of_once_and_waited_for() {
    deterministic(async {
        let mut story = Story::of(6, 2).await;
        story.kubelets(quirk(|quirks| quirks.stalls = true)).await;
        story.resize("web-1", size(1, 1));
        story.says("web-1", "LoweringPod", 600).await;
        let writes = story.world.faults.writes();
        story.wait(7200).await;
        let told = message(&story.vm("web-1"));
        assert!(told.contains("is being lowered") && told.contains("more than 5 minutes"), "{told}");
        assert_eq!(story.real("web-1"), size(1, 1));
        let written = story.world.faults.writes() - writes;
        assert!(written <= 4, "the wish, and once an event and a status: {written} writes");
        story.kubelets(Quirks::default()).await;
        story.settles(60).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_status_that_shows_old_numbers_once_more_moves_nothing_back() {
    deterministic(async {
        let mut story = Story::of(7, 1).await;
        story.kubelets(quirk(|quirks| quirks.flaps = true)).await;
        for size in [size(4, 4), size(2, 1), size(3, 2)] {
            story.resize("web-1", size);
            story.settles(120).await;
            story.wait(20).await;
            story.settles(60).await;
        }
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_pod_that_is_deleted_at_any_moment_of_a_resize_is_followed_by_one_of_the_new_size() {
    for moment in [0, 20, 200, 900, 1500, 3000, 6000] {
        deterministic(async {
            let mut story = Story::of(8, 1).await;
            let first = story.pod("web-1");
            story.resize("web-1", size(4, 1));
            tokio::time::sleep(Duration::from_millis(moment)).await;
            story.world.cluster.delete_pod(&first).unwrap();
            story.wait(15).await;
            story.settles(120).await;
            assert_ne!(story.pod("web-1"), first, "deleted after {moment} ms");
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_guest_that_outgrows_its_pod_dies_with_it_and_boots_anew() {
    deterministic(async {
        let mut story = Story::of(9, 1).await;
        let first = story.pod("web-1");
        story.resize("web-1", size(4, 4));
        tokio::time::sleep(Duration::from_millis(300)).await;
        story.world.cluster.kill_vmm(&first).unwrap();
        story.says("web-1", "Ended", 30).await;
        assert!(message(&story.vm("web-1")).contains("ended"), "{}", message(&story.vm("web-1")));
        story.settles(120).await;
        assert_ne!(story.pod("web-1"), first);
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn nothing_moves_on_a_node_that_is_lost_and_everything_goes_on_when_it_is_back() {
    deterministic(async {
        let mut story = Story::of(10, 1).await;
        story.world.cluster.cordon("node-1", Cordon::Closed).unwrap();
        story.kubelets(quirk(|quirks| quirks.frozen = true)).await;
        story.resize("web-1", size(2, 1));
        story.says("web-1", "NodeLost", 60).await;
        story.wait(10).await;
        let (writes, pod) = (story.world.faults.writes(), story.pod_sizes("web-1"));
        story.wait(3600).await;
        assert_eq!(story.world.faults.writes() - writes, 0);
        assert_eq!((story.real("web-1"), story.pod_sizes("web-1")), (size(2, 2), pod));
        story.kubelets(Quirks::default()).await;
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}
