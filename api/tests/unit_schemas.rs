//! Holds the schemas of the units inside a generated definition to what the API server accepts of quantities.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

use kube::CustomResourceExt;
use reef_api::{SizingPolicy, VirtualMachine};
use serde_json::{Value, json};

fn schema(definition: &impl serde::Serialize, path: &str) -> Value {
    let definition = serde_json::to_value(definition).unwrap();
    let root = definition.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap();
    let found = root.pointer(&format!("/properties/{}", path.replace('.', "/properties/")));
    let mut found = found.unwrap_or_else(|| panic!("no field {path}")).clone();
    found.as_object_mut().unwrap().remove("description");
    found
}

#[test]
fn optional_quantities_are_integers_or_texts() {
    let pattern = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]+))?$";
    let quantity = json!({ "x-kubernetes-int-or-string": true, "nullable": true, "pattern": pattern });
    for path in ["spec.instance.memory.size", "spec.instance.memory.min", "spec.instance.memory.max"] {
        assert_eq!(schema(&VirtualMachine::crd(), path), quantity, "{path}");
    }
    for path in ["spec.overhead", "spec.cpuOvercommit", "spec.bounds.max.memory"] {
        assert_eq!(schema(&SizingPolicy::crd(), path), quantity, "{path}");
    }
}

#[test]
fn vcpus_are_integers_from_zero() {
    let vcpus = schema(&SizingPolicy::crd(), "spec.boot.min.vcpus");
    assert_eq!(vcpus, json!({ "type": "integer", "format": "uint32", "minimum": 0.0, "nullable": true }));
}
