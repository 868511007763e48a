//! Sources and VMs that somebody suspends: commits wait and are told, what was begun is finished, and everything goes on by itself when it ends.

use crate::fleet::size;
use crate::kubelet::quirk;
use crate::story::{Story, aim, condition_of, message, reason, target};
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use reef::simulation::deterministic;
use reef_api::names::{CLI_MANAGER, SUSPENDED_ANNOTATION};
use reef_api::{GitSource, Suspension};
use reef_sim::node::Quirks;
use reef_sim::store::ResourceId;
use serde_json::{Value, json};

/// What `reef suspend` and `reef resume` write.
fn annotated(value: Option<&Suspension>) -> Value {
    json!({"metadata": {"annotations": {SUSPENDED_ANNOTATION: value.map(|value| value.annotation().unwrap())}}})
}

impl Story {
    fn suspension(&self, seconds: Option<i64>) -> Suspension {
        let now = self.world.now();
        let until = seconds.map(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).unwrap());
        Suspension { reason: Some("a move".to_owned()), by: Some("ops".to_owned()), until, at: Some(now) }
    }

    async fn mark_vm(&self, name: &str, value: Option<&Suspension>) {
        let params = PatchParams { field_manager: Some(CLI_MANAGER.to_owned()), ..PatchParams::default() };
        self.vm_api().patch(name, &params, &Patch::Merge(annotated(value))).await.unwrap();
        self.wait(1).await;
    }

    async fn suspend_vm(&self, name: &str, seconds: Option<i64>) {
        self.mark_vm(name, Some(&self.suspension(seconds))).await;
    }

    async fn mark_source(&self, value: Option<&Suspension>) {
        let sources: Api<GitSource> = Api::namespaced(self.world.server.client(), "default");
        let params = PatchParams { field_manager: Some(CLI_MANAGER.to_owned()), ..PatchParams::default() };
        sources.patch("fleet", &params, &Patch::Merge(annotated(value))).await.unwrap();
        self.wait(1).await;
    }

    async fn suspend_source(&self, seconds: Option<i64>) {
        self.mark_source(Some(&self.suspension(seconds))).await;
    }

    fn commits(&self) -> [String; 2] {
        let source = self.source_object();
        ["observedCommit", "appliedCommit"].map(|field| source["status"][field].as_str().unwrap_or_default().to_owned())
    }

    /// How many events of a reason the source has.
    fn source_told(&self, event: &str) -> usize {
        let events = self.world.cluster.store().list(&ResourceId::core("events"), Some("default"));
        let about =
            |found: &&std::sync::Arc<Value>| found["involvedObject"]["kind"] == "GitSource" && found["reason"] == event;
        events.iter().filter(about).count()
    }

    /// The guest has this size, and its Pod carries it.
    fn real_size(&self, name: &str) -> reef_api::Size {
        self.vm(name).actual().unwrap()
    }
}

const POLICY: &str =
    "apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: all\nspec:\n  overhead: 512Mi\n";

#[test]
fn commits_of_a_suspended_source_are_read_and_told_and_nothing_of_them_is_applied_until_it_ends_by_itself() {
    deterministic(async {
        let mut story = Story::of(1, 2).await;
        let [_, applied] = story.commits();
        story.suspend_source(Some(3600)).await;
        story.source_says("Suspended", 10).await;
        assert_eq!((story.source_told("SourceSuspended"), story.source().0.as_str()), (1, "False"));
        assert!(story.source().2.contains("nothing of it waits; suspended by ops until "), "{}", story.source().2);
        story.files.insert("policy.yaml".to_owned(), POLICY.to_owned());
        story.state("web-3", size(1, 1));
        story.resize("web-1", size(4, 4));
        let pushed = story.push("again");
        story.wait(120).await;
        assert_eq!(story.commits(), [pushed.clone(), applied]);
        assert!(
            story.source().2.contains(&format!("commit {pushed} is read and not applied, 3 of its objects wait")),
            "{}",
            story.source().2
        );
        assert_eq!(story.source_object()["status"]["problems"], Value::Null);
        assert_eq!((story.real_size("web-1"), target(&story.vm("web-1"))), (size(2, 2), Some(size(2, 2))));
        assert_eq!(reason(&story.vm("web-1")), "Suspended");
        let told = message(&story.vm("web-1"));
        assert!(
            told.contains("is not applied (spec.instance.")
                && told.contains("GitSource default/fleet is suspended by ops until "),
            "{told}"
        );
        assert!(story.vm("web-2").is_settled() && !story.world.vms().contains_key("web-3"));
        assert_eq!(story.pod_sizes("web-2")[0]["limits"]["memory"], "2304Mi", "the policy waits too");
        story.rests().await;
        story.wait(3600).await;
        story.settles(60).await;
        story.source_says("Applied", 30).await;
        assert_eq!((story.commits(), story.source_told("SourceResumed")), ([pushed.clone(), pushed], 1));
        assert_eq!(story.pod_sizes("web-2")[0]["limits"]["memory"], "2560Mi");
        assert_eq!(condition_of(&story.source_object(), "Suspended"), Value::Null);
        story.rests().await;
        assert_eq!((story.source_told("SourceSuspended"), story.source_told("SourceResumed")), (1, 1));
    })
    .unwrap();
}

