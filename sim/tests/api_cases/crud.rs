//! Objects of built-in kinds: made, read, changed, listed, deleted.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::setup::{refusal, server};

fn config(name: &str) -> ConfigMap {
    let labels = BTreeMap::from([("app".to_owned(), name.to_owned())]);
    serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels }, "data": { "a": "1" } })).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_object_is_made_read_replaced_and_deleted() {
    let client = server().client();
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let made = api.create(&PostParams::default(), &config("a")).await.unwrap();
    assert_eq!(made.creation_timestamp().unwrap().0.to_string(), "2026-11-21T12:00:00Z");
    let mut changed = api.get("a").await.unwrap();
    changed.data.as_mut().unwrap().insert("b".to_owned(), "2".to_owned());
    let replaced = api.replace("a", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(replaced.resource_version(), made.resource_version());
    let stale = refusal(api.replace("a", &PostParams::default(), &changed).await);
    assert_eq!((stale.code, stale.reason.as_str()), (409, "Conflict"));
    assert!(
        stale
            .message
            .contains("the object has been modified; please apply your changes to the latest version and try again")
    );
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(api.get_opt("a").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn refusals_have_the_real_servers_codes_and_reasons() {
    let client = server().client();
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    api.create(&PostParams::default(), &config("a")).await.unwrap();
    let of = |status: kube::core::Status| (status.code, status.reason);
    assert_eq!(of(refusal(api.get("b").await)), (404, "NotFound".to_owned()));
    assert_eq!(of(refusal(api.create(&PostParams::default(), &config("a")).await)), (409, "AlreadyExists".to_owned()));
    assert_eq!(of(refusal(api.create(&PostParams::default(), &config("B")).await)), (422, "Invalid".to_owned()));
    let elsewhere: Api<ConfigMap> = Api::namespaced(client.clone(), "nowhere");
    assert_eq!(of(refusal(elsewhere.create(&PostParams::default(), &config("a")).await)), (404, "NotFound".to_owned()));
    let wrong = DeleteParams {
        preconditions: Some(Preconditions { uid: Some("other".to_owned()), ..Preconditions::default() }),
        ..DeleteParams::default()
    };
    assert_eq!(of(refusal(api.delete("a", &wrong).await)), (409, "Conflict".to_owned()));
    let bad = ListParams::default().fields("spec.color=red");
    assert_eq!(of(refusal(api.list(&bad).await)), (400, "BadRequest".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn pages_show_one_state_even_while_it_changes() {
    let client = server().client();
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    for name in ["a", "b", "c", "d"] {
        api.create(&PostParams::default(), &config(name)).await.unwrap();
    }
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(2));
    api.delete("c", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &config("e")).await.unwrap();
    let token = first.metadata.continue_.clone().unwrap();
    let second = api.list(&ListParams::default().limit(5).continue_token(&token)).await.unwrap();
    let names: Vec<String> = first.iter().chain(second.iter()).map(ResourceExt::name_any).collect();
    assert_eq!(names, vec!["a", "b", "c", "d"]);
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
}

#[tokio::test(start_paused = true)]
async fn selectors_narrow_lists_and_collections() {
    let client = server().client();
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    for name in ["a", "b", "c"] {
        api.create(&PostParams::default(), &config(name)).await.unwrap();
    }
    let listed = api.list(&ListParams::default().labels("app in (a,b)")).await.unwrap();
    assert_eq!(listed.items.len(), 2);
    api.delete_collection(&DeleteParams::default(), &ListParams::default().labels("app!=b")).await.unwrap();
    let left: Vec<String> = api.list(&ListParams::default()).await.unwrap().iter().map(ResourceExt::name_any).collect();
    assert_eq!(left, vec!["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_uid_in_a_patch_is_a_precondition() {
    let client = server().client();
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    api.create(&PostParams::default(), &config("a")).await.unwrap();
    let patch = json!({ "metadata": { "uid": "other" }, "data": { "a": "2" } });
    let refused = refusal(api.patch("a", &PatchParams::default(), &Patch::Merge(patch)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
    assert!(refused.message.contains("metadata.uid: Invalid value: \"other\": field is immutable"));
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_changes_nothing_keeps_the_version() {
    let client = server().client();
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let made = api.create(&PostParams::default(), &config("a")).await.unwrap();
    let same = api.patch("a", &PatchParams::default(), &Patch::Merge(json!({ "data": { "a": "1" } }))).await.unwrap();
    assert_eq!(same.resource_version(), made.resource_version());
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let tried = api.patch("a", &dry, &Patch::Merge(json!({ "data": { "a": "2" } }))).await.unwrap();
    assert_eq!(tried.data.unwrap()["a"], "2");
    assert_eq!(api.get("a").await.unwrap().resource_version(), made.resource_version());
}

#[tokio::test(start_paused = true)]
async fn status_is_a_part_of_its_own() {
    let client = server().client();
    let nodes: Api<Node> = Api::all(client);
    let node: Node =
        serde_json::from_value(json!({ "metadata": { "name": "n" }, "status": { "allocatable": { "cpu": "2" } } }))
            .unwrap();
    nodes.create(&PostParams::default(), &node).await.unwrap();
    let ready = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] }, "spec": { "unschedulable": true } });
    let patched = nodes.patch_status("n", &PatchParams::default(), &Patch::Strategic(ready)).await.unwrap();
    assert_eq!(patched.spec.and_then(|spec| spec.unschedulable), None);
    let status = patched.status.unwrap();
    assert_eq!((status.conditions.unwrap().len(), status.allocatable.unwrap().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn namespaces_and_logs_answer_clearly() {
    let client = server().client();
    let spaces: Api<Namespace> = Api::all(client.clone());
    let names: Vec<String> =
        spaces.list(&ListParams::default()).await.unwrap().iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, vec!["default", "kube-node-lease", "kube-public", "kube-system"]);
    let pods: Api<Pod> = Api::default_namespaced(client);
    let refused = refusal(pods.logs("p", &kube::api::LogParams::default()).await);
    assert_eq!(refused.code, 400);
}
