//! What the server says about itself: groups, versions, resources, health, version. Schemas are in `openapi`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::admit::InfeasibleMode;
use super::negotiate::{self, AGGREGATED, Form};
use super::openapi;
use super::request::{RequestFacts, method_not_allowed};
use super::resource::NEW_EVENTS_GROUP;
use super::respond::{self, Answer};
use super::server::ApiServer;
use crate::store::{ApiError, ResourceKind, api_version};

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// The same for custom resources, in the order in which they are told.
const CUSTOM_VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

fn verbs(kind: &ResourceKind) -> [&'static str; 8] {
    if kind.custom { CUSTOM_VERBS } else { VERBS }
}

/// Answers a path that names no resource.
///
/// # Errors
/// 404 for anything that is not there, 405 for anything but a read.
pub fn answer(server: &ApiServer, segments: &[String], facts: &RequestFacts) -> Result<Answer, ApiError> {
    if facts.method != Method::GET {
        return Err(method_not_allowed());
    }
    let kinds = served(server);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let found = match segments.as_slice() {
        [] => Some(paths(&kinds)),
        ["api"] => return aggregated_or(facts, &kinds, Part::Core, &core_versions()),
        ["apis"] => return aggregated_or(facts, &kinds, Part::Groups, &group_list(&kinds)),
        ["api", version] => resource_list(&kinds, "", version),
        ["apis", group] => {
            groups(&kinds).get(*group).map(|versions| with_type(group_object(group, versions), "APIGroup"))
        }
        ["apis", group, version] => resource_list(&kinds, group, version),
        ["version"] => Some(version(server)),
        ["healthz" | "readyz" | "livez", ..] => return Ok(plain("ok")),
        ["openapi", rest @ ..] => return openapi::answer(&kinds, rest, facts),
        _ => None,
    };
    found.map(|document| Answer::json(StatusCode::OK, &document)).ok_or_else(ApiError::no_such_page)
}

fn plain(text: &'static str) -> Answer {
    Answer::bytes(StatusCode::OK, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

/// Every resource in every served version, with the second face of events.
fn served(server: &ApiServer) -> Vec<Arc<ResourceKind>> {
    let mut kinds = server.store().kinds();
    let events = kinds.iter().find(|kind| kind.group.is_empty() && kind.plural == "events").cloned();
    if let Some(events) = events {
        let mut second = ResourceKind::clone(&events);
        second.group = NEW_EVENTS_GROUP.to_owned();
        kinds.push(Arc::new(second));
    }
    kinds
}

/// The version whose rules the server follows.
fn version(server: &ApiServer) -> Value {
    let (minor, whole) = match server.infeasible() {
        InfeasibleMode::ByKubelet => ("35", "v1.35.4"),
        InfeasibleMode::AtAdmission => ("36", "v1.36.3"),
    };
    json!({
        "major": "1", "minor": minor, "gitVersion": whole, "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "none", "compiler": "rustc", "platform": "linux/amd64",
    })
}

fn core_versions() -> Value {
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
}

fn paths(kinds: &[Arc<ResourceKind>]) -> Value {
    let mut all: Vec<String> =
        ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
            .map(str::to_owned)
            .to_vec();
    for (group, versions) in groups(kinds) {
        all.push(format!("/apis/{group}"));
        all.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    all.sort();
    json!({ "paths": all })
}

/// The named groups, each with its versions, the preferred one first.
fn groups(kinds: &[Arc<ResourceKind>]) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kind in kinds.iter().filter(|kind| !kind.group.is_empty()) {
        let versions = out.entry(kind.group.clone()).or_default();
        for version in &kind.versions {
            if !versions.contains(version) {
                versions.push(version.clone());
            }
        }
    }
    out
}

fn group_object(group: &str, versions: &[String]) -> Value {
    let version = |version: &String| json!({ "groupVersion": api_version(group, version), "version": version });
    let all: Vec<Value> = versions.iter().map(version).collect();
    json!({ "name": group, "versions": all, "preferredVersion": all.first() })
}

fn with_type(mut object: Value, kind: &str) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.insert("kind".to_owned(), json!(kind));
        map.insert("apiVersion".to_owned(), json!("v1"));
    }
    object
}