#[test]
fn what_hands_change_or_delete_under_a_suspended_source_is_left_and_healed_when_it_is_resumed() {
    deterministic(async {
        let story = Story::of(2, 2).await;
        story.suspend_source(None).await;
        story.kubectl("web-1", &json!({"spec": {"instance": {"memory": {"max": null}}}})).await;
        story.delete_vm("web-2").await;
        story.wait(300).await;
        assert_eq!(story.vm("web-1").spec.instance.memory.unwrap().max, None);
        assert!(!story.world.vms().contains_key("web-2"));
        story.mark_source(None).await;
        story.settles(120).await;
        assert!(story.vm("web-1").spec.instance.memory.unwrap().max.is_some());
        story.rests().await;
        assert_eq!((story.source_told("SourceSuspended"), story.source_told("SourceResumed")), (1, 1));
    })
    .unwrap();
}

#[test]
fn a_hand_resizes_a_vm_while_its_source_is_suspended() {
    deterministic(async {
        let story = Story::of(3, 1).await;
        story.suspend_source(None).await;
        story.kubectl("web-1", &json!({"spec": {"instance": {"cpu": {"coresPerSocket": 4}}}})).await;
        story.wait(60).await;
        assert_eq!((story.real_size("web-1"), reason(&story.vm("web-1"))), (size(4, 2), "Suspended".to_owned()));
        story.contained();
    })
    .unwrap();
}

