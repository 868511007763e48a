//! Tables, as whole values.

use super::*;
use crate::store::{ResourceId, Store, StoreOptions};

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn cells(kind: &ResourceKind, object: &Value) -> Vec<(String, Value)> {
    let objects = [Arc::new(object.clone())];
    let table = build(kind, &objects, &objects, Headers::Shown, Include::None, now(), &json!({}));
    let names = table["columnDefinitions"].as_array().unwrap().iter();
    let values = table["rows"][0]["cells"].as_array().unwrap();
    names.map(|column| column["name"].as_str().unwrap().to_owned()).zip(values.iter().cloned()).collect()
}

fn kind(plural: &str) -> Arc<ResourceKind> {
    Store::new(StoreOptions::new(1, Arc::new(now))).kind(&ResourceId::core(plural)).unwrap()
}

#[test]
fn a_pod_is_shown_as_kubectl_users_know_it() {
    let pod = json!({
        "metadata": { "name": "web", "creationTimestamp": "2026-11-21T11:57:30Z" },
        "spec": { "nodeName": "n1", "containers": [{ "name": "a" }, { "name": "b" }] },
        "status": { "phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [{ "ready": true, "restartCount": 2 }, { "ready": false }] },
    });
    let shown = cells(&kind("pods"), &pod);
    let first: Vec<(&str, Value)> = shown.iter().take(7).map(|(name, value)| (name.as_str(), value.clone())).collect();
    let expected = vec![
        ("Name", json!("web")),
        ("Ready", json!("1/2")),
        ("Status", json!("Running")),
        ("Restarts", json!("2")),
        ("Age", json!("2m30s")),
        ("IP", json!("10.0.0.1")),
        ("Node", json!("n1")),
    ];
    assert_eq!(first, expected);
}

#[test]
fn a_custom_resource_shows_the_columns_of_its_definition() {
    let mut kind = ResourceKind::clone(&kind("configmaps"));
    kind.definition = Some(Arc::new(json!({ "additionalPrinterColumns": [
        { "name": "vCPUs", "type": "integer", "jsonPath": ".spec.cpus" },
        { "name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status" },
        { "name": "Gone", "type": "string", "jsonPath": ".status.gone" },
        { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
    ] })));
    let object = json!({
        "metadata": { "name": "vm", "creationTimestamp": "2026-11-21T11:00:00Z" },
        "spec": { "cpus": 2 }, "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
    });
    let values: Vec<Value> = cells(&kind, &object).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, vec![json!("vm"), json!(2), json!("True"), Value::Null, json!("60m")]);
}

#[test]
fn rows_carry_metadata_unless_asked_otherwise() {
    let objects = [Arc::new(json!({ "metadata": { "name": "a" }, "data": {} }))];
    let table = |include| build(&kind("configmaps"), &objects, &objects, Headers::Hidden, include, now(), &json!({}));
    assert_eq!(table(Include::Metadata)["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(table(Include::Object)["rows"][0]["object"], *objects[0]);
    assert_eq!(table(Include::None)["rows"][0].get("object"), Some(&Value::Null));
    assert_eq!(table(Include::None)["columnDefinitions"], Value::Null);
}
