//! Patches on values.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::store::{ResourceId, Store, StoreOptions};

fn kind(plural: &str) -> ResourceKind {
    let store = Store::new(StoreOptions::new(1, Arc::new(jiff::Timestamp::default)));
    ResourceKind::clone(&store.kind(&ResourceId::core(plural)).unwrap())
}

fn patched(content_type: &str, before: &Value, patch: &Value) -> Result<Value, ApiError> {
    let kind = kind("pods");
    Patch::parse(content_type, patch.to_string().as_bytes(), &kind)?.apply(before.clone(), &kind.shape)
}

fn pod() -> Value {
    json!({ "metadata": { "finalizers": ["a", "b"] }, "spec": {
        "containers": [{ "name": "x", "image": "1", "env": [{ "name": "E", "value": "1" }] }, { "name": "y", "image": "2" }],
        "tolerations": [{ "key": "t" }], "nodeSelector": { "a": "b" },
        "volumes": [{ "name": "v", "emptyDir": {} }],
    } })
}

#[test]
fn a_strategic_patch_merges_named_items_in_its_own_order_and_replaces_plain_lists() {
    let patch = json!({ "spec": {
        "containers": [{ "name": "y", "image": "3" }, { "name": "z", "image": "4" }, { "name": "x", "env": [{ "name": "F", "value": "2" }] }],
        "tolerations": [{ "key": "u" }], "nodeSelector": null,
    } });
    let expected = json!({ "metadata": { "finalizers": ["a", "b"] }, "spec": {
        "containers": [
            { "name": "y", "image": "3" }, { "name": "z", "image": "4" },
            { "name": "x", "image": "1", "env": [{ "name": "F", "value": "2" }, { "name": "E", "value": "1" }] },
        ],
        "tolerations": [{ "key": "u" }], "volumes": [{ "name": "v", "emptyDir": {} }],
    } });
    assert_eq!(patched(STRATEGIC, &pod(), &patch), Ok(expected));
}

#[test]
fn directives_delete_replace_retain_and_order() {
    let spec = |patch: Value| patched(STRATEGIC, &pod(), &patch).map(|pod| pod["spec"].clone());
    let names = |patch: Value| {
        let spec = spec(json!({ "spec": patch })).unwrap();
        spec["containers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(json!({ "containers": [{ "name": "x", "$patch": "delete" }] })), vec!["y"]);
    assert_eq!(names(json!({ "containers": [{ "$patch": "replace" }, { "name": "n" }] })), vec!["n"]);
    let order = json!([{ "name": "y" }, { "name": "x" }]);
    assert_eq!(names(json!({ "$setElementOrder/containers": order })), vec!["y", "x"]);
    let retain = json!({ "spec": { "volumes": [{ "name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": { "path": "/" } }] } });
    assert_eq!(spec(retain).unwrap()["volumes"], json!([{ "name": "v", "hostPath": { "path": "/" } }]));
    let finalizers =
        patched(STRATEGIC, &pod(), &json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": ["a"] } })).unwrap();
    assert_eq!(finalizers["metadata"]["finalizers"], json!(["b"]));
    assert_eq!(patched(STRATEGIC, &pod(), &json!({ "$patch": "shred" })).unwrap_err().code(), 400);
}

#[test]
fn a_merge_patch_replaces_lists_and_a_json_patch_goes_by_place() {
    let merged =
        patched(MERGE, &pod(), &json!({ "spec": { "containers": [{ "name": "n" }], "volumes": null } })).unwrap();
    assert_eq!(
        merged["spec"],
        json!({ "containers": [{ "name": "n" }], "tolerations": [{ "key": "t" }], "nodeSelector": { "a": "b" } })
    );
    let steps = json!([
        { "op": "test", "path": "/spec/containers/0/name", "value": "x" },
        { "op": "replace", "path": "/spec/containers/0/image", "value": "9" },
    ]);
    assert_eq!(patched(JSON, &pod(), &steps).unwrap()["spec"]["containers"][0]["image"], "9");
    let failing = json!([{ "op": "test", "path": "/spec/containers/0/name", "value": "q" }]);
    assert_eq!(patched(JSON, &pod(), &failing).unwrap_err().code(), 422);
}

#[test]
fn a_custom_resource_takes_no_strategic_patch() {
    let kind = ResourceKind { custom: true, ..kind("pods") };
    assert_eq!(Patch::parse(STRATEGIC, b"{}", &kind).unwrap_err().code(), 415);
    assert_eq!(Patch::parse("text/plain", b"{}", &kind).unwrap_err().code(), 415);
    assert_eq!(Patch::parse(MERGE, b"{", &kind).unwrap_err().code(), 400);
}
