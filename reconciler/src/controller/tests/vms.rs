//! A VM by the loop: its status and Pod, and what happens when answers are lost, late or refused.

use serde_json::{Value, json};

use super::api::{Fault, status};
use super::world::{PODS, VMS, World};
use crate::observe::Kind;

fn plain() -> Value {
    json!({"apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "team"}, "spec": {"instance": {"memory": {"size": "2Gi"}}}})
}

fn with_vm() -> World {
    let mut world = World::new();
    world.write(Kind::Vm, &format!("{VMS}/web"), plain());
    world
}

fn posted_pods(log: &[String]) -> usize {
    log.iter().filter(|line| *line == "POST pods").count()
}

#[tokio::test(start_paused = true)]
async fn a_new_vm_gets_a_status_and_a_pod_and_then_nothing_is_called() {
    let mut world = with_vm();
    world.settle().await;
    let log = world.api.log();
    assert_eq!(log, ["PATCH virtualmachines/web/status", "POST pods", "PATCH virtualmachines/web/status"]);
    assert_eq!(World::ready(&world.vm("web")).1, "Starting");
    world.pass_time(3600).await;
    assert_eq!(world.api.log(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_creation_whose_reply_is_lost_makes_no_second_pod() {
    let mut world = with_vm();
    world.api.fault("POST pods", Fault::LoseReply);
    world.pass_time(10).await;
    let log = world.api.log();
    assert_eq!(posted_pods(&log), 2, "{log:?}");
    assert!(log.iter().any(|line| line.starts_with("GET pods/web-")), "the second meets the first: {log:?}");
    assert_eq!(World::ready(&world.vm("web")).1, "Starting");
}

#[tokio::test(start_paused = true)]
async fn a_status_whose_reply_is_lost_is_read_before_anything_else_is_done() {
    let mut world = with_vm();
    world.api.fault("PATCH virtualmachines/web/status", Fault::LoseReply);
    world.pass_time(10).await;
    let log = world.api.log();
    let expected = [
        "PATCH virtualmachines/web/status",
        "GET virtualmachines/web",
        "POST pods",
        "PATCH virtualmachines/web/status",
    ];
    assert_eq!(log, expected);
}

#[tokio::test(start_paused = true)]
async fn a_status_on_a_view_that_is_too_old_is_decided_anew() {
    let mut world = with_vm();
    let mut newer = plain();
    newer["metadata"]["uid"] = world.vm("web")["metadata"]["uid"].clone();
    newer["metadata"]["labels"] = json!({"x": "y"});
    world.api.put(&format!("{VMS}/web"), newer);
    world.settle().await;
    let log = world.api.log();
    assert_eq!(
        log[..3],
        ["PATCH virtualmachines/web/status", "GET virtualmachines/web", "PATCH virtualmachines/web/status"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_is_deleted_in_between_is_let_go() {
    let mut world = with_vm();
    let missing = status(404, "NotFound", "virtualmachines \"web\" not found", "web");
    world.api.fault("PATCH virtualmachines/web/status", Fault::Answer(404, missing.clone()));
    world.api.fault("GET virtualmachines/web", Fault::Answer(404, missing));
    world.pass_time(60).await;
    assert_eq!(world.api.log(), ["PATCH virtualmachines/web/status", "GET virtualmachines/web"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_is_left_alone_as_long_as_it_asks() {
    let mut world = with_vm();
    let busy = json!({"kind": "Status", "code": 429, "message": "slow down", "details": {"retryAfterSeconds": 20}});
    world.api.fault("PATCH virtualmachines/web/status", Fault::Answer(429, busy));
    world.pass_time(19).await;
    assert_eq!(world.api.log().len(), 1);
    world.pass_time(5).await;
    assert_eq!(posted_pods(&world.api.log()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_forbids_is_asked_less_and_less_often() {
    let mut world = with_vm();
    let text = "virtualmachines/status \"web\" is forbidden: User \"reef\" cannot patch";
    for _ in 0..100 {
        let forbidden = status(403, "Forbidden", text, "web");
        world.api.fault("PATCH virtualmachines/web/status", Fault::Answer(403, forbidden));
    }
    world.pass_time(600).await;
    let calls = world.api.log().len();
    assert!((8..16).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_vm_of_an_unexpected_shape_is_left_alone_until_it_is_mended() {
    let mut world = World::new();
    let mut odd = plain();
    odd["spec"]["instance"]["memory"]["size"] = json!(["much"]);
    world.write(Kind::Vm, &format!("{VMS}/web"), odd);
    world.settle().await;
    assert_eq!(world.api.log(), Vec::<String>::new());
    let mended = json!({"metadata": {"uid": world.vm("web")["metadata"]["uid"]}});
    let mut object = plain();
    object["metadata"]["uid"] = mended["metadata"]["uid"].clone();
    world.write(Kind::Vm, &format!("{VMS}/web"), object);
    world.settle().await;
    assert_eq!(posted_pods(&world.api.log()), 1);
}

/// The VM's Pod runs and its daemon has reported, as both would write it.
async fn running() -> World {
    let mut world = with_vm();
    world.settle().await;
    let path = world.api.paths(PODS).remove(0);
    let mut pod = world.api.object(&path);
    let container = &pod["spec"]["containers"][0];
    let resources = container["resources"].clone();
    pod["spec"]["nodeName"] = json!("node-a");
    pod["status"] = json!({"phase": "Running", "observedGeneration": 9, "containerStatuses": [
        {"name": "vm-manager", "image": "reef", "imageID": "", "ready": true, "restartCount": 0,
         "allocatedResources": resources["requests"], "resources": resources, "state": {"running": {}}}]});
    let uid = pod["metadata"]["uid"].clone();
    world.write(Kind::Pod, &path, pod);
    let mut vm = world.vm("web");
    vm["status"]["vmm"] = json!({"podUID": uid, "process": {"pid": 1, "startTime": 1}, "ackSeq": 0,
        "vcpusRequested": 1, "vcpusPresent": 1, "memoryRequested": "2Gi", "memoryActual": "2Gi",
        "boot": {"minVcpus": 1, "maxVcpus": 8, "minMemory": "1Gi", "maxMemory": "16Gi"}});
    world.write(Kind::Vm, &format!("{VMS}/web"), vm);
    world.settle().await;
    assert_eq!(World::ready(&world.vm("web")).1, "Settled");
    world.api.log();
    world
}

fn grow(world: &mut World) {
    let mut vm = world.vm("web");
    vm["spec"]["instance"]["memory"]["size"] = json!("4Gi");
    world.write(Kind::Vm, &format!("{VMS}/web"), vm);
}

fn resizes(log: &[String]) -> usize {
    log.iter().filter(|line| line.ends_with("/resize")).count()
}

#[tokio::test(start_paused = true)]
async fn a_raise_pins_the_target_in_the_status_before_the_pod_is_touched() {
    let mut world = running().await;
    grow(&mut world);
    world.settle().await;
    let log: Vec<String> = world.api.log().into_iter().filter(|line| line.starts_with("PATCH")).collect();
    assert_eq!(log[0], "PATCH virtualmachines/web/status");
    assert!(log[1].ends_with("/resize"), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_a_late_patch_may_have_reached_unseen_is_read_before_anything_else_is_written() {
    let mut world = running().await;
    let path = world.api.paths(PODS).remove(0);
    world.api.fault("PATCH pods/web", Fault::Answer(500, status(500, "InternalError", "timed out", "web")));
    grow(&mut world);
    world.settle().await;
    let mut vm = world.vm("web");
    vm["spec"]["instance"]["memory"]["size"] = json!("2Gi");
    world.write(Kind::Vm, &format!("{VMS}/web"), vm);
    world.pass_time(20).await;
    let mut late = world.api.object(&path);
    for of in ["requests", "limits"] {
        late["spec"]["containers"][0]["resources"][of]["memory"] = json!("4352Mi");
    }
    world.api.put(&path, late);
    world.api.log();
    world.pass_time(20).await;
    let mut log = world.api.log();
    log.retain(|line| line != "POST events");
    assert!(log[0].starts_with("GET pods/web"), "{log:?}");
    assert_eq!(log[1], "PATCH virtualmachines/web/status", "{log:?}");
    assert!(log[2].ends_with("/resize"), "the wish that came late is taken back: {log:?}");
}

/// A controller that begins when the VM is to grow and its Pod carries that already.
async fn taken_over() -> World {
    let mut world = running().await;
    let path = world.api.paths(PODS).remove(0);
    let mut pod = world.api.object(&path);
    for part in ["/spec/containers/0/resources", "/status/containerStatuses/0/resources"] {
        let resources = pod.pointer_mut(part).unwrap();
        for of in ["requests", "limits"] {
            resources[of]["memory"] = json!("4352Mi");
        }
    }
    pod["status"]["containerStatuses"][0]["allocatedResources"]["memory"] = json!("4352Mi");
    world.write(Kind::Pod, &path, pod);
    grow(&mut world);
    world.restarted()
}

fn granted(world: &World) -> Value {
    world.vm("web")["status"]["resize"]["grant"]["memory"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_begins_raises_nothing_while_a_patch_of_the_last_one_may_arrive() {
    let mut world = taken_over().await;
    world.pass_time(29).await;
    assert_ne!(granted(&world), json!("4Gi"));
    world.api.log();
    world.pass_time(2).await;
    let log = world.api.log();
    assert!(log[0].starts_with("GET pods/web"), "it may have arrived unseen: {log:?}");
    assert_eq!(granted(&world), json!("4Gi"));
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_begins_goes_on_at_once_with_a_pod_that_has_moved_since() {
    let mut world = taken_over().await;
    world.pass_time(2).await;
    assert_ne!(granted(&world), json!("4Gi"));
    let path = world.api.paths(PODS).remove(0);
    let mut pod = world.api.object(&path);
    pod["metadata"]["labels"]["x"] = json!("y");
    world.write(Kind::Pod, &path, pod);
    world.pass_time(2).await;
    assert_eq!(granted(&world), json!("4Gi"), "no patch of before can land on this version");
}

#[tokio::test(start_paused = true)]
async fn a_raise_beyond_a_quota_is_told_and_tried_again_after_a_while() {
    let mut world = running().await;
    for _ in 0..2 {
        let text = "pods \"web\" is forbidden: exceeded quota: team, requested: limits.memory=2Gi";
        world.api.fault("PATCH pods/web", Fault::Answer(403, status(403, "Forbidden", text, "web")));
    }
    grow(&mut world);
    world.pass_time(29).await;
    let vm = world.vm("web");
    assert_eq!(World::ready(&vm).1, "QuotaExceeded");
    assert!(World::ready(&vm).2.contains("exceeded quota: team"), "{vm}");
    assert_eq!(resizes(&world.api.log()), 1);
    world.pass_time(60).await;
    assert_eq!(resizes(&world.api.log()), 1, "once after half a minute, and not again within the next minute");
    world.pass_time(60).await;
    assert_eq!(resizes(&world.api.log()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_raise_that_the_node_can_never_hold_is_remembered_and_not_repeated() {
    let mut world = running().await;
    let refused = json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "node didn't have enough allocatable resources",
        "details": {"name": "web", "causes": [{"reason": "NodeCapacity", "message": "too large"}]}});
    world.api.fault("PATCH pods/web", Fault::Answer(403, refused));
    grow(&mut world);
    world.pass_time(3600).await;
    let vm = world.vm("web");
    assert_eq!((World::ready(&vm).1, &vm["status"]["phase"]), ("Infeasible", &json!("Running")));
    assert_eq!(resizes(&world.api.log()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_a_quota_refuses_is_told_and_tried_again_less_and_less_often() {
    let mut world = with_vm();
    for _ in 0..100 {
        let text = "pods \"web\" is forbidden: exceeded quota: team, requested: limits.memory=2Gi";
        world.api.fault("POST pods", Fault::Answer(403, status(403, "Forbidden", text, "web")));
    }
    world.pass_time(3600).await;
    let vm = world.vm("web");
    assert_eq!(World::ready(&vm).1, "QuotaExceeded");
    assert!(World::ready(&vm).2.contains("exceeded quota: team"), "{vm}");
    let log = world.api.log();
    assert!((8..12).contains(&posted_pods(&log)), "{log:?}");
    assert_eq!(log.len() - posted_pods(&log), 2, "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_may_not_be_deleted_is_asked_for_less_and_less_often() {
    let mut world = running().await;
    for _ in 0..1000 {
        let text = "pods \"web\" is forbidden: User \"reef\" cannot delete";
        world.api.fault("DELETE pods/web", Fault::Answer(403, status(403, "Forbidden", text, "web")));
    }
    let mut vm = world.vm("web");
    vm["spec"]["runPolicy"] = json!("Halted");
    world.write(Kind::Vm, &format!("{VMS}/web"), vm);
    world.pass_time(600).await;
    let deletions = world.api.log().iter().filter(|line| line.starts_with("DELETE")).count();
    assert!((8..16).contains(&deletions), "{deletions}");
}
