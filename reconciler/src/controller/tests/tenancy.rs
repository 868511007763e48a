//! What a source may write outside its namespace: as its account, where that may, and nothing else.

use serde_json::{Value, json};

use super::api::{Fault, status};
use super::world::{SOURCES, URL, VMS, World, vm};
use crate::observe::Kind;

const ACCOUNT: &str = "system:serviceaccount:team:reef-source";

fn in_namespace(namespace: &str, size: &str) -> String {
    vm("web", size).replace("name: web", &format!("name: web\n  namespace: {namespace}"))
}

fn path(namespace: &str) -> String {
    format!("/apis/cloudhypervisor.quill.today/v1beta1/namespaces/{namespace}/virtualmachines/web")
}

fn source(account: &Value) -> Value {
    json!({"apiVersion": "reef.dev/v1alpha1", "kind": "GitSource", "metadata": {"name": "fleet", "namespace": "team"},
        "spec": {"url": URL, "serviceAccountName": account}})
}

/// A source of `team` that states a VM of its own, one of `open`, where its account may write, and one of `shut`, where it may not.
async fn three_namespaces() -> World {
    let mut world = World::new();
    world.api.may(ACCOUNT, "open", Some(()));
    world.push(
        URL,
        &[
            ("own.yaml", vm("web", "1Gi")),
            ("open.yaml", in_namespace("open", "1Gi")),
            ("shut.yaml", in_namespace("shut", "1Gi")),
        ],
    );
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), source(&json!("reef-source")));
    world.pass_time(5).await;
    world
}

fn problems(world: &World) -> Vec<String> {
    let found = world.source("fleet")["status"]["problems"].clone();
    let told =
        |problem: &Value| format!("{}: {}", problem["path"].as_str().unwrap(), problem["message"].as_str().unwrap());
    found.as_array().into_iter().flatten().map(told).collect()
}

#[tokio::test(start_paused = true)]
async fn a_source_writes_as_its_account_where_that_may_and_is_told_where_not() {
    let mut world = three_namespaces().await;
    let expected = [format!("PATCH {}", path("open")), format!("PATCH {VMS}/web")];
    let mut made = world.api.as_others();
    made.sort();
    assert_eq!(made, expected.map(|line| (ACCOUNT.to_owned(), line)));
    assert_eq!(world.api.object(&path("open"))["metadata"]["annotations"]["reef.dev/source"], "team/fleet");
    let told = "shut.yaml: VirtualMachine shut/web: ServiceAccount team/reef-source, as which the source writes, lacks the right to create \
        virtualmachines.cloudhypervisor.quill.today in namespace shut; give it there by a RoleBinding (verbs create and patch), or leave \
        metadata.namespace out";
    assert!(problems(&world)[0].starts_with(told), "{:?}", problems(&world));
    assert!(!world.api.log().iter().any(|line| line.contains("shut")));
    // A right that is given later is found at the next look, though the commit is the same.
    world.api.may(ACCOUNT, "shut", Some(()));
    world.pass_time(70).await;
    assert_eq!(world.api.object(&path("shut"))["spec"]["instance"]["memory"]["size"], "1Gi");
    assert_eq!((problems(&world), World::ready(&world.source("fleet")).1), (Vec::new(), "Applied"));
}

#[tokio::test(start_paused = true)]
async fn a_right_or_an_account_that_is_taken_away_leaves_the_objects_as_they_are_and_writes_no_more() {
    for withdrawn in [Some(()), None] {
        let mut world = three_namespaces().await;
        match withdrawn {
            Some(()) => world.write(Kind::Source, &format!("{SOURCES}/fleet"), source(&Value::Null)),
            None => world.api.may(ACCOUNT, "open", None),
        }
        world.push(URL, &[("own.yaml", vm("web", "2Gi")), ("open.yaml", in_namespace("open", "2Gi"))]);
        world.pass_time(70).await;
        assert_eq!(world.vm("web")["spec"]["instance"]["memory"]["size"], "2Gi");
        assert_eq!(world.api.object(&path("open"))["spec"]["instance"]["memory"]["size"], "1Gi");
        let found = problems(&world);
        assert!(found.len() == 1 && found[0].starts_with("open.yaml: VirtualMachine open/web: "), "{found:?}");
        let mut edited = world.api.object(&path("open"));
        edited["spec"]["instance"]["memory"]["size"] = json!("4Gi");
        world.write(Kind::Vm, &path("open"), edited);
        world.pass_time(70).await;
        assert_eq!(world.api.object(&path("open"))["spec"]["instance"]["memory"]["size"], "4Gi", "it is nobody's");
    }
}

