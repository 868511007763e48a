//! Pods that are evicted or killed for their memory, nodes that reboot, sockets and namespaces that go away.

use std::path::PathBuf;
use std::time::Duration;

use crate::fleet::{manifest, size};
use crate::hypervisor::waiting;
use crate::kubelet::quirk;
use crate::story::{Story, message};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use reef::simulation::{World, deterministic};
use reef_api::vm::Outcome;
use reef_api::{Bytes, GitSource, VirtualMachine};
use reef_sim::node::Quirks;
use reef_sim::node::host_tree::socket_path;
use reef_sim::store::ObjectKey;
use serde_json::{Value, json};

impl Story {
    /// A node that has too little memory ends a Pod, and says so.
    async fn evict(&self, pod: &ObjectKey) {
        self.world.cluster.kill_vmm(pod).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let evicted = |pod: &mut Value| {
            pod["status"]["phase"] = json!("Failed");
            pod["status"]["reason"] = json!("Evicted");
            pod["status"]["message"] = json!("The node was low on resource: memory.");
        };
        self.world.cluster.store().update(pod, None, "kubelet", evicted).unwrap();
    }
}

#[test]
fn a_pod_that_is_evicted_at_any_moment_of_a_resize_is_followed_by_one_of_the_new_size() {
    for moment in [0, 20, 200, 900, 1500, 3000, 6000] {
        deterministic(async {
            let mut story = Story::of(1, 1).await;
            let first = story.pod("web-1");
            story.resize("web-1", size(4, 1));
            tokio::time::sleep(Duration::from_millis(moment)).await;
            story.evict(&first).await;
            story.says("web-1", "Ended", 30).await;
            story.wait(1).await;
            let told = message(&story.vm("web-1"));
            assert!(told.contains("Evicted") && told.contains("low on resource"), "{moment} ms: {told}");
            story.settles(120).await;
            assert_ne!(story.pod("web-1"), first, "evicted after {moment} ms");
            story.rests().await;
        })
        .unwrap();
    }
}

/// A VMM that needs more beside its guest than its policy says, so that a guest that uses everything is the death of its Pod.
async fn tight() -> Story {
    let overhead = Bytes(16 << 20);
    let world = World::start_in(2, move |options| options.overhead = overhead).await.unwrap();
    let mut story = Story::on(world, 0).await;
    let policy =
        "apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: tight\nspec:\n  overhead: 16Mi\n";
    story.files.insert("policy.yaml".to_owned(), policy.to_owned());
    story.resize("web-1", size(2, 2));
    story.settles(120).await;
    story
}

