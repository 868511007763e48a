//! Ownership of fields, as whole values.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::store::{ApiError, ResourceId, ResourceKind, Store, StoreOptions, meta};

fn now() -> jiff::Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn later() -> jiff::Timestamp {
    "2026-11-21T13:00:00Z".parse().unwrap()
}

fn builtin(plural: &str) -> ResourceKind {
    let store = Store::new(StoreOptions::new(1, Arc::new(now)));
    ResourceKind::clone(&store.kind(&ResourceId::core(plural)).unwrap())
}

fn custom() -> ResourceKind {
    let mut kind = builtin("configmaps");
    let schema = json!({ "type": "object", "properties": {
        "spec": { "type": "object", "properties": {
            "a": { "type": "integer" }, "b": { "type": "integer" },
            "list": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                "items": { "type": "object", "properties": { "type": { "type": "string" }, "n": { "type": "integer" }, "m": { "type": "integer" } } } },
            "set": { "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "string" } },
            "whole": { "type": "array", "items": { "type": "integer" } },
            "labels": { "type": "object", "additionalProperties": { "type": "string" } },
        } },
        "status": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    } });
    kind.shape = Arc::new(Shape::of_schema(&schema));
    kind.custom = true;
    kind.subresources = vec!["status".to_owned()];
    kind
}

fn writer(manager: &str) -> Writer {
    Writer { manager: manager.to_owned(), api_version: "x.dev/v1".to_owned(), subresource: None }
}

/// Applies and takes what comes, as a server without admission would.
fn run(
    live: Option<&Value>,
    config: Value,
    manager: &str,
    force: Force,
    at: jiff::Timestamp,
) -> Result<Value, ApiError> {
    let live = live.map(parted);
    let before = live.as_ref().map(|(object, owners)| (object, owners));
    let (object, claim) = apply(&custom(), before, &config, &writer(manager), force, at)?;
    let owners = claim.finish(before.map(|(object, _)| object), &object, at);
    Ok(owners.shown_in(&object))
}

/// An object as clients see it, as the store has it.
fn parted(object: &Value) -> (Value, Owners) {
    let mut bare = object.clone();
    meta::unset(&mut bare, "managedFields");
    (bare, Owners::stated_in(object))
}

/// Writes otherwise than by apply, and shows in the object who owns what then.
fn track(kind: &ResourceKind, before: Option<&Value>, after: &mut Value, writer: &Writer, at: jiff::Timestamp) {
    let before = before.map(parted);
    let before = before.as_ref().map(|(object, owners)| (object, owners));
    let owners = super::track(kind, before, after, writer, at);
    *after = owners.shown_in(after);
}

fn spec(spec: Value) -> Value {
    json!({ "apiVersion": "x.dev/v1", "kind": "X", "metadata": { "name": "a" }, "spec": spec })
}

fn owned(object: &Value, manager: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let found: Vec<Value> =
        entries.iter().filter(|entry| entry["manager"] == manager).map(|entry| entry["fieldsV1"].clone()).collect();
    json!(found)
}

#[test]
fn an_apply_owns_what_it_states_and_no_more() {
    let config =
        spec(json!({ "a": 1, "list": [{ "type": "x", "n": 1 }], "set": ["s"], "whole": [1], "labels": { "k": "v" } }));
    let object = run(None, config, "one", Force::Refuse, now()).unwrap();
    let expected = json!([{
        "manager": "one", "operation": "Apply", "apiVersion": "x.dev/v1", "time": "2026-11-21T12:00:00Z", "fieldsType": "FieldsV1",
        "fieldsV1": { "f:spec": {
            "f:a": {}, "f:labels": { "f:k": {} }, "f:list": { "k:{\"type\":\"x\"}": { ".": {}, "f:n": {}, "f:type": {} } },
            "f:set": { "v:\"s\"": {} }, "f:whole": {},
        } },
    }]);
    assert_eq!(object["metadata"]["managedFields"], expected);
}

