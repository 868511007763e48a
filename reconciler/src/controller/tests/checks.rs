//! Capacity checks: the commit that an Application is about to sync is planned by the cluster, and the verdict is final.

use serde_json::{Value, json};

use super::api::{Fault, status};
use super::world::{CHECKS, SOURCES, URL, World, vm};
use crate::observe::Kind;

const APPLICATION: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/fleet";
const OTHER: &str = "1f0c2e9a77d15bb0e6b4b8f5d1a3f1f7a0c9d8e7";

/// A cluster of one node with 4Gi, and a source that only reads.
fn world() -> World {
    let mut world = World::new();
    let node = json!({"metadata": {"name": "node-1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}],
        "allocatable": {"cpu": "4", "memory": "4Gi", "pods": "110"}, "capacity": {"cpu": "4", "memory": "4Gi", "pods": "110"}}});
    world.api.put("/api/v1/nodes/node-1", node);
    let source = json!({"apiVersion": "reef.dev/v1alpha1", "kind": "GitSource",
        "metadata": {"name": "fleet", "namespace": "team"}, "spec": {"url": URL, "apply": false}});
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), source);
    world
}

fn syncs(world: &World, commit: &str) {
    application(world, json!({"source": {"repoURL": format!("{URL}.git"), "path": "."}}), "Running", commit);
}

fn application(world: &World, spec: Value, phase: &str, commit: &str) {
    let state = json!({"phase": phase, "operation": {"sync": {"revision": commit}}});
    let object = json!({"metadata": {"name": "fleet", "namespace": "argocd"}, "spec": spec, "status": {"operationState": state}});
    world.api.put(APPLICATION, object);
}

/// A check as Argo CD makes it of a hook.
fn hook(spec: Value) -> Value {
    let mut whole = json!({"sourceRef": {"name": "fleet"}});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"apiVersion": "reef.dev/v1alpha1", "kind": "CapacityCheck", "spec": whole, "metadata": {
        "name": "gate", "namespace": "team",
        "annotations": {"argocd.argoproj.io/tracking-id": "fleet:reef.dev/CapacityCheck:team/gate"}}})
}

fn ask(world: &mut World, spec: Value) {
    world.write(Kind::Check, &format!("{CHECKS}/gate"), hook(spec));
}

fn gate(world: &World) -> Value {
    world.api.object(&format!("{CHECKS}/gate"))
}

/// The condition that holds, its reason and its message.
fn standing(world: &World) -> (String, String, String) {
    let gate = gate(world);
    let conditions = gate["status"]["conditions"].as_array().unwrap_or_else(|| panic!("{gate:#}"));
    let holds = conditions.iter().find(|condition| condition["status"] == "True").unwrap();
    let text = |name: &str| holds[name].as_str().unwrap().to_owned();
    (text("type"), text("reason"), text("message"))
}

