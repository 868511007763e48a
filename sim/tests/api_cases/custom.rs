//! Custom resources: served from their definition on, filled in, pruned, validated.

use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::discovery::Discovery;
use kube::{Client, ResourceExt};
use serde_json::json;

use super::setup::{define_things, refusal, server, thing, thing_resource, things};

async fn ready() -> (Client, Api<kube::api::DynamicObject>) {
    let client = server().client();
    define_things(&client).await;
    (client.clone(), things(&client))
}

#[tokio::test(start_paused = true)]
async fn a_defined_kind_is_served_filled_in_and_pruned() {
    let (_, api) = ready().await;
    let made = api.create(&PostParams::default(), &thing("a", json!({ "size": 1, "sise": 2 }))).await.unwrap();
    assert_eq!(made.data["spec"], json!({ "size": 1, "mode": "Live" }));
    assert_eq!(made.metadata.generation, Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_breaks_the_schema_is_refused_at_the_field() {
    let (_, api) = ready().await;
    let refused = refusal(api.create(&PostParams::default(), &thing("a", json!({ "size": 0, "mode": "Never" }))).await);
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
    let fields: Vec<String> = refused.details.unwrap().causes.into_iter().map(|cause| cause.field).collect();
    assert_eq!(fields, vec!["spec.mode", "spec.size"]);
    assert!(refused.message.starts_with("Thing.x.dev \"a\" is invalid: ["));
}

#[tokio::test(start_paused = true)]
async fn the_generation_counts_the_spec_and_status_is_apart() {
    let (_, api) = ready().await;
    api.create(&PostParams::default(), &thing("a", json!({ "size": 1 }))).await.unwrap();
    let status = json!({ "status": { "phase": "Running" }, "spec": { "size": 9 } });
    let after = api.patch_status("a", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    assert_eq!((&after.data["spec"]["size"], after.metadata.generation), (&json!(1), Some(1)));
    let spec = json!({ "status": { "phase": "Failed" }, "spec": { "size": 2 } });
    let after = api.patch("a", &PatchParams::default(), &Patch::Merge(spec)).await.unwrap();
    assert_eq!((&after.data["status"]["phase"], after.metadata.generation), (&json!("Running"), Some(2)));
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_are_an_error_where_the_client_is_strict() {
    let (client, _) = ready().await;
    let body = serde_json::to_vec(&thing("a", json!({ "size": 1, "sise": 2 }))).unwrap();
    let request =
        http::Request::post("/apis/x.dev/v1/namespaces/default/things?fieldValidation=Strict").body(body).unwrap();
    let refused = refusal(client.request::<serde_json::Value>(request).await);
    let expected =
        "Thing in version \"v1\" cannot be handled as a Thing: strict decoding error: unknown field \"spec.sise\"";
    assert_eq!((refused.code, refused.message.as_str()), (400, expected));
}

#[tokio::test(start_paused = true)]
async fn selectable_fields_narrow_lists() {
    let (_, api) = ready().await;
    for (name, color) in [("a", "red"), ("b", "blue")] {
        api.create(&PostParams::default(), &thing(name, json!({ "size": 1, "color": color }))).await.unwrap();
    }
    let red = api.list(&ListParams::default().fields("spec.color=red")).await.unwrap();
    assert_eq!(red.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), vec!["a"]);
}

#[tokio::test(start_paused = true)]
async fn discovery_tells_of_it_in_both_forms() {
    let (client, _) = ready().await;
    for discovery in [Discovery::new(client.clone()).run().await, Discovery::new(client.clone()).run_aggregated().await]
    {
        let discovery = discovery.unwrap();
        let group = discovery.groups().find(|group| group.name() == "x.dev").unwrap();
        let (resource, capabilities) = group.recommended_kind("Thing").unwrap();
        assert_eq!(resource, thing_resource());
        assert!(capabilities.supports_operation("patch"));
    }
    let version = client.apiserver_version().await.unwrap();
    assert_eq!(version.git_version, "v1.35.4");
}
