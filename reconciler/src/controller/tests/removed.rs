//! What left Git: known from the objects themselves, so that it is seen after a restart too, and costs no list of everything.

use serde_json::{Value, json};

use super::world::{SOURCES, URL, VMS, World, vm};
use crate::observe::Kind;

async fn fleet(files: &[(&str, String)]) -> World {
    let mut world = World::new();
    world.push(URL, files);
    world.add_source("fleet", URL);
    world.pass_time(10).await;
    world.api.log();
    world
}

fn removed(world: &World) -> Value {
    world.source("fleet")["status"]["removed"].clone()
}

#[tokio::test(start_paused = true)]
async fn what_left_git_while_nobody_looked_is_told_once() {
    let mut world = fleet(&[("web.yaml", vm("web", "2Gi")), ("db.yaml", vm("db", "4Gi"))]).await;
    world.push(URL, &[("db.yaml", vm("db", "4Gi"))]);
    for _ in 0..2 {
        world = world.restarted();
        world.pass_time(100).await;
        assert_eq!(removed(&world), json!([{"kind": "VirtualMachine", "name": "web", "path": "web.yaml"}]));
    }
    let told = world.api.paths("/api/v1/namespaces/team/events");
    assert_eq!(told.iter().filter(|path| path.contains("vmremovedfromgit")).count(), 1, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_read_after_a_restart_removes_nothing() {
    let world = fleet(&[("web.yaml", vm("web", "2Gi")), ("db.yaml", vm("db", "4Gi"))]).await;
    world.push(URL, &[("web.yaml", "kind: [".to_owned()), ("db.yaml", vm("db", "4Gi"))]);
    let mut world = world.restarted();
    world.pass_time(100).await;
    assert_eq!(removed(&world), Value::Null);
    world.push(URL, &[("db.yaml", vm("db", "4Gi"))]);
    world.pass_time(100).await;
    assert_eq!(removed(&world), json!([{"kind": "VirtualMachine", "name": "web", "path": "web.yaml"}]));
}

#[tokio::test(start_paused = true)]
async fn a_removed_vm_that_is_deleted_by_hand_is_not_told_of_any_more() {
    let mut world = fleet(&[("web.yaml", vm("web", "2Gi")), ("db.yaml", vm("db", "4Gi"))]).await;
    world.push(URL, &[("db.yaml", vm("db", "4Gi"))]);
    world.pass_time(100).await;
    assert_eq!(removed(&world).as_array().map(Vec::len), Some(1));
    world.delete(Kind::Vm, &format!("{VMS}/web"));
    world.pass_time(100).await;
    assert_eq!(removed(&world), Value::Null);
    assert!(World::ready(&world.source("fleet")).2.ends_with("1 VMs, 0 policies"));
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_source_does_not_grow_with_its_fleet() {
    let files: Vec<(String, String)> =
        (0..700).map(|n| (format!("vm-{n}.yaml"), vm(&format!("vm-{n}"), "1Gi"))).collect();
    let files: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let mut world = fleet(&files).await;
    let size = |world: &World| world.source("fleet")["status"].to_string().len();
    assert!(size(&world) < 1000, "{} bytes", size(&world));
    world.push(URL, &[("vm-0.yaml", vm("vm-0", "1Gi"))]);
    world.pass_time(100).await;
    assert_eq!(removed(&world).as_array().map(Vec::len), Some(500));
    assert!(size(&world) < 50_000, "{} bytes", size(&world));
    assert!(World::ready(&world.source("fleet")).2.ends_with("1 VMs, 0 policies, 699 removed from Git and kept"));
}

#[tokio::test(start_paused = true)]
async fn one_status_tells_that_a_commit_is_being_applied_however_long_that_takes() {
    let files: Vec<(String, String)> =
        (0..300).map(|n| (format!("vm-{n}.yaml"), vm(&format!("vm-{n}"), "1Gi"))).collect();
    let files: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let mut world = World::new();
    world.api.latency(std::time::Duration::from_millis(500));
    world.push(URL, &files);
    world.add_source("fleet", URL);
    world.pass_time(200).await;
    let log = world.api.log();
    let statuses = log.iter().filter(|line| *line == "PATCH gitsources/fleet/status").count();
    assert!(statuses <= 3, "{statuses} statuses of {SOURCES}");
    assert_eq!(World::ready(&world.source("fleet")).0, "True");
}
