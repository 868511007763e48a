//! The generated schemas: that what Kubernetes has to know is in them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use kube::CustomResourceExt;
use reef_api::{GitSource, SizingPolicy, VirtualMachine};
use serde_json::{Value, json};

fn schema(crd: &impl serde::Serialize) -> Value {
    serde_json::to_value(crd).unwrap()["spec"]["versions"][0].clone()
}

#[test]
fn a_virtual_machine_keeps_what_reef_does_not_read_but_not_misspelt_sizes() {
    let version = schema(&VirtualMachine::crd());
    let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
    assert_eq!(spec["x-kubernetes-preserve-unknown-fields"], json!(true));
    let instance = &spec["properties"]["instance"];
    assert_eq!(instance["x-kubernetes-preserve-unknown-fields"], json!(true));
    assert_eq!(instance["properties"]["cpu"]["x-kubernetes-preserve-unknown-fields"], Value::Null);
    assert_eq!(instance["properties"]["memory"]["properties"]["size"]["x-kubernetes-int-or-string"], json!(true));
    assert_eq!(version["selectableFields"], json!([{"jsonPath": ".status.nodeName"}]));
}

#[test]
fn conditions_are_maps_by_type_so_that_two_writers_do_not_overwrite_each_other() {
    for version in [schema(&VirtualMachine::crd()), schema(&GitSource::crd())] {
        let conditions = &version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"];
        assert_eq!(conditions["x-kubernetes-list-type"], json!("map"));
        assert_eq!(conditions["x-kubernetes-list-map-keys"], json!(["type"]));
        assert_eq!(version["subresources"], json!({"status": {}}));
    }
}

#[test]
fn a_policy_has_no_field_that_does_nothing() {
    let version = schema(&SizingPolicy::crd());
    let properties =
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].as_object().unwrap().clone();
    let names: Vec<_> = properties.keys().cloned().collect();
    assert_eq!(
        names,
        [
            "boot",
            "bounds",
            "budget",
            "cpuOvercommit",
            "deferred",
            "memoryPerVcpu",
            "overhead",
            "protected",
            "restart",
            "rules",
            "selector",
            "shrink",
            "step"
        ]
    );
}

#[test]
fn the_parts_of_a_policy_that_are_words_or_times_are_held_to_them_by_the_schema() {
    let version = schema(&SizingPolicy::crd());
    let spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].clone();
    let gate = &spec["shrink"]["properties"]["gate"];
    let words: Vec<_> = ["Guard", "Press"].into_iter().filter(|word| gate.to_string().contains(word)).collect();
    assert_eq!(words, ["Guard", "Press"], "{gate}");
    let deferred = &spec["deferred"]["properties"];
    assert_eq!(deferred["lease"]["pattern"], json!("^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"));
    assert_eq!(deferred["largestStep"]["type"], json!("boolean"));
}