fn says(world: &World, kind: &str, reason: &str) -> String {
    let (held, told, message) = standing(world);
    assert_eq!((held.as_str(), told.as_str()), (kind, reason), "{message}");
    message
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fits_lets_the_sync_go_on() {
    let mut world = world();
    let commit = world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
    syncs(&world, &commit);
    ask(&mut world, json!({}));
    world.pass_time(5).await;
    let message = says(&world, "Ready", "CapacityOk");
    assert!(message.contains("compared with the cluster: 1 VM changes: 1 live"), "{message}");
    let told = &gate(&world)["status"];
    assert_eq!((&told["revision"], &told["observedGeneration"]), (&json!(commit), &json!(1)));
    assert_eq!((&told["application"], &told["summary"]["live"]), (&json!("argocd/fleet"), &json!(1)));
    assert!(told["lines"][0].as_str().unwrap().starts_with("web.yaml:4: team/web create live"), "{told:#}");
    assert!(world.vm("web").is_null(), "a check applies nothing");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_no_node_can_hold_is_refused_with_file_and_line() {
    let mut world = world();
    let commit = world.push(URL, &[("vms/web.yaml", vm("web", "900Gi")), ("db.yaml", vm("db", "1Gi"))]);
    syncs(&world, &commit);
    ask(&mut world, json!({}));
    world.pass_time(5).await;
    let message = says(&world, "Stalled", "CapacityRefused");
    assert!(message.contains("refused for Infeasible (spec.failOn)"), "{message}");
    assert!(message.contains("vms/web.yaml:") && message.contains("team/web create infeasible"), "{message}");
    assert_eq!(gate(&world)["status"]["summary"]["infeasible"], 1);
    let conditions = &gate(&world)["status"]["conditions"];
    assert!(conditions.as_array().unwrap().iter().any(|it| it["type"] == "Ready" && it["status"] == "False"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_of_a_commit_is_a_problem_with_file_and_line() {
    let mut world = world();
    let commit = world.push(URL, &[("web.yaml", vm("web", "lots"))]);
    syncs(&world, &commit);
    ask(&mut world, json!({}));
    world.pass_time(5).await;
    let message = says(&world, "Stalled", "CapacityRefused");
    assert!(message.contains("refused for Problems (spec.failOn)") && message.contains("web.yaml:"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn the_policies_of_the_cluster_judge_and_not_those_of_the_commit() {
    let mut world = world();
    let most = |size: &str| {
        format!(
            "apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: all\nspec:\n  bounds:\n    max: {{ memory: {size} }}\n"
        )
    };
    let there = json!({"apiVersion": "reef.dev/v1alpha1", "kind": "SizingPolicy",
        "metadata": {"name": "all", "namespace": "team"}, "spec": {"bounds": {"max": {"memory": "1Gi"}}}});
    world.write(Kind::Policy, "/apis/reef.dev/v1alpha1/namespaces/team/sizingpolicies/all", there);
    let commit = world.push(URL, &[("web.yaml", vm("web", "2Gi")), ("all.yaml", most("3Gi"))]);
    syncs(&world, &commit);
    ask(&mut world, json!({}));
    world.pass_time(5).await;
    let message = says(&world, "Stalled", "CapacityRefused");
    assert!(
        message.contains("refused for Blocked") && message.contains("by the policies of the commit team/web"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_waits_until_the_application_tells_its_commit() {
    let mut world = world();
    let commit = world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
    let source = json!({"source": {"repoURL": URL, "path": ""}});
    application(&world, source.clone(), "Succeeded", OTHER);
    ask(&mut world, json!({}));
    world.pass_time(10).await;
    let message = says(&world, "Reconciling", "WaitingForOperation");
    assert!(
        message.starts_with("Application argocd/fleet, which the check is a hook of, has no sync under way"),
        "{message}"
    );
    let writes = world.api.log().iter().filter(|line| line.starts_with("PATCH capacitychecks")).count();
    assert_eq!(writes, 2, "its begin and what it waits for");
    application(&world, source, "Running", &commit);
    world.pass_time(3).await;
    says(&world, "Ready", "CapacityOk");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_waits_too_long_is_refused_and_says_what_it_waited_for() {
    let mut world = world();
    application(&world, json!({"source": {"repoURL": URL, "path": ""}}), "Succeeded", OTHER);
    ask(&mut world, json!({"timeout": "30s"}));
    world.pass_time(20).await;
    says(&world, "Reconciling", "WaitingForOperation");
    // The clock of these tests stands still: what is counted from was told half a minute before.
    let mut gate = gate(&world);
    gate["status"]["startedAt"] = json!("2027-01-15T07:59:00Z");
    world.write(Kind::Check, &format!("{CHECKS}/gate"), gate);
    world.pass_time(5).await;
    let message = says(&world, "Stalled", "PlanTimedOut");
    assert!(message.contains("within 30 s of spec.timeout: Application argocd/fleet"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_fit_is_told_and_where_the_application_reads_is_not() {
    let fit = |spec: Value| async move {
        let mut world = world();
        world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
        application(&world, spec, "Running", OTHER);
        ask(&mut world, json!({}));
        world.pass_time(3).await;
        says(&world, "Stalled", "NotJudged")
    };
    let other = fit(json!({"source": {"repoURL": "https://ann:secret@git.example.com/other.git"}})).await;
    assert!(other.contains("syncs another repository than GitSource team/fleet of spec.sourceRef reads"), "{other}");
    assert!(!other.contains("other.git"), "{other}");
    let folder = fit(json!({"source": {"repoURL": URL, "path": "teams/a"}})).await;
    assert!(
        folder.contains("syncs another folder than GitSource team/fleet of spec.sourceRef reads, which is \"\""),
        "{folder}"
    );
    assert!(!folder.contains("teams/a"), "{folder}");
    let several = fit(json!({"sources": [{"repoURL": URL}, {"repoURL": URL}]})).await;
    assert!(several.contains("states 2 entries in spec.sources"), "{several}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_source_and_a_missing_application_are_told() {
    let mut world = world();
    ask(&mut world, json!({"sourceRef": {"name": "nobody"}}));
    world.pass_time(3).await;
    assert!(says(&world, "Stalled", "NotJudged").starts_with("GitSource team/nobody of spec.sourceRef is not there"));
    ask(&mut world, json!({}));
    world.pass_time(3).await;
    let message = says(&world, "Stalled", "NotJudged");
    assert!(message.starts_with("Application argocd/fleet") && message.contains("--argocd-namespace"), "{message}");
    let mut untracked = hook(json!({"timeout": "1m"}));
    untracked["metadata"]["annotations"] = json!({});
    world.write(Kind::Check, &format!("{CHECKS}/gate"), untracked);
    world.pass_time(3).await;
    assert!(says(&world, "Stalled", "NotJudged").starts_with("no Application of Argo CD tracks the check"));
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_named_with_where_it_stands() {
    for (line, named) in [
        ("GET applications/fleet", "Application argocd/fleet may not be read"),
        ("GET /api/v1/pods", "pods cannot be listed"),
    ] {
        let mut world = world();
        let commit = world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
        syncs(&world, &commit);
        // The source's own plan lists them too.
        for _ in 0..2 {
            world.api.fault(line, Fault::Answer(403, status(403, "Forbidden", "is forbidden: no right", "x")));
        }
        ask(&mut world, json!({}));
        world.pass_time(3).await;
        let message = says(&world, "Stalled", "Forbidden");
        assert!(message.starts_with(named) && message.contains("argocd/rbac.yaml"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_was_pushed_away_is_told_and_one_of_before_is_planned() {
    let mut world = world();
    let before = world.push(URL, &[("web.yaml", vm("web", "900Gi"))]);
    world.push(URL, &[("web.yaml", vm("web", "1Gi"))]);
    syncs(&world, &before);
    ask(&mut world, json!({}));
    world.pass_time(3).await;
    says(&world, "Stalled", "CapacityRefused");
    assert_eq!(gate(&world)["status"]["revision"], json!(before));
    syncs(&world, OTHER);
    ask(&mut world, json!({"timeout": "1m"}));
    world.pass_time(3).await;
    let message = says(&world, "Stalled", "RevisionUnreadable");
    assert!(message.contains(&format!("has no commit {OTHER}")), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_stated_commit_needs_no_application() {
    let mut world = world();
    let commit = world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
    ask(&mut world, json!({"revision": commit.to_uppercase()}));
    world.pass_time(3).await;
    says(&world, "Ready", "CapacityOk");
    assert!(!world.api.log().iter().any(|line| line.contains("applications")));
}

#[tokio::test(start_paused = true)]
async fn a_verdict_is_final_also_after_a_restart_and_asked_for_again_by_an_annotation() {
    let mut world = world();
    let commit = world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
    syncs(&world, &commit);
    ask(&mut world, json!({}));
    world.pass_time(5).await;
    let verdict = gate(&world);
    syncs(&world, OTHER);
    let mut world = world.restarted();
    world.pass_time(600).await;
    assert_eq!(gate(&world), verdict);
    assert!(!world.api.log().iter().any(|line| line.contains("capacitychecks") || line.contains("applications")));
    let mut asked = verdict;
    asked["metadata"]["annotations"]["reconcile.reef.dev/requestedAt"] = json!("now");
    world.write(Kind::Check, &format!("{CHECKS}/gate"), asked);
    world.pass_time(3).await;
    says(&world, "Stalled", "RevisionUnreadable");
    assert_eq!(gate(&world)["status"]["lastHandledReconcileAt"], "now");
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_goes_on_and_counts_from_the_begin() {
    let mut world = world();
    let commit = world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
    application(&world, json!({"source": {"repoURL": URL, "path": ""}}), "Succeeded", OTHER);
    ask(&mut world, json!({}));
    world.pass_time(5).await;
    let began = gate(&world)["status"]["startedAt"].clone();
    let mut world = world.restarted();
    world.pass_time(5).await;
    syncs(&world, &commit);
    world.pass_time(5).await;
    says(&world, "Ready", "CapacityOk");
    assert_eq!(gate(&world)["status"]["startedAt"], began);
}

#[tokio::test(start_paused = true)]
async fn odd_checks_stop_nothing() {
    let mut world = world();
    let commit = world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
    syncs(&world, &commit);
    for (name, spec, more) in [
        ("none", json!(null), json!({})),
        ("list", json!([1, 2]), json!({})),
        ("word", json!({"sourceRef": {"name": "fleet"}, "failOn": ["Everything"]}), json!({})),
        ("long", json!({"sourceRef": {"name": "x".repeat(5_000)}, "timeout": "\u{1b}[31m"}), json!({})),
        ("told", json!({"sourceRef": {"name": "fleet"}}), json!({"conditions": "Ready", "startedAt": 7})),
        ("path", json!({"sourceRef": {"name": "../../x"}, "revision": "../../HEAD"}), json!({})),
    ] {
        let object = json!({"apiVersion": "reef.dev/v1alpha1", "kind": "CapacityCheck", "status": more,
            "metadata": {"name": name, "namespace": "team"}, "spec": spec});
        world.write(Kind::Check, &format!("{CHECKS}/{name}"), object);
    }
    ask(&mut world, json!({}));
    world.pass_time(10).await;
    says(&world, "Ready", "CapacityOk");
    let long = world.api.object(&format!("{CHECKS}/long"));
    assert_eq!(World::ready(&long).1, "Invalid");
    assert!(World::ready(&long).2.contains("\\u{1b}[31m"), "{long:#}");
    world.delete(Kind::Check, &format!("{CHECKS}/gate"));
    world.pass_time(10).await;
    assert_eq!(world.metrics.counts().fetches, 1, "the source alone");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_only_reads_tells_what_its_newest_commit_would_change_once_for_each() {
    let mut world = world();
    let first = world.push(URL, &[("web.yaml", vm("web", "2Gi"))]);
    world.pass_time(5).await;
    let plan = world.source("fleet")["status"]["plan"].clone();
    assert_eq!((&plan["commit"], &plan["summary"]["live"]), (&json!(first), &json!(1)), "{plan:#}");
    assert!(plan["lines"][0].as_str().unwrap().contains("team/web create live"), "{plan:#}");
    assert!(world.vm("web").is_null(), "nothing is applied");
    world.api.log();
    let mut world = world.restarted();
    world.pass_time(300).await;
    assert!(
        !world.api.log().iter().any(|line| line.ends_with("/pods") || line.starts_with("PATCH")),
        "it is planned again"
    );
    let second = world.push(URL, &[("web.yaml", vm("web", "900Gi"))]);
    world.pass_time(5).await;
    let plan = world.source("fleet")["status"]["plan"].clone();
    assert_eq!((&plan["commit"], &plan["summary"]["infeasible"]), (&json!(second), &json!(1)), "{plan:#}");
    world.api.fault("GET /api/v1/pods", Fault::Answer(403, status(403, "Forbidden", "is forbidden: no right", "x")));
    world.push(URL, &[("web.yaml", vm("web", "1Gi"))]);
    world.pass_time(5).await;
    let plan = world.source("fleet")["status"]["plan"].clone();
    assert!(plan["problem"].as_str().unwrap().contains("argocd/rbac.yaml") && plan["lines"].is_null(), "{plan:#}");
    // A right that is given later is found at the next look, though the commit is the same.
    world.pass_time(70).await;
    let plan = world.source("fleet")["status"]["plan"].clone();
    assert!(plan["problem"].is_null() && plan["summary"]["live"] == 1, "{plan:#}");
}
