//! Whatever comes in, an answer goes out: the server outlives any path, query and body.

use bytes::Bytes;
use http::{Method, Request};
use kube::client::Body;
use proptest::prelude::*;
use tower::ServiceExt;

use super::setup::server;

const TYPES: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/vnd.kubernetes.protobuf",
];

const PATHS: &[&str] = &[
    "/api/v1/namespaces/default/pods",
    "/api/v1/namespaces/default/pods/p",
    "/api/v1/namespaces/default/pods/p/resize",
    "/api/v1/namespaces/default/pods/p/status",
    "/api/v1/namespaces/default/pods/p/binding",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.x.dev",
    "/apis/events.k8s.io/v1/namespaces/default/events",
];

/// Trees that look like objects in places, and like nothing in others.
fn tree() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        prop_oneof![
            Just("p"),
            Just("Pod"),
            Just("v1"),
            Just("default"),
            Just("-1Gi"),
            Just("x.dev"),
            Just("replace"),
            Just("/spec")
        ]
        .prop_map(Into::into),
    ];
    let name = prop_oneof![
        Just("metadata"),
        Just("spec"),
        Just("status"),
        Just("name"),
        Just("containers"),
        Just("resources"),
        Just("limits"),
        Just("requests"),
        Just("cpu"),
        Just("$patch"),
        Just("$setElementOrder/containers"),
        Just("managedFields"),
        Just("finalizers"),
        Just("ownerReferences"),
        Just("uid"),
        Just("versions"),
        Just("names"),
        Just("plural"),
        Just("kind"),
        Just("op"),
        Just("path"),
        Just("value"),
        Just("tolerations"),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

async fn seeded() -> reef_sim::api::ApiServer {
    let server = server();
    let pod = serde_json::json!({ "metadata": { "name": "p" }, "spec": { "containers": [
        { "name": "vm-manager", "image": "vmm:1", "resources": { "limits": { "cpu": "1", "memory": "1Gi" } } },
    ] } });
    let (code, _) = send(&server, Method::POST, PATHS[0], TYPES[0], pod.to_string().into_bytes()).await;
    assert_eq!(code, 201);
    server
}

async fn send(
    server: &reef_sim::api::ApiServer,
    method: Method,
    uri: &str,
    content_type: &str,
    body: Vec<u8>,
) -> (u16, String) {
    let request = Request::builder().method(method).uri(uri).header("content-type", content_type);
    let request = request.body(Body::from(Bytes::from(body))).unwrap();
    // A panic in the handler's task would be a lost connection here.
    let response = server.service().oneshot(request).await.unwrap();
    (response.status().as_u16(), uri.to_owned())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![Just(Method::POST), Just(Method::PUT), Just(Method::PATCH), Just(Method::DELETE)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_in_any_write_is_answered(
        writes in prop::collection::vec((method(), prop::sample::select(PATHS), prop::sample::select(TYPES), tree()), 1..6),
    ) {
        run(async {
            let server = seeded().await;
            for (method, path, content_type, tree) in writes {
                let uri = format!("{path}?fieldManager=m&fieldValidation=Warn");
                let (code, _) = send(&server, method, &uri, content_type, tree.to_string().into_bytes()).await;
                assert!(code < 500, "{code}");
            }
        });
    }

    #[test]
    fn any_bytes_and_any_query_are_answered(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        kind in prop::sample::select(TYPES),
        selector in "[a-z()!=,<> .]{0,20}",
        number in "[0-9]{0,25}",
    ) {
        run(async {
            let server = seeded().await;
            let mut protobuf = b"k8s\0".to_vec();
            protobuf.extend(&bytes);
            for body in [bytes, protobuf] {
                assert!(send(&server, Method::PATCH, "/api/v1/namespaces/default/pods/p?fieldManager=m", kind, body.clone()).await.0 < 500);
                assert!(send(&server, Method::POST, "/api/v1/namespaces/default/secrets", kind, body).await.0 < 500);
            }
            let query: String = form_urlencoded::Serializer::new(String::new())
                .append_pair("labelSelector", &selector).append_pair("fieldSelector", &selector).append_pair("continue", &selector)
                .append_pair("resourceVersion", &number).append_pair("limit", &number).finish();
            let (code, _) = send(&server, Method::GET, &format!("/api/v1/pods?{query}"), "", Vec::new()).await;
            assert!(code < 500 || code == 504, "{code}");
        });
    }
}
