//! From a push to the cluster: what is applied, what is not, and what is told of it.

use serde_json::{Value, json};

use super::api::{Fault, status};
use super::world::{SOURCES, URL, VMS, World, location, vm};
use crate::observe::Kind;
use crate::source::{FetchError, Location};

async fn two_vms() -> World {
    let mut world = World::new();
    world.push(URL, &[("web.yaml", vm("web", "2Gi")), ("db.yaml", vm("db", "4Gi"))]);
    world.add_source("fleet", URL);
    world.pass_time(10).await;
    world.api.log();
    world
}

fn size(vm: &Value) -> &Value {
    &vm["spec"]["instance"]["memory"]["size"]
}

fn writes(log: &[String], start: &str) -> usize {
    log.iter().filter(|line| line.starts_with(start)).count()
}

#[tokio::test(start_paused = true)]
async fn a_push_is_applied_with_commit_source_and_place() {
    let mut world = World::new();
    let commit = world.push(URL, &[("vms/web.yaml", vm("web", "2Gi"))]);
    world.add_source("fleet", URL);
    world.settle().await;
    let vm = world.vm("web");
    assert_eq!(size(&vm), "2Gi");
    let expected =
        json!({"reef.dev/revision": commit, "reef.dev/source": "team/fleet", "reef.dev/origin": "vms/web.yaml:1"});
    assert_eq!(vm["metadata"]["annotations"], expected);
    let source = world.source("fleet");
    assert_eq!(
        (&source["status"]["observedCommit"], &source["status"]["appliedCommit"]),
        (&json!(commit), &json!(commit))
    );
    let message = format!("commit {commit} is applied: 1 VMs, 0 policies");
    assert_eq!(World::ready(&source), ("True", "Applied", message.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_agrees_costs_no_call() {
    let mut world = two_vms().await;
    let parsed = world.metrics.counts().files_parsed;
    world.pass_time(300).await;
    assert_eq!(world.api.log(), Vec::<String>::new());
    assert!(world.metrics.counts().fetches > 4);
    assert_eq!(world.metrics.counts().files_parsed, parsed);
}

#[tokio::test(start_paused = true)]
async fn one_changed_vm_is_one_file_one_apply_and_one_status_of_the_source() {
    let mut world = two_vms().await;
    let parsed = world.metrics.counts().files_parsed;
    world.push(URL, &[("web.yaml", vm("web", "3Gi")), ("db.yaml", vm("db", "4Gi"))]);
    world.settle().await;
    let log = world.api.log();
    assert_eq!(size(&world.vm("web")), "3Gi");
    let git = ["PATCH virtualmachines/web", "PATCH gitsources/fleet/status"];
    let seen: Vec<&String> = log.iter().filter(|line| git.contains(&line.as_str())).collect();
    assert_eq!(seen, git, "{log:?}");
    assert_eq!(writes(&log, "PATCH virtualmachines/db"), 0, "{log:?}");
    assert_eq!(world.metrics.counts().files_parsed, parsed + 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_over_a_fleet_that_agrees_writes_nothing() {
    let mut world = two_vms().await.restarted();
    world.pass_time(60).await;
    assert_eq!(writes(&world.api.log(), "PATCH"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_by_another_hand_is_undone_and_the_revision_stays() {
    let mut world = two_vms().await;
    let before = world.vm("web");
    let mut edited = before.clone();
    edited["spec"]["instance"]["memory"]["size"] = json!("8Gi");
    world.write(Kind::Vm, &format!("{VMS}/web"), edited);
    world.push(URL, &[("web.yaml", vm("web", "2Gi")), ("db.yaml", vm("db", "4Gi")), ("new.yaml", vm("new", "1Gi"))]);
    world.settle().await;
    let after = world.vm("web");
    assert_eq!(size(&after), "2Gi");
    assert_eq!(after["metadata"]["annotations"], before["metadata"]["annotations"]);
}

#[tokio::test(start_paused = true)]
async fn a_field_of_another_manager_is_left_to_it_and_both_sides_are_told() {
    let mut world = two_vms().await;
    let conflict = json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": "Apply failed", "details": {"causes": [
        {"reason": "FieldManagerConflict", "field": ".spec.instance.memory.size", "message": "conflict with \"kubectl-edit\" using v1"}]}});
    world.api.fault("PATCH virtualmachines/web", Fault::Answer(409, conflict));
    world.push(URL, &[("web.yaml", vm("web", "3Gi")), ("db.yaml", vm("db", "5Gi"))]);
    world.pass_time(60).await;
    assert_eq!((size(&world.vm("web")), size(&world.vm("db"))), (&json!("2Gi"), &json!("5Gi")));
    let log = world.api.log();
    assert_eq!(log.iter().filter(|line| *line == "PATCH virtualmachines/web").count(), 1, "{log:?}");
    assert_eq!(writes(&log, "POST events"), 1, "{log:?}");
    let source = world.source("fleet");
    let problem = &source["status"]["problems"][0];
    assert_eq!((&problem["path"], &problem["line"]), (&json!("web.yaml"), &json!(1)));
    assert!(problem["message"].as_str().unwrap().contains("field manager \"kubectl-edit\""), "{problem}");
    assert_eq!(World::ready(&source).1, "Problems");
    world.pass_time(300).await;
    assert_eq!(size(&world.vm("web")), "3Gi", "once the other manager lets go, Git's size is applied");
    assert_eq!(World::ready(&world.source("fleet")).0, "True");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_does_not_parse_is_told_and_everything_else_goes_on() {
    let mut world = two_vms().await;
    let broken = vm("web", "2Gi").replace("size: 2Gi", "sise: 3Gi");
    let commit = world.push(URL, &[("web.yaml", broken), ("db.yaml", vm("db", "5Gi"))]);
    world.pass_time(5).await;
    assert_eq!((size(&world.vm("web")), size(&world.vm("db"))), (&json!("2Gi"), &json!("5Gi")));
    let source = world.source("fleet");
    let problem = &source["status"]["problems"][0];
    assert_eq!((&problem["path"], &problem["line"]), (&json!("web.yaml"), &json!(8)));
    assert!(problem["message"].as_str().unwrap().contains("8 |       sise: 3Gi"), "{problem}");
    assert_eq!((World::ready(&source).1, &source["status"]["appliedCommit"]), ("Problems", &json!(commit)));
}

#[tokio::test(start_paused = true)]
async fn a_vm_whose_file_is_good_again_no_longer_tells_of_it() {
    let mut world = World::new();
    let good = vm("web", "2Gi").replace("spec:\n", "spec:\n  runPolicy: Halted\n");
    world.push(URL, &[("web.yaml", good.clone())]);
    world.add_source("fleet", URL);
    world.pass_time(10).await;
    assert_eq!(World::ready(&world.vm("web")).1, "Halted");
    world.push(URL, &[("web.yaml", good.replace("size: 2Gi", "sise: 2Gi"))]);
    world.pass_time(10).await;
    assert_eq!(World::ready(&world.vm("web")).1, "Problems");
    world.push(URL, &[("web.yaml", good)]);
    world.pass_time(10).await;
    assert_eq!(World::ready(&world.vm("web")).1, "Halted");
}

fn unreachable(location: &Location) -> FetchError {
    FetchError::Unreachable { url: location.shown().clone(), detail: "connection refused".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_cannot_be_read_keeps_the_last_good_state_which_still_holds() {
    let mut world = two_vms().await;
    let status_before = world.source("fleet")["status"].clone();
    world.repositories.fail(&location(URL), unreachable(&location(URL)));
    world.pass_time(120).await;
    let source = world.source("fleet");
    assert_eq!((World::ready(&source).0, World::ready(&source).1), ("False", "Unreachable"));
    for kept in ["observedCommit", "appliedCommit"] {
        assert_eq!(source["status"][kept], status_before[kept], "{kept}");
    }
    let mut edited = world.vm("web");
    edited["spec"]["instance"]["memory"]["size"] = json!("8Gi");
    world.write(Kind::Vm, &format!("{VMS}/web"), edited);
    world.settle().await;
    assert_eq!(size(&world.vm("web")), "2Gi");
    world.push(URL, &[("web.yaml", vm("web", "3Gi")), ("db.yaml", vm("db", "4Gi"))]);
    world.pass_time(5).await;
    assert_eq!((size(&world.vm("web")), World::ready(&world.source("fleet")).0), (&json!("3Gi"), "True"));
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_is_removed_from_git_is_kept_and_told_once() {
    let mut world = two_vms().await;
    world.push(URL, &[("db.yaml", vm("db", "4Gi"))]);
    world.pass_time(200).await;
    assert_eq!(size(&world.vm("web")), "2Gi");
    let log = world.api.log();
    assert_eq!((writes(&log, "POST events"), writes(&log, "DELETE")), (1, 0), "{log:?}");
    let source = world.source("fleet");
    let removed = json!([{"kind": "VirtualMachine", "name": "web", "path": "web.yaml"}]);
    assert_eq!(source["status"]["removed"], removed);
    assert!(World::ready(&source).2.ends_with("1 VMs, 0 policies, 1 removed from Git and kept"), "{source}");
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_is_deleted_comes_back_while_its_source_is_there() {
    let mut world = two_vms().await;
    world.delete(Kind::Vm, &format!("{VMS}/web"));
    world.pass_time(10).await;
    assert_eq!(size(&world.vm("web")), "2Gi");
    let log = world.api.log();
    assert_eq!(log[..2], ["GET gitsources/fleet", "PATCH virtualmachines/web"], "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_is_deleted_after_its_source_stays_away_though_the_watch_tells_of_it_first() {
    let mut world = two_vms().await;
    let source = format!("{SOURCES}/fleet");
    let gone = world.api.remove(&source);
    world.delete(Kind::Vm, &format!("{VMS}/web"));
    world.pass_time(10).await;
    assert_eq!(world.api.log(), ["GET gitsources/fleet"]);
    assert_eq!(world.vm("web"), Value::Null);
    world.api.put(&source, gone);
    world.delete(Kind::Source, &source);
    world.pass_time(10).await;
    assert_eq!(world.vm("web"), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn of_two_sources_that_state_one_vm_the_one_that_applied_it_goes_on() {
    let mut world = two_vms().await;
    let other = "https://git.example.com/other";
    world.push(other, &[("mine.yaml", vm("web", "9Gi"))]);
    world.add_source("other", other);
    world.pass_time(30).await;
    assert_eq!(size(&world.vm("web")), "2Gi");
    world.push(URL, &[("web.yaml", vm("web", "3Gi")), ("db.yaml", vm("db", "4Gi"))]);
    world.pass_time(30).await;
    assert_eq!(size(&world.vm("web")), "3Gi");
    let problem = world.source("other")["status"]["problems"][0].clone();
    assert!(problem["message"].as_str().unwrap().contains("GitSource team/fleet"), "{problem}");
    world.push(URL, &[("db.yaml", vm("db", "4Gi"))]);
    world.pass_time(30).await;
    assert_eq!(size(&world.vm("web")), "9Gi", "the other source takes over what this one gave up");
    assert_eq!(World::ready(&world.source("other")).0, "True");
}

#[tokio::test(start_paused = true)]
async fn an_apply_whose_reply_is_lost_is_decided_by_a_read() {
    let mut world = two_vms().await;
    world.api.fault("PATCH virtualmachines/web", Fault::LoseReply);
    world.push(URL, &[("web.yaml", vm("web", "3Gi")), ("db.yaml", vm("db", "4Gi"))]);
    world.pass_time(5).await;
    let log = world.api.log();
    let about: Vec<&str> =
        log.iter().map(String::as_str).filter(|line| line.ends_with("virtualmachines/web")).collect();
    assert_eq!(about, ["PATCH virtualmachines/web", "GET virtualmachines/web"]);
    assert_eq!(size(&world.vm("web")), "3Gi");
}

#[tokio::test(start_paused = true)]
async fn a_field_that_the_server_drops_is_told_and_not_sent_again_and_again() {
    let mut world = two_vms().await;
    for _ in 0..3 {
        let kept = world.vm("web");
        world.api.fault("PATCH virtualmachines/web", Fault::Answer(200, kept));
    }
    world.push(URL, &[("web.yaml", vm("web", "3Gi")), ("db.yaml", vm("db", "4Gi"))]);
    world.pass_time(100).await;
    let log = world.api.log();
    assert_eq!(log.iter().filter(|line| *line == "PATCH virtualmachines/web").count(), 1, "{log:?}");
    let problem = world.source("fleet")["status"]["problems"][0]["message"].to_string();
    assert!(problem.contains("keeps something else (spec.instance.memory.size)"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_that_is_asked_for_is_done_at_once_and_echoed() {
    let mut world = two_vms().await;
    let fetches = world.metrics.counts().fetches;
    let mut asked = world.source("fleet");
    asked["metadata"]["annotations"] = json!({"reconcile.reef.dev/requestedAt": "now-1"});
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), asked);
    world.settle().await;
    assert_eq!(world.metrics.counts().fetches, fetches + 1);
    assert_eq!(world.source("fleet")["status"]["lastHandledReconcileAt"], "now-1");
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_named_and_another_source_goes_on() {
    let mut world = World::new();
    world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
    let object = json!({"apiVersion": "reef.dev/v1alpha1", "kind": "GitSource", "metadata": {"name": "closed", "namespace": "team"},
        "spec": {"url": "https://git.example.com/closed", "secretRef": {"name": "token"}}});
    world.write(Kind::Source, &format!("{SOURCES}/closed"), object);
    world.add_source("fleet", URL);
    world.pass_time(3).await;
    assert_eq!(World::ready(&world.source("closed")), ("False", "AuthFailed", "Secret token does not exist"));
    assert_eq!(size(&world.vm("web")), "2Gi");
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_tells_of_nothing_is_looked_at_each_interval() {
    let mut world = World::mute();
    world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
    world.add_source("fleet", URL);
    world.pass_time(10).await;
    assert_eq!(size(&world.vm("web")), "2Gi");
    world.push(URL, &[("web.yaml", vm("web", "3Gi"))]);
    world.pass_time(75).await;
    assert_eq!(size(&world.vm("web")), "3Gi", "a minute and its jitter are enough");
}

#[tokio::test(start_paused = true)]
async fn a_repository_of_bombs_is_told_of_and_costs_no_other_source_anything() {
    let other = "https://git.example.com/bombs";
    let mut world = World::new();
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ["b", "c", "d", "e", "f"].into_iter().zip(["a", "b", "c", "d", "e"]) {
        bomb +=
            &format!("{name}: &{name} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n");
    }
    let files = [("alias.yaml", bomb), ("deep.yaml", "[".repeat(400_000)), ("huge.yaml", "# x\n".repeat(1 << 20))];
    world.push(other, &files);
    world.add_source("bombs", other);
    world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
    world.add_source("fleet", URL);
    world.pass_time(10).await;
    assert_eq!((size(&world.vm("web")), World::ready(&world.source("fleet")).0), (&json!("2Gi"), "True"));
    let bombs = world.source("bombs");
    assert_eq!(bombs["status"]["problems"].as_array().map(Vec::len), Some(3), "{bombs}");
    let told = bombs["status"].to_string();
    assert!(told.len() < 10_000, "{} bytes are told of three files", told.len());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_kept_from_going_is_followed_no_more() {
    let mut world = two_vms().await;
    let mut source = world.source("fleet");
    source["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
    source["metadata"]["finalizers"] = json!(["example.com/keep"]);
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), source);
    world.settle().await;
    let fetches = world.metrics.counts().fetches;
    world.push(URL, &[("web.yaml", vm("web", "3Gi")), ("new.yaml", vm("new", "1Gi"))]);
    world.pass_time(600).await;
    assert_eq!((world.api.log(), world.metrics.counts().fetches - fetches), (Vec::<String>::new(), 0));
    assert_eq!(size(&world.vm("web")), "2Gi", "what it stated last runs on");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_forbids_an_apply_is_quoted() {
    let mut world = two_vms().await;
    let text = "virtualmachines \"web\" is forbidden: User \"reef\" cannot patch resource \"virtualmachines\"";
    world.api.fault("PATCH virtualmachines/web", Fault::Answer(403, status(403, "Forbidden", text, "web")));
    world.push(URL, &[("web.yaml", vm("web", "3Gi")), ("db.yaml", vm("db", "4Gi"))]);
    world.pass_time(5).await;
    let problem = world.source("fleet")["status"]["problems"][0]["message"].to_string();
    assert!(problem.contains("cannot patch resource"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn a_vm_boots_by_the_policy_of_its_own_commit() {
    let mut world = World::new();
    let policy = "apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: all\nspec:\n  boot:\n    max:\n      memory: 32Gi\n";
    world.push(URL, &[("web.yaml", vm("web", "2Gi")), ("policy.yaml", policy.to_owned())]);
    world.add_source("fleet", URL);
    world.pass_time(10).await;
    let pods = world.api.paths("/api/v1/namespaces/team/pods");
    let pod = world.api.object(&pods[0]);
    let layout: Value = serde_json::from_str(pod["spec"]["containers"][0]["args"][2].as_str().unwrap()).unwrap();
    assert_eq!(layout["maxMemory"], "32Gi");
    let log = world.api.log();
    let first = |line: &str| log.iter().position(|found| found == line);
    assert!(first("PATCH sizingpolicies/all") < first("PATCH virtualmachines/web"), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_condition_of_somebody_else_on_a_source_is_no_reason_to_write() {
    let mut world = two_vms().await;
    let mut source = world.source("fleet");
    let mut foreign = source["status"]["conditions"][0].clone();
    foreign["type"] = json!("Audited");
    source["status"]["conditions"].as_array_mut().unwrap().push(foreign);
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), source);
    world.pass_time(60).await;
    assert_eq!(world.api.log(), Vec::<String>::new());
}