fn group_list(kinds: &[Arc<ResourceKind>]) -> Value {
    let all: Vec<Value> = groups(kinds).iter().map(|(group, versions)| group_object(group, versions)).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": all })
}

fn resource_list(kinds: &[Arc<ResourceKind>], group: &str, version: &str) -> Option<Value> {
    let inside: Vec<&Arc<ResourceKind>> = kinds.iter().filter(|kind| serves(kind, group, version)).collect();
    if inside.is_empty() {
        return None;
    }
    let resources: Vec<Value> = inside.into_iter().flat_map(|kind| entries(kind)).collect();
    Some(
        json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version(group, version), "resources": resources }),
    )
}

fn serves(kind: &ResourceKind, group: &str, version: &str) -> bool {
    kind.group == group && kind.versions.iter().any(|served| served == version)
}

fn entries(kind: &ResourceKind) -> Vec<Value> {
    let mut main = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind, "verbs": verbs(kind),
    });
    if let Some(map) = main.as_object_mut() {
        for (field, words) in [("shortNames", &kind.short_names), ("categories", &kind.categories)] {
            if !words.is_empty() {
                map.insert(field.to_owned(), json!(words));
            }
        }
    }
    let part = |name: &String| {
        let name = format!("{}/{name}", kind.plural);
        json!({ "name": name, "singularName": "", "namespaced": kind.namespaced, "kind": kind.kind, "verbs": part_verbs(&name) })
    };
    std::iter::once(main).chain(kind.subresources.iter().map(part)).collect()
}

fn part_verbs(name: &str) -> &'static [&'static str] {
    if name.ends_with("/binding") { &["create"] } else { &["get", "patch", "update"] }
}

/// Which half of discovery a path shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Core,
    Groups,
}

fn aggregated_or(
    facts: &RequestFacts,
    kinds: &[Arc<ResourceKind>],
    part: Part,
    plain: &Value,
) -> Result<Answer, ApiError> {
    match negotiate::form(&facts.accept, &[Form::AggregatedDiscovery])? {
        Form::AggregatedDiscovery => {
            let bytes = respond::to_bytes(&aggregated(kinds, part));
            Ok(Answer::bytes(StatusCode::OK, AGGREGATED, bytes))
        }
        Form::Object | Form::Table | Form::Metadata => Ok(Answer::json(StatusCode::OK, plain)),
    }
}

fn aggregated(kinds: &[Arc<ResourceKind>], part: Part) -> Value {
    let groups = match part {
        Part::Core => BTreeMap::from([(String::new(), vec!["v1".to_owned()])]),
        Part::Groups => groups(kinds),
    };
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> =
                versions.iter().map(|version| aggregated_version(kinds, group, version)).collect();
            json!({ "metadata": { "name": group, "creationTimestamp": null }, "versions": versions })
        })
        .collect();
    json!({ "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items })
}

fn aggregated_version(kinds: &[Arc<ResourceKind>], group: &str, version: &str) -> Value {
    let inside = kinds.iter().filter(|kind| serves(kind, group, version));
    let resources: Vec<Value> = inside.map(|kind| aggregated_resource(kind, group, version)).collect();
    json!({ "version": version, "freshness": "Current", "resources": resources })
}

fn aggregated_resource(kind: &ResourceKind, group: &str, version: &str) -> Value {
    let response = json!({ "group": group, "version": version, "kind": kind.kind });
    let part = |name: &String| json!({ "subresource": name, "responseKind": response, "verbs": part_verbs(&format!("/{name}")) });
    let parts: Vec<Value> = kind.subresources.iter().map(part).collect();
    json!({
        "resource": kind.plural, "responseKind": response, "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular, "verbs": verbs(kind), "shortNames": kind.short_names, "categories": kind.categories,
        "subresources": parts,
    })
}
