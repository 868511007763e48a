//! Schemas for clients: enough of OpenAPI v3 that `kubectl` leaves validation to the server and explains custom
//! resources.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::request::RequestFacts;
use super::respond::Answer;
use crate::store::{ApiError, At, Reason, ResourceKind};

/// Answers a path below `/openapi`.
///
/// # Errors
/// 404 for a group that is not served, 406 for the binary form of v2.
pub fn answer(kinds: &[Arc<ResourceKind>], rest: &[&str], facts: &RequestFacts) -> Result<Answer, ApiError> {
    let found = match rest {
        ["v2"] if facts.accept.contains("protobuf") && !facts.accept.contains("application/json") => {
            return Err(ApiError::new(
                Reason::NotAcceptable,
                "only the following media types are accepted: application/json",
            ));
        }
        ["v2"] => Some(
            json!({ "swagger": "2.0", "info": { "title": "Kubernetes", "version": "v1.35.4" }, "paths": {}, "definitions": {} }),
        ),
        ["v3"] => Some(index(kinds)),
        ["v3", "api", version] => group(kinds, "", version),
        ["v3", "apis", name, version] => group(kinds, name, version),
        _ => None,
    };
    found.map(|document| Answer::json(StatusCode::OK, &document)).ok_or_else(ApiError::no_such_resource)
}

fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn index(kinds: &[Arc<ResourceKind>]) -> Value {
    let mut paths: BTreeMap<String, Value> = BTreeMap::new();
    for kind in kinds {
        for version in &kind.versions {
            let root = root(&kind.group, version);
            let url = format!("/openapi/v3/{root}");
            paths.insert(root, json!({ "serverRelativeURL": url }));
        }
    }
    json!({ "paths": paths })
}

fn group(kinds: &[Arc<ResourceKind>], group: &str, version: &str) -> Option<Value> {
    let serves =
        |kind: &&Arc<ResourceKind>| kind.group == group && kind.versions.iter().any(|served| served == version);
    let inside: Vec<&Arc<ResourceKind>> = kinds.iter().filter(serves).collect();
    if inside.is_empty() {
        return None;
    }
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for kind in inside {
        paths.insert(path(kind, version), operations(kind, version));
        schemas.insert(schema_name(kind, version), schema(kind, version));
    }
    Some(json!({
        "openapi": "3.0.0", "info": { "title": "Kubernetes", "version": "v1.35.4" },
        "paths": paths, "components": { "schemas": schemas },
    }))
}

fn path(kind: &ResourceKind, version: &str) -> String {
    let namespace = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
    format!("/{}/{namespace}{}/{{name}}", root(&kind.group, version), kind.plural)
}

fn names(kind: &ResourceKind, version: &str) -> Value {
    json!({ "group": kind.group, "version": version, "kind": kind.kind })
}

fn operations(kind: &ResourceKind, version: &str) -> Value {
    let query =
        |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "string", "uniqueItems": true } });
    let parameters: Vec<Value> =
        ["dryRun", "fieldManager", "fieldValidation", "force"].into_iter().map(query).collect();
    let operation = |action: &str| {
        json!({
            "parameters": parameters, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": names(kind, version),
            "responses": { "200": { "description": "OK" } },
        })
    };
    json!({ "get": operation("get"), "patch": operation("patch"), "put": operation("put") })
}

fn schema_name(kind: &ResourceKind, version: &str) -> String {
    let group: Vec<&str> = kind.group.split('.').rev().filter(|part| !part.is_empty()).collect();
    let group = if group.is_empty() { "io.k8s.api.core".to_owned() } else { group.join(".") };
    format!("{group}.{version}.{}", kind.kind)
}

fn schema(kind: &ResourceKind, version: &str) -> Value {
    let stated = kind.definition.as_deref().and_then(|version| version.at("/schema/openAPIV3Schema")).cloned();
    let mut schema =
        stated.unwrap_or_else(|| json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true }));
    if let Some(map) = schema.as_object_mut() {
        map.insert("x-kubernetes-group-version-kind".to_owned(), json!([names(kind, version)]));
    }
    schema
}
