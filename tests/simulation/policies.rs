//! Policies that forbid what somebody asks for: it is not applied, the last good size stays and says why, and the rest goes on.

use crate::fleet::{manifest, size};
use crate::story::{Story, message, reason, target};
use reef::simulation::{World, deterministic};
use reef_api::{Size, VirtualMachine};
use serde_json::json;
use std::collections::BTreeMap;

fn policy(rules: &str) -> String {
    format!("apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: rules\nspec:\n{rules}")
}

impl Story {
    /// Has a policy take effect.
    async fn ruled(&mut self, rules: &str) {
        self.files.insert("policy.yaml".to_owned(), policy(rules));
        self.push("the rules");
        self.wait(10).await;
    }

    /// Writes a size that is not expected to be had.
    fn asks(&mut self, name: &str, size: Size) {
        self.files.insert(format!("{name}.yaml"), manifest(name, size));
    }
}

#[test]
fn what_a_policy_forbids_is_not_applied_and_the_rest_goes_on() {
    deterministic(async {
        let mut story = Story::of(1, 2).await;
        story.ruled("  bounds:\n    max:\n      memory: 4Gi\n").await;
        story.asks("web-1", size(2, 6));
        story.resize("web-2", size(2, 4));
        story.says("web-1", "Blocked", 60).await;
        let told = message(&story.vm("web-1"));
        let parts = [
            "web-1.yaml:1) is not applied",
            "spec.instance.memory.size is 6Gi",
            "SizingPolicy rules allows no more than 4Gi",
        ];
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        story.has("web-2", size(2, 4), 300).await;
        let vm = story.vm("web-1");
        assert_eq!((target(&vm), vm.actual()), (Some(size(2, 2)), Some(size(2, 2))));
        assert_eq!(story.told("web-1", "VMResizeBlocked"), 1);
        story.source_says("Problems", 30).await;
        // What is there of its own is looked after as before: its Pod is made anew with the size that it was promised.
        story.world.cluster.delete_pod(&story.pod("web-1")).unwrap();
        story.wait(120).await;
        assert_eq!((reason(&story.vm("web-1")).as_str(), story.vm("web-1").actual()), ("Blocked", Some(size(2, 2))));
        story.ruled("  bounds:\n    max:\n      memory: 8Gi\n").await;
        story.sizes.insert("web-1".to_owned(), size(2, 6));
        story.settles(300).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_spec_that_somebody_writes_by_hand_is_not_taken_up_where_the_policy_forbids_it() {
    deterministic(async {
        let mut story = Story::of(1, 1).await;
        story
            .ruled(
                "  rules:\n  - expression: old == null || change.memory <= memory('1Gi')\n    message: small steps\n",
            )
            .await;
        story.kubectl("web-1", &json!({"spec": {"instance": {"memory": {"size": "6Gi"}}}})).await;
        story.says("web-1", "Blocked", 60).await;
        let told = message(&story.vm("web-1"));
        assert!(
            told.contains("SizingPolicy rules says: small steps") && told.contains("the VM keeps 2 vCPU, 2Gi"),
            "{told}"
        );
        // Not even a restart makes it have what was not allowed, nor keeps it down.
        story.world.cluster.delete_pod(&story.pod("web-1")).unwrap();
        story.wait(120).await;
        let vm = story.vm("web-1");
        assert_eq!((reason(&vm).as_str(), vm.actual()), ("Blocked", Some(size(2, 2))), "{}", message(&vm));
        story.kubectl("web-1", &json!({"spec": {"instance": {"memory": {"size": "3Gi"}}}})).await;
        // Git states another size, which is told; what is in the cluster is followed.
        let has = |vms: &BTreeMap<String, VirtualMachine>| {
            vms.get("web-1").and_then(VirtualMachine::actual) == Some(size(2, 3))
        };
        story.world.until("web-1 has 3Gi", 300, has).await.unwrap();
        story.contained();
    })
    .unwrap();
}

#[test]
fn a_budget_holds_back_the_whole_of_a_commit_and_no_other() {
    deterministic(async {
        let mut story = Story::of(1, 3).await;
        story.ruled("  budget:\n    namespace:\n      vms: 1\n      memory: 2Gi\n").await;
        story.asks("web-1", size(2, 3));
        story.asks("web-2", size(2, 3));
        story.push("two at once");
        story.says("web-1", "Blocked", 60).await;
        story.says("web-2", "Blocked", 60).await;
        let told = message(&story.vm("web-1"));
        assert!(told.contains("one of 2 VMs that the commit changes") && told.contains("split the commit"), "{told}");
        story.resize("web-3", size(2, 4));
        story.has("web-3", size(2, 4), 300).await;
        assert_eq!(story.vm("web-1").actual(), Some(size(2, 2)), "what was held back stays so");
        story.asks("web-2", size(2, 2));
        story.push("one of them is taken back");
        story.has("web-2", size(2, 2), 300).await;
        story.resize("web-1", size(2, 4));
        story.has("web-1", size(2, 4), 300).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn what_is_made_from_git_for_the_first_time_is_no_change_that_a_budget_holds_back() {
    deterministic(async {
        let world = World::start(1).await.unwrap();
        let mut story = Story { world, files: BTreeMap::new(), sizes: BTreeMap::new() };
        let rules = policy("  budget:\n    namespace:\n      vms: 1\n");
        story.files.insert("policy.yaml".to_owned(), rules);
        (1..=3).for_each(|number| story.state(&format!("web-{number}"), size(2, 2)));
        story.push("all of it");
        story.settles(300).await;
        story.state("web-4", size(2, 2));
        story.state("web-5", size(2, 2));
        story.push("two more");
        story.source_says("Problems", 30).await;
        assert_eq!(story.world.vms().len(), 3, "by then two at once are too many");
    })
    .unwrap();
}

#[test]
fn a_protected_vm_is_neither_resized_nor_stopped_by_a_commit() {
    deterministic(async {
        let mut story = Story::of(1, 1).await;
        story.ruled("  protected: true\n").await;
        let halted = manifest("web-1", size(2, 2)).replace("Always", "Halted");
        story.files.insert("web-1.yaml".to_owned(), halted);
        story.push("stop");
        story.says("web-1", "Blocked", 60).await;
        assert_eq!(story.vm("web-1").actual(), Some(size(2, 2)));
        story.resize("web-1", size(4, 2));
        story.says("web-1", "Blocked", 60).await;
        story.ruled("  protected: false\n").await;
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_size_that_would_need_a_restart_is_refused_where_the_policy_says_never() {
    deterministic(async {
        let mut story = Story::of(1, 1).await;
        story.ruled("  restart: Never\n").await;
        // Beyond the ceiling that the VM booted with.
        story.asks("web-1", size(2, 2));
        let larger = manifest("web-1", size(12, 2)).replace("max: 8\n", "max: 16\n");
        story.files.insert("web-1.yaml".to_owned(), larger);
        story.push("beyond");
        story.says("web-1", "Blocked", 60).await;
        assert!(message(&story.vm("web-1")).contains("would need a restart"), "{}", message(&story.vm("web-1")));
        story.resize("web-1", size(4, 4));
        story.settles(300).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_new_vm_that_its_policy_forbids_is_not_made() {
    deterministic(async {
        let mut story = Story::of(1, 1).await;
        story.ruled("  step:\n    vcpus: 2\n").await;
        story.asks("web-9", size(3, 2));
        story.push("odd");
        story.source_says("Problems", 30).await;
        assert!(!story.world.vms().contains_key("web-9"));
        story.state("web-9", size(4, 2));
        story.push("even");
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}
