//! Requests in the form in which `kubectl` makes them.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt;
use kube::client::Body;
use reef_sim::api::ApiServer;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::setup::{define_things, server};

struct Reply {
    code: u16,
    content_type: String,
    warnings: Vec<String>,
    body: Value,
}

async fn ask(server: &ApiServer, method: Method, uri: &str, headers: &[(&str, &str)], body: Value) -> Reply {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let response = server.service().oneshot(request.body(Body::from(bytes)).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let text = |name: &str| {
        head.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let body = body.collect().await.unwrap().to_bytes();
    Reply {
        code: head.status.as_u16(),
        content_type: text("content-type").concat(),
        warnings: text("warning"),
        body: serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body))),
    }
}

async fn get(server: &ApiServer, uri: &str, accept: &str) -> Reply {
    ask(server, Method::GET, uri, &[("accept", accept)], Value::Null).await
}

#[tokio::test(start_paused = true)]
async fn discovery_comes_whole_in_parts_or_not_at_all() {
    let server = server();
    define_things(&server.client()).await;
    let whole = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let reply = get(&server, "/apis", whole).await;
    assert!(reply.content_type.contains("APIGroupDiscoveryList"));
    let groups: Vec<&str> =
        reply.body["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(groups, vec!["apiextensions.k8s.io", "coordination.k8s.io", "events.k8s.io", "x.dev"]);
    let reply = get(&server, "/apis/x.dev/v1", "application/json").await;
    let names: Vec<&str> =
        reply.body["resources"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, vec!["things", "things/status"]);
    let reply = get(&server, "/apis", "application/vnd.kubernetes.protobuf").await;
    assert_eq!((reply.code, reply.body["reason"].as_str()), (406, Some("NotAcceptable")));
    assert_eq!(get(&server, "/readyz", "").await.body, "ok");
    assert_eq!(get(&server, "/apis/y.dev/v1", "").await.code, 404);
    assert_eq!(ask(&server, Method::POST, "/version", &[], Value::Null).await.code, 405);
}

#[tokio::test(start_paused = true)]
async fn schemas_say_that_the_server_validates() {
    let server = server();
    define_things(&server.client()).await;
    let index = get(&server, "/openapi/v3", "application/json").await.body;
    let url = index["paths"]["apis/x.dev/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
    let schema = get(&server, &url, "application/json").await.body;
    let patch = &schema["paths"]["/apis/x.dev/v1/namespaces/{namespace}/things/{name}"]["patch"];
    assert_eq!(patch["x-kubernetes-group-version-kind"], json!({ "group": "x.dev", "version": "v1", "kind": "Thing" }));
    let names: Vec<&str> =
        patch["parameters"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"fieldValidation"));
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_are_dropped_with_a_warning() {
    let server = server();
    define_things(&server.client()).await;
    let body = json!({ "metadata": { "name": "a" }, "spec": { "size": 1, "sise": 2 } });
    let reply =
        ask(&server, Method::POST, "/apis/x.dev/v1/namespaces/default/things?fieldValidation=Warn", &[], body).await;
    assert_eq!(reply.code, 201);
    assert_eq!(reply.warnings, vec!["299 - \"unknown field \\\"spec.sise\\\"\""]);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_still_to_come_is_a_time_out() {
    let reply = get(&server(), "/api/v1/pods?resourceVersion=1000", "application/json").await;
    assert_eq!((reply.code, reply.body["reason"].as_str()), (504, Some("Timeout")));
    assert_eq!(reply.body["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_or_misplaced_is_a_404_and_a_wrong_body_a_415() {
    let server = server();
    for uri in [
        "/api/v1/ponds",
        "/api/v2/pods",
        "/api/v1/namespaces/default/nodes/n",
        "/api/v1/namespaces/default/pods/p/exec",
    ] {
        assert_eq!(get(&server, uri, "application/json").await.code, 404, "{uri}");
    }
    let reply = ask(&server, Method::POST, "/api/v1/namespaces", &[("content-type", "text/plain")], json!({})).await;
    assert_eq!((reply.code, reply.body["reason"].as_str()), (415, Some("UnsupportedMediaType")));
}

#[tokio::test(start_paused = true)]
async fn an_apply_needs_a_manager_and_force_belongs_to_applies() {
    let server = server();
    let patch = |query: &str, content_type: &'static str| {
        let server = server.clone();
        let uri = format!("/api/v1/namespaces/default/configmaps/a{query}");
        let body =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "a": "1" } });
        async move { ask(&server, Method::PATCH, &uri, &[("content-type", content_type)], body).await }
    };
    let apply = "application/apply-patch+yaml";
    assert_eq!(patch("", apply).await.code, 422);
    assert_eq!(patch("?fieldManager=kubectl", apply).await.code, 201);
    assert_eq!(patch("?fieldManager=kubectl", apply).await.code, 200);
    assert_eq!(patch("?force=true", "application/merge-patch+json").await.code, 422);
}

#[tokio::test(start_paused = true)]
async fn events_have_both_faces() {
    let server = server();
    let body = json!({
        "metadata": { "name": "e" }, "regarding": { "kind": "Pod", "namespace": "default", "name": "p" }, "note": "hello", "reason": "R",
        "type": "Normal", "action": "Test", "reportingController": "reef.dev/test", "reportingInstance": "0", "eventTime": "2026-11-21T12:00:00.000000Z",
    });
    let made = ask(&server, Method::POST, "/apis/events.k8s.io/v1/namespaces/default/events", &[], body).await;
    assert_eq!((made.code, made.body["apiVersion"].as_str()), (201, Some("events.k8s.io/v1")));
    let old =
        get(&server, "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp", "application/json")
            .await
            .body;
    assert_eq!(old["items"][0]["message"], "hello");
    let new =
        get(&server, "/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dp", "application/json").await.body;
    assert_eq!((&new["kind"], &new["items"][0]["note"]), (&json!("EventList"), &json!("hello")));
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_tables_names_its_columns_once() {
    let server = server();
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let uri = "/api/v1/namespaces?watch=true&timeoutSeconds=1";
    let lines = get(&server, uri, table).await.body.as_str().unwrap().to_owned();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let columns: Vec<Option<usize>> =
        events.iter().map(|event| event["object"]["columnDefinitions"].as_array().map(Vec::len)).collect();
    assert_eq!(columns, vec![Some(3), None, None, None]);
    assert_eq!(events[0]["object"]["rows"][0]["cells"], json!(["default", "Active", "0s"]));
}
