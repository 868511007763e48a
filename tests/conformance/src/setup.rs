//! What the suite needs before its first case: definitions, and a namespace for each case. Judges nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http::Request;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Client, CustomResourceExt};
use reef_api::{CapacityCheck, GitSource, SizingPolicy, VirtualMachine};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::case::Needs;
use crate::context::{Context, GROUP};

/// The minor version that the server says it is.
///
/// # Errors
/// Where it says none.
pub async fn minor(client: &Client) -> Result<u32> {
    let version: Value = client.request(Request::get("/version").body(Vec::new())?).await?;
    let minor = version.get("minor").and_then(Value::as_str).unwrap_or_default();
    minor.trim_end_matches('+').parse().with_context(|| format!("no minor version in {version}"))
}

/// Makes the definitions that the cases use, and waits until they are served.
///
/// # Errors
/// Where the server refuses one, or never serves it.
pub async fn define(client: &Client) -> Result<()> {
    let own: [CustomResourceDefinition; 4] =
        [VirtualMachine::crd(), GitSource::crd(), SizingPolicy::crd(), CapacityCheck::crd()];
    let mut all = vec![widgets()];
    for definition in own {
        all.push(serde_json::to_value(definition)?);
    }
    for definition in &all {
        create(client, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).await?;
    }
    for definition in &all {
        served(client, definition).await?;
    }
    Ok(())
}

/// Makes a namespace with the account that Pods run under, which a controller would make.
///
/// # Errors
/// Where the server refuses.
pub async fn namespace(client: &Client, name: &str) -> Result<()> {
    create(client, "/api/v1/namespaces", &json!({ "metadata": { "name": name } })).await?;
    let account = json!({ "metadata": { "name": "default" }, "automountServiceAccountToken": false });
    create(client, &format!("/api/v1/namespaces/{name}/serviceaccounts"), &account).await
}

/// Takes a case's Pods away, so that they hold no room of the next one's. Where there is a node, it is waited for.
///
/// # Errors
/// Where the server refuses, or a Pod stays.
pub async fn clear(context: &Context, needs: Needs) -> Result<()> {
    let options = match needs {
        Needs::ApiServer => json!({ "gracePeriodSeconds": 0 }),
        Needs::Node => Value::Null,
    };
    context.delete("pods", &options).await?.expect(200)?;
    let empty = |answer: &Answer| answer.at("/items").as_array().is_none_or(Vec::is_empty);
    context.until("the end of the case's Pods", "pods", empty).await.map(|_| ())
}

async fn create(client: &Client, path: &str, object: &Value) -> Result<()> {
    let request =
        Request::post(path).header("content-type", "application/json").body(object.to_string().into_bytes())?;
    match client.request::<Value>(request).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        Err(error) => Err(error).with_context(|| format!("POST {path}")),
    }
}

/// Waits until the objects of a definition can be listed.
async fn served(client: &Client, definition: &Value) -> Result<()> {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let path =
        format!("/apis/{}/{}/{}", text("/spec/group"), text("/spec/versions/0/name"), text("/spec/names/plural"));
    for _ in 0..500 {
        if client.request::<Value>(Request::get(&path).body(Vec::new())?).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("{path} is not served")
}

/// The suite's own kind: a bit of everything that a schema can say.
fn widgets() -> Value {
    let schema = json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": { "type": "object", "required": ["size"], "properties": {
                "size": { "type": "integer", "minimum": 1, "maximum": 64 },
                "step": { "type": "integer", "multipleOf": 2 },
                "mode": { "type": "string", "enum": ["Live", "Restart"], "default": "Live" },
                "color": { "type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 8 },
                "memory": { "x-kubernetes-int-or-string": true },
                "maybe": { "type": "string", "nullable": true },
                "on": { "type": "boolean" },
                "inner": { "type": "object", "default": {}, "properties": {
                    "depth": { "type": "integer", "default": 3 }, "note": { "type": "string" } } },
                "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
                "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                "whole": { "type": "object", "x-kubernetes-map-type": "atomic", "properties": {
                    "a": { "type": "string" }, "b": { "type": "string" } } },
                "plain": { "type": "array", "maxItems": 3, "items": { "type": "string" } },
                "tags": { "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "string" } },
                "parts": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": { "type": "object", "required": ["name"], "properties": {
                        "name": { "type": "string" }, "count": { "type": "integer", "default": 1 }, "note": { "type": "string" } } } },
            } },
            "status": { "type": "object", "properties": {
                "phase": { "type": "string" },
                "count": { "type": "integer", "minimum": 0 },
                "conditions": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                    "items": { "type": "object", "required": ["type", "status"], "properties": {
                        "type": { "type": "string" }, "status": { "type": "string" }, "reason": { "type": "string" } } } },
            } },
        },
    });
    let columns = json!([
        { "name": "Size", "type": "integer", "jsonPath": ".spec.size", "description": "How large it is." },
        { "name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status" },
        { "name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1 },
        { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
    ]);
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("widgets.{GROUP}") },
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": { "plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"], "categories": ["all"] },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "selectableFields": [{ "jsonPath": ".spec.color" }],
                "additionalPrinterColumns": columns,
                "schema": { "openAPIV3Schema": schema },
            }],
        },
    })
}
