//! Beside Argo CD: a source that only reads, one owner of two, and the commit that an Application has synced.

use serde_json::{Value, json};

use super::api::{Fault, status};
use super::world::{PODS, SOURCES, URL, VMS, World, vm};
use crate::observe::Kind;

const APPLICATION: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/fleet";
const TRACKING: &str = "fleet:cloudhypervisor.quill.today/VirtualMachine:team/web";

fn source(apply: Option<bool>) -> Value {
    let mut source = json!({"apiVersion": "reef.dev/v1alpha1", "kind": "GitSource",
        "metadata": {"name": "fleet", "namespace": "team"}, "spec": {"url": URL}});
    if let Some(apply) = apply {
        source["spec"]["apply"] = json!(apply);
    }
    source
}

/// The VM as Argo CD has applied it last, by the times at which it and somebody else have changed the spec.
fn tracked(size: &str, argocd_at: u32, other_at: Option<u32>) -> Value {
    let entry = |manager: &str, second: u32| {
        let time = format!("2026-11-21T12:00:{second:02}Z");
        json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": {"f:spec": {"f:instance": {}}}})
    };
    let others = other_at.map(|second| entry("kubectl-edit", second));
    let owners: Vec<Value> = others.into_iter().chain([entry("argocd-controller", argocd_at)]).collect();
    json!({"apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "team", "managedFields": owners,
            "annotations": {"argocd.argoproj.io/tracking-id": TRACKING, "reef.dev/revision": "of-before"}},
        "spec": {"instance": {"memory": {"size": size}}}})
}

fn application(commit: &str) -> Value {
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "fleet", "namespace": "argocd"},
        "spec": {}, "status": {"operationState": {"phase": "Running", "operation": {"sync": {"revision": commit}}}}})
}

/// The Pod of the VM runs, and its daemon has told so.
fn boots(world: &mut World) {
    let path = world.api.paths(PODS).remove(0);
    let mut pod = world.api.object(&path);
    let size = pod["spec"]["containers"][0]["resources"].clone();
    pod["status"] = json!({"phase": "Running", "observedGeneration": 1, "containerStatuses": [
        {"name": "vm-manager", "allocatedResources": size["requests"], "resources": size, "state": {"running": {}},
            "image": "", "imageID": "", "ready": true, "restartCount": 0}]});
    world.write(Kind::Pod, &path, pod.clone());
    let mut vm = world.vm("web");
    vm["status"]["vmm"] = json!({"podUID": pod["metadata"]["uid"], "process": {"pid": 7, "startTime": 7}, "ackSeq": 0,
        "vcpusRequested": 1, "vcpusPresent": 1, "memoryRequested": "2Gi", "memoryActual": "2Gi",
        "boot": {"minVcpus": 1, "maxVcpus": 2, "minMemory": "1Gi", "maxMemory": "10Gi"}});
    world.write(Kind::Vm, &format!("{VMS}/web"), vm);
}

/// Argo CD, or somebody else, writes the VM anew.
fn apply(world: &mut World, object: Value) {
    let before = world.vm("web");
    let mut object = object;
    object["metadata"]["uid"] = before["metadata"]["uid"].clone();
    object["status"] = before["status"].clone();
    world.write(Kind::Vm, &format!("{VMS}/web"), object);
}

async fn running() -> World {
    let mut world = World::new();
    world.api.put(APPLICATION, application(&"1".repeat(40)));
    world.write(Kind::Vm, &format!("{VMS}/web"), tracked("2Gi", 0, None));
    world.settle().await;
    boots(&mut world);
    world.settle().await;
    world
}