#[test]
fn a_vmm_that_is_killed_for_its_memory_in_a_resize_is_told_rests_and_boots_anew_at_the_new_size() {
    for wanted in [size(4, 4), size(4, 1)] {
        deterministic(async {
            let mut story = tight().await;
            let first = story.pod("web-1");
            story.resize("web-1", wanted);
            tokio::time::sleep(Duration::from_millis(60)).await;
            story.uses("web-1", 2048).await;
            story.says("web-1", "Ended", 30).await;
            let told = message(&story.vm("web-1"));
            assert!(told.contains("OOMKilled"), "{told}");
            story.wait(8).await;
            assert!(story.world.cluster.pod_of(&reef_api::VmKey::new("default", "web-1")).is_none(), "it rests");
            story.settles(120).await;
            assert_ne!(story.pod("web-1"), first);
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn nodes_that_reboot_at_any_moment_of_a_resize_leave_nothing_in_progress() {
    for moment in [0, 20, 400, 1500, 6000] {
        deterministic(async {
            let mut story = Story::of(3, 2).await;
            story.state("web-1", size(4, 1));
            story.resize("web-2", size(1, 4));
            tokio::time::sleep(Duration::from_millis(moment)).await;
            for node in ["node-1", "node-2"] {
                story.world.kill(node);
            }
            story.kubelets(quirk(|quirks| quirks.frozen = true)).await;
            let pods = ["web-1", "web-2"].map(|vm| story.pod(vm));
            pods.iter().for_each(|pod| story.world.cluster.kill_vmm(pod).unwrap());
            story.wait(120).await;
            story.kubelets(Quirks::default()).await;
            for node in ["node-1", "node-2"] {
                story.world.start_daemon(node);
            }
            story.wait(5).await;
            story.settles(300).await;
            for (vm, pod) in ["web-1", "web-2"].into_iter().zip(pods) {
                let history = story.vm(vm).status.unwrap().history;
                let left = history.iter().filter(|entry| entry.outcome == Outcome::InProgress).count();
                assert_eq!((left, story.pod(vm) == pod), (0, false), "{moment} ms: {history:?}");
            }
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_socket_that_goes_away_in_a_shrink_keeps_the_pod_and_is_found_again() {
    for moment in [0, 300, 900, 1500] {
        deterministic(async {
            let mut story = Story::of(4, 2).await;
            let pod = story.pod("web-1");
            let uid = story.world.cluster.store().get(&pod).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
            let (vmm, _) = story.world.cluster.hosts().vmm_of(&pod).unwrap();
            let path = PathBuf::from(socket_path(&uid));
            story.world.cluster.net().unbind(&path);
            // Connections that are open outlive the file; the daemon's next one does not.
            story.world.start_daemon("node-1");
            story.world.start_daemon("node-2");
            story.state("web-1", size(1, 1));
            story.resize("web-2", size(3, 3));
            tokio::time::sleep(Duration::from_millis(moment)).await;
            story.says("web-2", "Settled", 60).await;
            story.wait(120).await;
            let told = waiting(&story.vm("web-1"));
            assert!(told.starts_with("VmmUnreachable"), "{told}");
            assert_eq!(story.pod_sizes("web-1")[0]["limits"]["memory"], "2304Mi", "an unseen VM keeps its Pod");
            let writes = story.world.faults.writes();
            story.wait(1800).await;
            assert!(story.world.faults.writes() - writes <= 2, "{}", story.world.faults.writes() - writes);
            story.world.cluster.net().bind(&path, vmm);
            story.settles(400).await;
            story.rests().await;
        })
        .unwrap();
    }
}

/// Waits until a VM of another namespace has settled.
async fn settled_elsewhere(vms: &Api<VirtualMachine>) {
    for _ in 0..600 {
        if vms.get_opt("web-1").await.unwrap().is_some_and(|vm| vm.is_settled()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("it never settled");
}

fn writes_to(story: &Story, namespace: &str) -> usize {
    let place = format!("/namespaces/{namespace}/");
    story.world.faults.calls().iter().filter(|call| call.writes() && call.path.contains(&place)).count()
}

#[test]
fn a_namespace_that_ends_is_written_to_no_more_and_others_go_on() {
    deterministic(async {
        let mut story = Story::of(5, 1).await;
        let client = story.world.server.client();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let team = serde_json::from_value(json!({"metadata": {"name": "team"}})).unwrap();
        namespaces.create(&PostParams::default(), &team).await.unwrap();
        let here: Api<GitSource> = Api::namespaced(client.clone(), "default");
        let spec = here.get("fleet").await.unwrap().spec;
        let sources: Api<GitSource> = Api::namespaced(client.clone(), "team");
        sources.create(&PostParams::default(), &GitSource::new("fleet", spec)).await.unwrap();
        let vms: Api<VirtualMachine> = Api::namespaced(client.clone(), "team");
        settled_elsewhere(&vms).await;
        let kept = json!({"metadata": {"finalizers": ["example.com/keep"]}});
        vms.patch("web-1", &PatchParams::default(), &Patch::Merge(&kept)).await.unwrap();
        sources.patch("fleet", &PatchParams::default(), &Patch::Merge(&kept)).await.unwrap();
        namespaces.delete("team", &DeleteParams::default()).await.unwrap();
        story.wait(60).await;
        let (writes, calls) = (writes_to(&story, "team"), story.world.faults.calls().len());
        story.files.insert("web-9.yaml".to_owned(), manifest("web-9", size(1, 1)));
        story.resize("web-1", size(3, 3));
        story.says("web-1", "Settled", 60).await;
        story.wait(3600).await;
        assert_eq!(writes_to(&story, "team") - writes, 0, "something is written to a namespace that ends");
        assert!(story.world.faults.calls().len() - calls < 1200, "{}", story.world.faults.calls().len() - calls);
        story.contained();
    })
    .unwrap();
}

#[test]
fn a_vm_that_somebody_else_keeps_from_going_is_left_alone_though_its_source_is_gone() {
    deterministic(async {
        let mut story = Story::of(6, 2).await;
        let client = story.world.server.client();
        story.kubectl("web-1", &json!({"metadata": {"finalizers": ["example.com/keep"]}})).await;
        let sources: Api<GitSource> = Api::namespaced(client, "default");
        sources.delete("fleet", &DeleteParams::default()).await.unwrap();
        story.delete_vm("web-1").await;
        story.wait(60).await;
        let writes = story.world.faults.writes();
        story.wait(3600).await;
        story.world.start_controller();
        story.wait(3600).await;
        assert_eq!(story.world.faults.writes() - writes, 0);
        story.kubectl("web-1", &json!({"metadata": {"finalizers": []}})).await;
        story.wait(120).await;
        let vms = story.world.vms();
        assert_eq!(vms.keys().collect::<Vec<_>>(), ["web-2"], "what no source states any more runs on");
        assert!(story.world.cluster.pod_of(&reef_api::VmKey::new("default", "web-1")).is_none());
        assert!(vms["web-2"].is_settled());
        story.contained();
    })
    .unwrap();
}