#[test]
fn an_apply_that_changes_nothing_leaves_even_the_times() {
    let config = spec(json!({ "a": 1, "list": [{ "type": "x", "n": 1 }] }));
    let first = run(None, config.clone(), "one", Force::Refuse, now()).unwrap();
    let again = run(Some(&first), config, "one", Force::Refuse, later()).unwrap();
    assert_eq!(again, first);
}

#[test]
fn a_second_manager_shares_what_it_agrees_with() {
    let first = run(None, spec(json!({ "a": 1 })), "one", Force::Refuse, now()).unwrap();
    let both = run(Some(&first), spec(json!({ "a": 1, "b": 2 })), "two", Force::Refuse, later()).unwrap();
    assert_eq!(owned(&both, "one"), json!([{ "f:spec": { "f:a": {} } }]));
    assert_eq!(owned(&both, "two"), json!([{ "f:spec": { "f:a": {}, "f:b": {} } }]));
    let left = run(Some(&both), spec(json!({})), "one", Force::Refuse, later()).unwrap();
    assert_eq!(left["spec"], json!({ "a": 1, "b": 2 }));
    let gone = run(Some(&left), spec(json!({ "b": 2 })), "two", Force::Refuse, later()).unwrap();
    assert_eq!(gone["spec"], json!({ "b": 2 }));
}

#[test]
fn a_conflict_names_manager_and_field_as_the_real_server_does() {
    let first =
        run(None, spec(json!({ "a": 1, "list": [{ "type": "x", "n": 1 }] })), "one", Force::Refuse, now()).unwrap();
    let refused = run(Some(&first), spec(json!({ "a": 2 })), "two", Force::Refuse, later()).unwrap_err();
    assert_eq!(refused.code(), 409);
    assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"one\": .spec.a");
    let both = spec(json!({ "a": 2, "list": [{ "type": "x", "n": 2 }] }));
    let refused = run(Some(&first), both, "two", Force::Refuse, later()).unwrap_err();
    let expected = "Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.a\n- .spec.list[type=\"x\"].n";
    assert_eq!(refused.message, expected);
    let causes = refused.details.unwrap().causes;
    assert_eq!(causes[1].reason, "FieldManagerConflict");
    assert_eq!(
        (causes[1].field.as_str(), causes[1].message.as_str()),
        (".spec.list[type=\"x\"].n", "conflict with \"one\"")
    );
}

#[test]
fn force_takes_fields_over() {
    let first = run(None, spec(json!({ "a": 1, "b": 1 })), "one", Force::Refuse, now()).unwrap();
    let taken = run(Some(&first), spec(json!({ "a": 2 })), "two", Force::Take, later()).unwrap();
    assert_eq!(taken["spec"], json!({ "a": 2, "b": 1 }));
    assert_eq!(owned(&taken, "one"), json!([{ "f:spec": { "f:b": {} } }]));
    assert_eq!(owned(&taken, "two"), json!([{ "f:spec": { "f:a": {} } }]));
}

#[test]
fn fields_that_are_not_stated_any_more_go_with_what_only_they_held() {
    let full = spec(
        json!({ "a": 1, "list": [{ "type": "x", "n": 1 }, { "type": "y" }], "set": ["s", "t"], "labels": { "k": "v" } }),
    );
    let first = run(None, full, "one", Force::Refuse, now()).unwrap();
    let second = run(
        Some(&first),
        spec(json!({ "a": 1, "list": [{ "type": "y" }], "set": ["t"] })),
        "one",
        Force::Refuse,
        later(),
    )
    .unwrap();
    assert_eq!(second["spec"], json!({ "a": 1, "list": [{ "type": "y" }], "set": ["t"] }));
}