#[test]
fn the_spec_of_a_source_suspends_it_like_the_annotation_and_the_one_that_ends_last_holds() {
    deterministic(async {
        let mut story = Story::of(4, 1).await;
        let until = |story: &Story, seconds: i64| (story.world.now() + SignedDuration::from_secs(seconds)).to_string();
        let spec = json!({"reason": "a freeze", "by": "release", "until": until(&story, 600)});
        story.source_edit(&json!({"spec": {"suspend": spec}})).await;
        story.source_says("Suspended", 10).await;
        assert!(story.source().2.contains("suspended by release until "), "{}", story.source().2);
        story.suspend_source(Some(60)).await;
        story.resize("web-1", size(4, 4));
        story.wait(300).await;
        assert_eq!(story.real_size("web-1"), size(2, 2), "the annotation has ended, the spec has not");
        story.wait(310).await;
        story.settles(60).await;
        story.source_says("Applied", 30).await;
        story.source_edit(&json!({"spec": {"suspend": {"until": "tomorrow"}}})).await;
        story.source_says("Suspended", 10).await;
        assert!(story.source().2.contains("spec.suspend.until cannot be read"), "{}", story.source().2);
        story.source_edit(&json!({"spec": {"suspend": null}})).await;
        story.source_says("Applied", 30).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_controller_that_starts_under_a_suspension_applies_nothing_and_one_that_starts_after_it_everything() {
    deterministic(async {
        let mut story = Story::of(5, 2).await;
        story.suspend_source(Some(1800)).await;
        story.suspend_vm("web-2", Some(3600)).await;
        story.state("web-2", size(3, 3));
        story.resize("web-1", size(4, 4));
        story.wait(60).await;
        story.world.start_controller();
        story.wait(300).await;
        assert_eq!([story.real_size("web-1"), story.real_size("web-2")], [size(2, 2); 2]);
        assert_eq!(reason(&story.vm("web-1")), "Suspended");
        story.world.kill("controller");
        story.wait(2000).await;
        story.world.start_controller();
        story.has("web-1", size(4, 4), 60).await;
        assert_eq!((story.real_size("web-2"), reason(&story.vm("web-2"))), (size(2, 2), "Suspended".to_owned()));
        story.world.kill("controller");
        story.wait(2000).await;
        story.world.start_controller();
        story.settles(60).await;
        story.rests().await;
        let told = ["VMSuspended", "VMResumed"].map(|event| story.told("web-2", event));
        assert_eq!((told, story.source_told("SourceSuspended"), story.source_told("SourceResumed")), ([1, 1], 1, 1));
    })
    .unwrap();
}

#[test]
fn a_suspended_vm_takes_up_neither_a_commit_nor_a_hand_and_its_neighbours_go_on() {
    deterministic(async {
        let mut story = Story::of(6, 2).await;
        story.suspend_vm("web-1", Some(900)).await;
        assert_eq!((reason(&story.vm("web-1")).as_str(), story.told("web-1", "VMSuspended")), ("Suspended", 1));
        story.state("web-2", size(3, 3));
        story.resize("web-1", size(4, 4));
        story.has("web-2", size(3, 3), 60).await;
        story.source_says("Problems", 10).await;
        let problem = story.source_object()["status"]["problems"][0]["message"].as_str().unwrap().to_owned();
        assert!(
            problem.contains("VirtualMachine default/web-1: commit ") && problem.contains("suspended by ops until "),
            "{problem}"
        );
        story.kubectl("web-1", &json!({"spec": {"instance": {"cpu": {"coresPerSocket": 3}}}})).await;
        story.wait(60).await;
        let vm = story.vm("web-1");
        assert_eq!((vm.actual(), target(&vm), reason(&vm).as_str()), (Some(size(2, 2)), Some(size(2, 2)), "Suspended"));
        story.rests().await;
        story.kubectl("web-1", &json!({"spec": {"instance": {"cpu": {"coresPerSocket": 2}}}})).await;
        story.wait(900).await;
        story.says("web-1", "FieldConflict", 60).await;
        assert_eq!(story.told("web-1", "VMResumed"), 1);
    })
    .unwrap();
}

#[test]
fn a_resize_that_is_under_way_is_finished_whenever_its_vm_is_suspended() {
    for (to, seed) in [(size(4, 4), 7), (size(1, 1), 8), (size(1, 4), 9)] {
        for moment in [5, 20, 60, 150, 300, 600, 1200, 2500] {
            deterministic(async {
                let mut story = Story::of(seed, 1).await;
                story.resize("web-1", to);
                tokio::time::sleep(std::time::Duration::from_millis(moment)).await;
                story.suspend_vm("web-1", None).await;
                let promised = target(&story.vm("web-1")).unwrap();
                story.resize("web-1", size(3, 3));
                story.wait(120).await;
                assert_eq!(story.real_size("web-1"), promised, "{to} suspended after {moment} ms");
                assert_eq!(reason(&story.vm("web-1")), "Suspended");
                assert_eq!(
                    condition_of(&serde_json::to_value(story.vm("web-1")).unwrap(), "Resized")["status"],
                    "True"
                );
                story.rests().await;
                story.mark_vm("web-1", None).await;
                story.settles(60).await;
                story.rests().await;
                assert_eq!(["VMSuspended", "VMResumed"].map(|event| story.told("web-1", event)), [1, 1]);
            })
            .unwrap();
        }
    }
}

#[test]
fn a_growth_that_waits_for_room_gives_its_wish_back_under_a_suspension_as_without_one() {
    deterministic(async {
        let mut story = Story::of(10, 1).await;
        story.kubelets(quirk(|quirks| quirks.defers = true)).await;
        story.resize("web-1", size(4, 4));
        story.says("web-1", "Deferred", 30).await;
        story.suspend_vm("web-1", None).await;
        assert_eq!(reason(&story.vm("web-1")), "Suspended");
        assert!(
            message(&story.vm("web-1")).contains("what was begun before is finished: the node has no room"),
            "{}",
            message(&story.vm("web-1"))
        );
        story.resize("web-1", size(3, 3));
        story.wait(620).await;
        assert_eq!((target(&story.vm("web-1")), aim(&story.vm("web-1"))), (Some(size(4, 4)), Some(size(2, 2))));
        assert_eq!(story.pod_sizes("web-1")[0]["limits"]["memory"], "2304Mi");
        story.kubelets(Quirks::default()).await;
        story.mark_vm("web-1", None).await;
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_suspended_vm_that_ends_is_started_again_with_the_spec_that_there_is() {
    deterministic(async {
        let mut story = Story::of(11, 1).await;
        story.suspend_vm("web-1", None).await;
        story.resize("web-1", size(4, 4));
        story.wait(30).await;
        let pod = story.pod("web-1");
        story.world.cluster.kill_vmm(&pod).unwrap();
        story.wait(60).await;
        assert_ne!(story.pod("web-1"), pod);
        assert_eq!((story.real_size("web-1"), reason(&story.vm("web-1"))), (size(2, 2), "Suspended".to_owned()));
        story.rests().await;
        story.mark_vm("web-1", None).await;
        story.settles(60).await;
    })
    .unwrap();
}

#[test]
fn an_annotation_that_cannot_be_read_holds_until_it_is_taken_away_and_git_cannot_state_one() {
    deterministic(async {
        let mut story = Story::of(12, 1).await;
        story.kubectl("web-1", &json!({"metadata": {"annotations": {SUSPENDED_ANNOTATION: "yes"}}})).await;
        story.resize("web-1", size(4, 4));
        story.wait(3600).await;
        assert_eq!(story.real_size("web-1"), size(2, 2));
        assert!(
            message(&story.vm("web-1")).contains("the annotation reef.dev/suspended cannot be read"),
            "{}",
            message(&story.vm("web-1"))
        );
        story.mark_vm("web-1", None).await;
        story.settles(60).await;
        let stated = story.files["web-1.yaml"]
            .replace("  name: web-1\n", "  name: web-1\n  annotations:\n    reef.dev/suspended: '{}'\n");
        story.files.insert("web-1.yaml".to_owned(), stated.replace("size: 4Gi", "size: 3Gi"));
        story.push("a suspension in Git");
        story.source_says("Problems", 30).await;
        let problem = story.source_object()["status"]["problems"][0]["message"].as_str().unwrap().to_owned();
        assert!(problem.contains("cannot be stated in Git") && problem.contains("reef suspend"), "{problem}");
        assert_eq!(story.real_size("web-1"), size(4, 4));
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_clock_that_is_set_while_a_suspension_holds_ends_it_neither_at_once_nor_never() {
    deterministic(async {
        let mut story = Story::of(13, 1).await;
        story.suspend_source(Some(1200)).await;
        story.resize("web-1", size(4, 4));
        story.world.set_clock(3600);
        story.wait(600).await;
        assert_eq!(story.real_size("web-1"), size(2, 2), "an hour has not passed");
        story.wait(620).await;
        story.settles(60).await;
        story.world.set_clock(0);
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_vm_that_is_deleted_under_its_suspension_is_made_anew_without_it() {
    deterministic(async {
        let story = Story::of(14, 1).await;
        story.suspend_vm("web-1", None).await;
        story.vm_api().delete("web-1", &DeleteParams::default()).await.unwrap();
        story.wait(30).await;
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}

/// An end that lies beyond all calendars makes nothing overflow.
#[test]
fn a_suspension_until_the_end_of_time_is_one_without_an_end() {
    deterministic(async {
        let mut story = Story::of(15, 1).await;
        let forever = Suspension { until: Some(Timestamp::MAX), ..Suspension::default() };
        story.mark_source(Some(&forever)).await;
        story.mark_vm("web-1", Some(&forever)).await;
        story.resize("web-1", size(4, 4));
        story.wait(7300).await;
        assert_eq!(story.real_size("web-1"), size(2, 2));
        story.contained();
    })
    .unwrap();
}