fn revision(world: &World) -> Value {
    world.vm("web")["status"]["resize"]["revision"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_size_is_of_the_commit_that_its_application_has_synced_and_a_later_sync_changes_nothing() {
    let mut world = running().await;
    assert_eq!(revision(&world), "1".repeat(40));
    world.api.log();
    world.api.put(APPLICATION, application(&"2".repeat(40)));
    world.pass_time(600).await;
    assert_eq!((revision(&world), world.api.log()), (json!("1".repeat(40)), vec![]));
    apply(&mut world, tracked("3Gi", 9, None));
    world.settle().await;
    let resize = &world.vm("web")["status"]["resize"];
    assert_eq!((&resize["revision"], &resize["target"]["memory"]), (&json!("2".repeat(40)), &json!("3Gi")));
    let reads = world.api.log().into_iter().filter(|line| line == "GET applications/fleet").count();
    assert_eq!(reads, 1);
}

#[tokio::test(start_paused = true)]
async fn a_size_that_somebody_else_has_written_is_of_no_commit_until_argo_cd_writes_it_again() {
    let mut world = running().await;
    apply(&mut world, tracked("3Gi", 0, Some(5)));
    world.settle().await;
    assert_eq!(revision(&world), Value::Null);
    apply(&mut world, tracked("2Gi", 8, Some(5)));
    world.settle().await;
    assert_eq!(revision(&world), "1".repeat(40));
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_read_applications_a_resize_goes_on_and_names_no_commit() {
    let mut world = running().await;
    let forbidden = status(403, "Forbidden", "applications.argoproj.io \"fleet\" is forbidden", "fleet");
    world.api.fault("GET applications/fleet", Fault::Answer(403, forbidden));
    apply(&mut world, tracked("3Gi", 9, None));
    world.settle().await;
    let resize = &world.vm("web")["status"]["resize"];
    assert_eq!((&resize["revision"], &resize["target"]["memory"]), (&Value::Null, &json!("3Gi")));
}

#[tokio::test(start_paused = true)]
async fn an_application_that_is_gone_holds_nothing_up() {
    let mut world = running().await;
    world.api.remove(APPLICATION);
    apply(&mut world, tracked("3Gi", 9, None));
    world.settle().await;
    assert_eq!(world.vm("web")["status"]["resize"]["target"]["memory"], "3Gi");
    assert_eq!(revision(&world), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_for_an_application_holds_a_resize_up_for_some_seconds_only() {
    let mut world = running().await;
    for _ in 0..100 {
        world.api.fault("GET applications/fleet", Fault::LoseReply);
    }
    apply(&mut world, tracked("3Gi", 9, None));
    world.pass_time(9).await;
    assert_eq!(world.vm("web")["status"]["resize"]["target"]["memory"], "2Gi");
    world.pass_time(3).await;
    assert_eq!(world.vm("web")["status"]["resize"]["target"]["memory"], "3Gi");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_a_source_and_an_application_both_state_is_written_by_the_source_no_more() {
    let mut world = World::new();
    world.write(Kind::Vm, &format!("{VMS}/web"), tracked("2Gi", 0, None));
    world.push(URL, &[("web.yaml", vm("web", "4Gi"))]);
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), source(None));
    world.pass_time(30).await;
    assert_eq!(world.vm("web")["spec"]["instance"]["memory"]["size"], "2Gi");
    let log = world.api.log();
    assert!(!log.contains(&"PATCH virtualmachines/web".to_owned()), "{log:?}");
    let told = world.source("fleet");
    assert_eq!(World::ready(&told).1, "Problems");
    let message = told["status"]["problems"][0]["message"].as_str().unwrap();
    for part in ["GitSource team/fleet states it in web.yaml:1", "Application fleet", "field manager argocd-controller"]
    {
        assert!(message.contains(part), "{message}");
    }
    boots(&mut world);
    world.settle().await;
    assert_eq!(World::ready(&world.vm("web")).1, "OwnerConflict");
    // One of the two gives it up.
    let mut plan_only = source(Some(false));
    plan_only["metadata"]["uid"] = told["metadata"]["uid"].clone();
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), plan_only);
    world.pass_time(5).await;
    assert_eq!(World::ready(&world.vm("web")).1, "Settled");
    assert_eq!(World::ready(&world.source("fleet")).1, "PlanOnly");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_only_reads_writes_nothing_but_its_status_and_applies_all_once_it_may() {
    let mut world = World::new();
    let commit = world.push(URL, &[("web.yaml", vm("web", "2Gi")), ("db.yaml", vm("db", "4Gi"))]);
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), source(Some(false)));
    world.pass_time(300).await;
    // Once that it is read, and once what it would change.
    let log = world.api.log();
    let writes: Vec<&String> = log.iter().filter(|line| !line.starts_with("GET ")).collect();
    assert_eq!(writes, ["PATCH gitsources/fleet/status"; 2]);
    let told = world.source("fleet");
    let message =
        format!("commit {commit} is read, and nothing of it is applied (spec.apply is false): 2 VMs, 0 policies");
    assert_eq!(World::ready(&told), ("True", "PlanOnly", message.as_str()));
    assert_eq!((&told["status"]["observedCommit"], &told["status"]["appliedCommit"]), (&json!(commit), &Value::Null));
    let mut applying = source(None);
    applying["metadata"]["uid"] = told["metadata"]["uid"].clone();
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), applying);
    world.pass_time(5).await;
    assert_eq!(world.vm("web")["spec"]["instance"]["memory"]["size"], "2Gi");
    assert_eq!(world.source("fleet")["status"]["appliedCommit"], json!(commit));
    assert_eq!(World::ready(&world.source("fleet")).1, "Applied");
}
