//! A server, a client, and a custom resource to try things on.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use reef_sim::api::{ApiOptions, ApiServer};
use reef_sim::store::{Store, StoreOptions};
use serde_json::{Value, json};

pub fn server_with(options: ApiOptions) -> ApiServer {
    let clock = Arc::new(|| "2026-11-21T12:00:00Z".parse::<Timestamp>().unwrap());
    ApiServer::new(Store::new(StoreOptions::new(1, clock)), options)
}

pub fn server() -> ApiServer {
    server_with(ApiOptions::default())
}

pub fn things(client: &Client) -> Api<DynamicObject> {
    Api::default_namespaced_with(client.clone(), &thing_resource())
}

pub fn thing_resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("x.dev", "v1", "Thing"), "things")
}

pub fn thing(name: &str, spec: Value) -> DynamicObject {
    let object = json!({ "apiVersion": "x.dev/v1", "kind": "Thing", "metadata": { "name": name }, "spec": spec });
    serde_json::from_value(object).unwrap()
}

pub async fn define_things(client: &Client) {
    let schema = json!({
        "type": "object",
        "properties": {
            "spec": { "type": "object", "required": ["size"], "properties": {
                "size": { "type": "integer", "minimum": 1 },
                "mode": { "type": "string", "enum": ["Live", "Restart"], "default": "Live" },
                "color": { "type": "string" },
            } },
            "status": { "type": "object", "properties": {
                "phase": { "type": "string" },
                "conditions": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                    "items": { "type": "object", "x-kubernetes-preserve-unknown-fields": true, "required": ["type"],
                        "properties": { "type": { "type": "string" } } } },
            } },
        },
    });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": "things.x.dev" },
        "spec": {
            "group": "x.dev", "scope": "Namespaced", "names": { "plural": "things", "kind": "Thing", "shortNames": ["th"] },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "selectableFields": [{ "jsonPath": ".spec.color" }],
                "additionalPrinterColumns": [{ "name": "Size", "type": "integer", "jsonPath": ".spec.size" }],
                "schema": { "openAPIV3Schema": schema },
            }],
        },
    });
    let definition: CustomResourceDefinition = serde_json::from_value(definition).unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &definition).await.unwrap();
}

/// The status that a refused call came with.
pub fn refusal<T: std::fmt::Debug>(outcome: Result<T, kube::Error>) -> kube::core::Status {
    match outcome {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("expected a refusal, got {other:?}"),
    }
}