#[tokio::test(start_paused = true)]
async fn a_vm_of_another_source_is_left_alone_and_who_states_it_too_is_told() {
    const OTHER: &str = "https://git.example.com/other";
    let mut world = World::new();
    world.api.may(ACCOUNT, "open", Some(()));
    world.push(OTHER, &[("theirs.yaml", vm("web", "3Gi"))]);
    let theirs = json!({"apiVersion": "reef.dev/v1alpha1", "kind": "GitSource",
        "metadata": {"name": "theirs", "namespace": "open"}, "spec": {"url": OTHER}});
    world.write(Kind::Source, "/apis/reef.dev/v1alpha1/namespaces/open/gitsources/theirs", theirs);
    world.pass_time(5).await;
    let before = world.api.object(&path("open"))["spec"].clone();
    world.push(URL, &[("own.yaml", vm("web", "1Gi")), ("open.yaml", in_namespace("open", "1Gi"))]);
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), source(&json!("reef-source")));
    world.pass_time(70).await;
    assert_eq!(world.api.object(&path("open"))["spec"], before);
    assert_eq!(world.api.as_others(), [(ACCOUNT.to_owned(), format!("PATCH {VMS}/web"))]);
    let told = "open.yaml: VirtualMachine open/web: GitSource open/theirs states it too, in theirs.yaml:1, and has applied it; state it in one of them";
    assert_eq!(problems(&world), [told]);
    assert_eq!(
        World::ready(&world.api.object("/apis/reef.dev/v1alpha1/namespaces/open/gitsources/theirs")).1,
        "Applied"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_account_is_told_with_what_to_do_and_nothing_else_stops() {
    let mut world = World::new();
    let refused = "virtualmachines.cloudhypervisor.quill.today \"web\" is forbidden: User \"system:serviceaccount:team:reef-source\" cannot patch \
        resource \"virtualmachines\" in API group \"cloudhypervisor.quill.today\" in the namespace \"team\"";
    world.api.fault("PATCH virtualmachines/web", Fault::Answer(403, status(403, "Forbidden", refused, "web")));
    world.push(URL, &[("web.yaml", vm("web", "1Gi")), ("db.yaml", vm("db", "1Gi"))]);
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), source(&json!("reef-source")));
    world.pass_time(5).await;
    assert_eq!(world.vm("db")["spec"]["instance"]["memory"]["size"], "1Gi");
    let expected = format!(
        "web.yaml: VirtualMachine team/web: ServiceAccount team/reef-source, as which the source writes, was refused ({refused}); give it this right by a RoleBinding there"
    );
    assert_eq!(problems(&world), [expected]);
    assert_eq!(World::ready(&world.source("fleet")).1, "Problems");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_no_account_can_be_is_told_and_nothing_is_written() {
    let mut world = World::new();
    world.push(URL, &[("web.yaml", vm("web", "1Gi"))]);
    world.write(Kind::Source, &format!("{SOURCES}/fleet"), source(&json!("reef-source:admin")));
    world.pass_time(5).await;
    assert_eq!((world.vm("web"), world.api.as_others()), (Value::Null, Vec::new()));
    let told = world.source("fleet");
    let (_, reason, message) = World::ready(&told);
    assert!(reason == "Invalid" && message.contains("spec.serviceAccountName cannot be used"), "{reason}: {message}");
}
