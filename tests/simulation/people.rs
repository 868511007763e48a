//! People and programs beside Reef: edits of what Git states, deletions in the middle, odd objects, rights and kinds that are taken away.

use crate::fleet::size;
use crate::story::{Story, message, reason, target};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use reef::simulation::deterministic;
use reef_api::{GitSource, VirtualMachine};
use reef_sim::api::{Failure, Fault};
use serde_json::{Value, json};
use std::time::Duration;

impl Story {
    pub fn vm_api(&self) -> Api<VirtualMachine> {
        Api::namespaced(self.world.server.client(), "default")
    }

    /// Merges a change into a VM, as `kubectl patch` does.
    pub async fn kubectl(&self, name: &str, change: &Value) {
        let params = PatchParams { field_manager: Some("kubectl-patch".to_owned()), ..PatchParams::default() };
        self.vm_api().patch(name, &params, &Patch::Merge(change)).await.unwrap();
    }

    /// Another tool applies a VM's vCPUs, and takes them from whoever owns them.
    async fn their_tool(&self, name: &str, vcpus: u32) {
        let theirs = json!({
            "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
            "metadata": {"name": name}, "spec": {"instance": {"cpu": {"coresPerSocket": vcpus}}},
        });
        let params = PatchParams::apply("their-tool").force();
        self.vm_api().patch(name, &params, &Patch::Apply(&theirs)).await.unwrap();
        self.wait(10).await;
    }