#[test]
fn an_item_stays_as_long_as_another_manager_has_a_field_in_it() {
    let first = run(None, spec(json!({ "list": [{ "type": "x", "n": 1 }] })), "one", Force::Refuse, now()).unwrap();
    let both =
        run(Some(&first), spec(json!({ "list": [{ "type": "x", "m": 2 }] })), "two", Force::Refuse, now()).unwrap();
    let left = run(Some(&both), spec(json!({})), "one", Force::Refuse, later()).unwrap();
    assert_eq!(left["spec"], json!({ "list": [{ "type": "x", "m": 2 }] }));
}

#[test]
fn an_item_that_stays_for_another_writer_keeps_its_key() {
    let first = run(None, spec(json!({ "list": [{ "type": "x", "n": 1 }] })), "one", Force::Refuse, now()).unwrap();
    let mut edited = first.clone();
    edited["spec"]["list"][0]["m"] = json!(2);
    track(&custom(), Some(&first), &mut edited, &writer("kubectl-edit"), later());
    let left = run(Some(&edited), spec(json!({})), "one", Force::Refuse, later()).unwrap();
    assert_eq!(left["spec"], json!({ "list": [{ "type": "x", "m": 2 }] }));
}

#[test]
fn another_write_owns_what_it_changes_and_conflicts_from_then_on() {
    let first = run(None, spec(json!({ "a": 1, "b": 1 })), "one", Force::Refuse, now()).unwrap();
    let mut edited = first.clone();
    edited["spec"]["a"] = json!(5);
    track(&custom(), Some(&first), &mut edited, &writer("kubectl-edit"), later());
    assert_eq!(owned(&edited, "one"), json!([{ "f:spec": { "f:b": {} } }]));
    assert_eq!(owned(&edited, "kubectl-edit"), json!([{ "f:spec": { "f:a": {} } }]));
    let refused = run(Some(&edited), spec(json!({ "a": 1, "b": 1 })), "one", Force::Refuse, later()).unwrap_err();
    let expected = "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using x.dev/v1: .spec.a";
    assert_eq!(refused.message, expected);
}

#[test]
fn status_has_owners_of_its_own() {
    let first = run(None, spec(json!({ "a": 1 })), "one", Force::Refuse, now()).unwrap();
    let mut after = first.clone();
    after["status"] = json!({ "phase": "Running" });
    let daemon = Writer { subresource: Some("status".to_owned()), ..writer("daemon") };
    track(&custom(), Some(&first), &mut after, &daemon, later());
    assert_eq!(owned(&after, "daemon"), json!([{ "f:status": { ".": {}, "f:phase": {} } }]));
    let entry = after["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["manager"] == "daemon")
        .cloned();
    assert_eq!(entry.unwrap()["subresource"], "status");
}

#[test]
fn a_created_pod_is_owned_in_the_form_that_kubectl_shows() {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "labels": { "run": "p" } },
        "spec": { "containers": [{ "name": "c", "image": "i", "ports": [{ "containerPort": 80 }] }], "nodeSelector": { "a": "b" } },
    });
    let create = Writer { api_version: "v1".to_owned(), ..writer("kubectl") };
    track(&builtin("pods"), None, &mut pod, &create, now());
    let expected = json!([{
        "f:metadata": { "f:labels": { ".": {}, "f:run": {} } },
        "f:spec": {
            "f:containers": { "k:{\"name\":\"c\"}": { ".": {}, "f:image": {}, "f:name": {},
                "f:ports": { ".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": { ".": {}, "f:containerPort": {} } } } },
            "f:nodeSelector": {},
        },
    }]);
    assert_eq!(owned(&pod, "kubectl"), expected);
}

#[test]
fn the_wire_form_reads_back_as_it_was_written() {
    let config = spec(json!({ "a": 1, "list": [{ "type": "x", "n": 1 }], "set": ["s"] }));
    let set = super::walk::fields_of(&config, &custom().shape);
    assert_eq!(FieldSet::from_wire(&serde_json::to_value(&set).unwrap()), set);
    assert_eq!(meta::name(&config), "a");
}
