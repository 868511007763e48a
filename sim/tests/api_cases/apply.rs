//! Server-side apply through a real client.

use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::setup::{define_things, refusal, server, thing, things};

#[tokio::test(start_paused = true)]
async fn an_apply_creates_changes_and_then_does_nothing() {
    let client = server().client();
    define_things(&client).await;
    let api = things(&client);
    let params = PatchParams::apply("reef-controller");
    let made = api.patch("a", &params, &Patch::Apply(thing("a", json!({ "size": 1, "color": "red" })))).await.unwrap();
    assert_eq!(made.data["spec"], json!({ "size": 1, "color": "red", "mode": "Live" }));
    let changed = api.patch("a", &params, &Patch::Apply(thing("a", json!({ "size": 2 })))).await.unwrap();
    assert_eq!(changed.data["spec"], json!({ "size": 2, "mode": "Live" }));
    assert_eq!(changed.metadata.generation, Some(2));
    let same = api.patch("a", &params, &Patch::Apply(thing("a", json!({ "size": 2 })))).await.unwrap();
    assert_eq!(same.resource_version(), changed.resource_version());
}

#[tokio::test(start_paused = true)]
async fn a_conflict_names_the_other_manager_and_force_wins() {
    let client = server().client();
    define_things(&client).await;
    let api = things(&client);
    let edit = PostParams { field_manager: Some("kubectl-edit".to_owned()), ..PostParams::default() };
    api.create(&edit, &thing("a", json!({ "size": 1 }))).await.unwrap();
    let apply = Patch::Apply(thing("a", json!({ "size": 2 })));
    let refused = refusal(api.patch("a", &PatchParams::apply("reef"), &apply).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    let expected = "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using x.dev/v1: .spec.size";
    assert_eq!(refused.message, expected);
    let cause = refused.details.unwrap().causes.remove(0);
    assert_eq!((cause.reason.as_str(), cause.field.as_str()), ("FieldManagerConflict", ".spec.size"));
    let forced = api.patch("a", &PatchParams::apply("reef").force(), &apply).await.unwrap();
    assert_eq!(forced.data["spec"]["size"], 2);
    let owners: Vec<String> = forced.managed_fields().iter().filter_map(|entry| entry.manager.clone()).collect();
    assert_eq!(owners, vec!["reef", "kubectl-edit"]);
}

#[tokio::test(start_paused = true)]
async fn two_managers_write_their_own_conditions() {
    let client = server().client();
    define_things(&client).await;
    let api = things(&client);
    api.create(&PostParams::default(), &thing("a", json!({ "size": 1 }))).await.unwrap();
    let condition = |kind: &str, status: &str| {
        json!({ "apiVersion": "x.dev/v1", "kind": "Thing", "metadata": { "name": "a" },
            "status": { "conditions": [{ "type": kind, "status": status }] } })
    };
    let write = |manager: &'static str, value: serde_json::Value| {
        let api = api.clone();
        async move { api.patch_status("a", &PatchParams::apply(manager), &Patch::Apply(value)).await.unwrap() }
    };
    write("one", condition("Ready", "True")).await;
    let both = write("two", condition("Synced", "False")).await;
    let expected = json!([{ "type": "Ready", "status": "True" }, { "type": "Synced", "status": "False" }]);
    assert_eq!(both.data["status"]["conditions"], expected);
    let entry = both.managed_fields().iter().find(|entry| entry.manager.as_deref() == Some("two")).unwrap().clone();
    assert_eq!(entry.subresource.as_deref(), Some("status"));
}

#[tokio::test(start_paused = true)]
async fn an_apply_with_conditions_on_nothing_is_refused() {
    let client = server().client();
    define_things(&client).await;
    let api = things(&client);
    let mut object = thing("a", json!({ "size": 1 }));
    object.metadata.uid = Some("x".to_owned());
    let refused = refusal(api.patch("a", &PatchParams::apply("reef"), &Patch::Apply(object)).await);
    assert_eq!(refused.code, 409);
    assert!(
        refused.message.contains("uid mismatch: the provided object specified uid x, and no existing object was found")
    );
}