    /// Merges a change into the source.
    pub async fn source_edit(&self, change: &Value) {
        let sources: Api<GitSource> = Api::namespaced(self.world.server.client(), "default");
        sources.patch("fleet", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    }

    pub async fn delete_vm(&self, name: &str) {
        self.vm_api().delete(name, &DeleteParams::default()).await.unwrap();
    }
}

#[test]
fn a_size_that_somebody_changes_by_hand_is_theirs_until_they_give_it_up_and_that_is_told() {
    deterministic(async {
        let story = Story::of(1, 1).await;
        story.kubectl("web-1", &json!({"spec": {"instance": {"cpu": {"coresPerSocket": 4}}}})).await;
        story.says("web-1", "FieldConflict", 60).await;
        let told = message(&story.vm("web-1"));
        assert!(told.contains("kubectl-patch") && told.contains("coresPerSocket"), "{told}");
        assert_eq!(target(&story.vm("web-1")), Some(size(4, 2)), "what is in the cluster is followed meanwhile");
        story.wait(600).await;
        story.kubectl("web-1", &json!({"spec": {"instance": {"cpu": {"coresPerSocket": 2}}}})).await;
        story.settles(60).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_field_that_somebody_removes_by_hand_is_put_back() {
    deterministic(async {
        let story = Story::of(1, 1).await;
        let spec = story.vm("web-1").spec;
        story.kubectl("web-1", &json!({"spec": {"instance": {"cpu": null, "memory": {"max": null}}}})).await;
        story.wait(5).await;
        story.settles(60).await;
        assert_eq!(story.vm("web-1").spec, spec);
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_field_that_another_manager_owns_and_git_states_is_a_conflict_that_names_it() {
    deterministic(async {
        let mut story = Story::of(2, 1).await;
        story.their_tool("web-1", 3).await;
        story.resize("web-1", size(4, 4));
        story.says("web-1", "FieldConflict", 60).await;
        let told = message(&story.vm("web-1"));
        assert!(told.contains("their-tool") && told.contains("coresPerSocket"), "{told}");
        assert_eq!(story.told("web-1", "VMFieldConflict"), 1);
        story.wait(30).await;
        let writes = story.world.faults.writes();
        story.wait(900).await;
        assert!(story.world.faults.writes() - writes <= 8, "{} writes", story.world.faults.writes() - writes);
        assert_eq!(target(&story.vm("web-1")), Some(size(3, 2)), "what is in the cluster is followed meanwhile");
        story.contained();
    })
    .unwrap();
}

#[test]
fn what_another_manager_owns_is_taken_over_once_when_its_manifest_says_so_though_reef_has_applied_it_before() {
    deterministic(async {
        let mut story = Story::of(5, 1).await;
        // The same value, so that both own it, and then another.
        for vcpus in [2, 3] {
            story.their_tool("web-1", vcpus).await;
        }
        story.says("web-1", "FieldConflict", 60).await;
        story.state("web-1", size(4, 4));
        let file = story.files.get_mut("web-1.yaml").unwrap();
        *file = file.replacen("  name: web-1\n", "  name: web-1\n  annotations:\n    reef.dev/adopt: \"true\"\n", 1);
        assert!(file.contains("reef.dev/adopt"), "{file}");
        story.push("it is ours");
        story.settles(300).await;
        story.kubectl("web-1", &json!({"spec": {"instance": {"cpu": {"coresPerSocket": 1}}}})).await;
        story.says("web-1", "FieldConflict", 60).await;
        assert_eq!(target(&story.vm("web-1")), Some(size(1, 4)), "the word that was taken up once takes nothing again");
        story.contained();
    })
    .unwrap();
}

impl Story {
    /// Somebody resizes a VM's Pod, where it is not as they want it.
    pub async fn resize_pod(&self, name: &str, cpu: &str, memory: &str) {
        let wanted = json!({"cpu": cpu, "memory": memory});
        let wanted = json!({"requests": wanted, "limits": wanted});
        if self.pod_sizes(name)[0] == wanted {
            return;
        }
        let pods: Api<Pod> = Api::namespaced(self.world.server.client(), "default");
        let patch = Patch::Strategic(json!({"spec": {"containers": [{"name": "vm-manager", "resources": wanted}]}}));
        let params = PatchParams { field_manager: Some("vpa-updater".to_owned()), ..PatchParams::default() };
        pods.patch_subresource("resize", &self.pod(name).name, &params, &patch).await.unwrap();
    }

    /// How often the controller has resized a Pod.
    fn wishes(&self) -> usize {
        let calls = self.world.faults.calls();
        calls.iter().filter(|call| call.role == "controller" && call.path.ends_with("/resize")).count()
    }
}

#[test]
fn a_hand_that_undoes_everything_does_not_keep_the_api_server_busy_and_the_vm_holds_and_says_so() {
    deterministic(async {
        let story = Story::of(3, 1).await;
        let (writes, wishes) = (story.world.faults.writes(), story.wishes());
        for _ in 0..600 {
            story.resize_pod("web-1", "3", "3Gi").await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert_eq!(reason(&story.vm("web-1")), "PodConflict");
        let told = message(&story.vm("web-1"));
        let named = ["\"vpa-updater\"", "cpu 3, memory 3Gi", "cpu 2, memory 2304Mi", "VerticalPodAutoscaler"];
        assert!(named.iter().all(|word| told.contains(word)), "{told}");
        assert_eq!(story.told("web-1", "VMPodConflict"), 1);
        let (wished, written) = (story.wishes() - wishes, story.world.faults.writes() - writes);
        assert!(wished <= 7, "five, and one after a minute: {wished} resizes of the Pod");
        assert!(written <= 40, "{written} writes in three minutes");
        story.settles(130).await;
        assert_eq!(story.pod_sizes("web-1")[0]["limits"]["memory"], "2304Mi");
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn an_autoscaler_of_pods_is_asked_ever_more_rarely_and_a_vm_goes_on_by_itself_when_it_is_gone() {
    deterministic(async {
        let mut story = Story::of(9, 2).await;
        let wishes = story.wishes();
        for minute in 0..240 {
            story.resize_pod("web-1", "3", "3Gi").await;
            story.wait(60).await;
            if minute == 10 {
                story.resize("web-2", size(4, 4));
                story.says("web-2", "Settled", 60).await;
            }
        }
        let wished = story.wishes() - wishes;
        assert!((12..=24).contains(&wished), "{wished} resizes of Pods in four hours");
        story.settles(1900).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_growth_that_somebody_undoes_is_held_and_a_new_commit_tries_at_once() {
    deterministic(async {
        let mut story = Story::of(10, 1).await;
        story.resize("web-1", size(4, 4));
        for _ in 0..200 {
            story.resize_pod("web-1", "2", "2304Mi").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(reason(&story.vm("web-1")), "PodConflict");
        assert_eq!((story.real("web-1"), target(&story.vm("web-1"))), (size(2, 2), Some(size(4, 4))));
        let (writes, generation) = (story.world.faults.writes(), story.pod_resizes("web-1"));
        story.wait(25).await;
        assert_eq!((story.world.faults.writes() - writes, story.pod_resizes("web-1")), (0, generation), "it holds");
        story.resize("web-1", size(3, 3));
        story.settles(30).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_pod_that_somebody_makes_too_small_for_its_vm_is_raised_again_each_time() {
    deterministic(async {
        let story = Story::of(11, 1).await;
        for time in 0..30 {
            story.resize_pod("web-1", "1", "1Gi").await;
            story.wait(20).await;
            assert_eq!(story.pod_sizes("web-1")[0]["limits"], json!({"cpu": "2", "memory": "2304Mi"}), "{time}");
            assert_eq!(story.real("web-1"), size(2, 2));
        }
        assert_eq!(reason(&story.vm("web-1")), "PodConflict");
        story.settles(1900).await;
    })
    .unwrap();
}

#[test]
fn a_vm_that_is_deleted_in_the_middle_is_made_anew_and_no_old_grant_reaches_it() {
    for moment in [0, 15, 60, 300, 900, 2500] {
        deterministic(async {
            let mut story = Story::of(4, 2).await;
            let (pod, uid) = (story.pod("web-1"), story.vm("web-1").metadata.uid);
            story.resize("web-1", size(4, 1));
            tokio::time::sleep(Duration::from_millis(moment)).await;
            story.delete_vm("web-1").await;
            story.wait(30).await;
            story.settles(120).await;
            assert_ne!((story.pod("web-1"), story.vm("web-1").metadata.uid), (pod, uid), "after {moment} ms");
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn odd_objects_beside_the_fleet_stop_nobody() {
    deterministic(async {
        let mut story = Story::of(5, 1).await;
        let store = story.world.cluster.store();
        let vms = reef_sim::store::ResourceId::new(reef_api::names::VM_GROUP, "virtualmachines");
        let odd = [
            json!({"metadata": {"name": "odd-1", "namespace": "default"}}),
            json!({"metadata": {"name": "odd-2", "namespace": "default"}, "spec": null, "status": null}),
            json!({"metadata": {"name": "odd-3", "namespace": "default"}, "spec": {"runPolicy": "Sometimes", "instance": []}}),
            json!({"metadata": {"name": "odd-4", "namespace": "default"}, "spec": {"instance": {"cpu": {}, "memory": {"size": "x"}}},
                "status": {"phase": "Dreaming", "vmm": [], "conditions": null, "resize": {"grant": 7}}}),
        ];
        for object in odd {
            store.create(&vms, object).unwrap();
        }
        let pods = reef_sim::store::ResourceId::core("pods");
        store.create(&pods, json!({"metadata": {"name": "odd", "namespace": "default", "labels": {"reef.dev/vm": "web-1"}}, "spec": {}})).unwrap();
        story.wait(30).await;
        story.world.cluster.store().delete(&crate::story::pod_key("odd"), &reef_sim::store::DeleteOptions::default()).unwrap();
        story.resize("web-1", size(4, 4));
        story.wait(60).await;
        assert_eq!((reason(&story.vm("web-1")).as_str(), target(&story.vm("web-1"))), ("Settled", Some(size(4, 4))));
        story.rests_beside_odd().await;
    })
    .unwrap();
}

impl Story {
    async fn rests_beside_odd(&self) {
        let writes = self.world.faults.writes();
        self.wait(600).await;
        assert_eq!(self.world.faults.writes() - writes, 0);
        self.contained();
    }
}

#[test]
fn a_right_that_is_missing_is_named_where_it_hurts_and_its_return_is_noticed() {
    let cases = [("PATCH", "/resize"), ("PATCH", "/virtualmachines/web-1"), ("POST", "/events"), ("POST", "/pods")];
    for (method, end) in cases {
        deterministic(async {
            let mut story = Story::of(6, 2).await;
            story.world.faults.set(move |facts| {
                let meets =
                    facts.user_agent == "controller" && facts.method.as_str() == method && facts.path.ends_with(end);
                Fault { failure: if meets { Failure::Status(403) } else { Failure::None }, ..Fault::default() }
            });
            let before = story.world.faults.writes();
            story.resize("web-1", size(4, 4));
            story.wait(600).await;
            let written = story.world.faults.writes() - before;
            assert!(written < 60, "{method} {end}: {written} writes in ten minutes");
            let refused = matches!(end, "/resize" | "/virtualmachines/web-1");
            assert_eq!(reason(&story.vm("web-1")), if refused { "Forbidden" } else { "Settled" }, "{method} {end}");
            story.world.faults.clear();
            story.settles(700).await;
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_daemon_without_the_right_to_report_moves_nothing_and_goes_on_when_it_has_it() {
    deterministic(async {
        let mut story = Story::of(7, 1).await;
        story.world.faults.set(|facts| {
            let meets = facts.user_agent != "controller" && facts.method.as_str() == "PATCH";
            Fault { failure: if meets { Failure::Status(403) } else { Failure::None }, ..Fault::default() }
        });
        story.resize("web-1", size(4, 1));
        story.wait(600).await;
        assert_eq!(reason(&story.vm("web-1")), "WaitingForDaemon");
        let view = story.world.cluster.vmm_view(&story.pod("web-1")).unwrap();
        assert_eq!(view.vcpus_present, 2, "what could not be acknowledged is not asked for");
        assert!(story.world.faults.writes() < 120, "{} writes", story.world.faults.writes());
        story.world.faults.clear();
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_kind_that_is_deleted_and_comes_back_is_taken_up_again() {
    deterministic(async {
        let story = Story::of(8, 1).await;
        let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        let crds: Api<DynamicObject> = Api::all_with(story.world.server.client(), &ApiResource::from_gvk(&kind));
        let name = "virtualmachines.cloudhypervisor.quill.today";
        let mut crd = crds.get(name).await.unwrap();
        crds.delete(name, &DeleteParams::default()).await.unwrap();
        story.world.server.drop_watches();
        let calls = story.world.faults.calls().len();
        story.wait(900).await;
        let called = story.world.faults.calls().len() - calls;
        assert!(called < 600, "{called} calls in a quarter of an hour without the kind");
        crd.metadata = kube::api::ObjectMeta { name: Some(name.to_owned()), ..Default::default() };
        crds.create(&PostParams::default(), &crd).await.unwrap();
        story.wait(120).await;
        story.settles(600).await;
        story.contained();
    })
    .unwrap();
}
