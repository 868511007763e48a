//! Schemas against values, as tables.

use serde_json::{Value, json};

use super::*;

fn schema() -> Schema {
    Schema::read(&json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": { "type": "integer", "minimum": 1, "maximum": 8 },
                    "mode": { "type": "string", "enum": ["A", "B"], "default": "A" },
                    "name": { "type": "string", "pattern": "^[a-z]+$", "maxLength": 5 },
                    "memory": { "x-kubernetes-int-or-string": true },
                    "nested": { "type": "object", "default": {}, "properties": { "on": { "type": "boolean", "default": true } } },
                    "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
                    "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                    "list": { "type": "array", "maxItems": 2, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                        "items": { "type": "object", "required": ["type"], "properties": { "type": { "type": "string" }, "n": { "type": "integer", "default": 3 } } } },
                },
            },
        },
    }))
}

#[test]
fn unknown_fields_are_removed_and_named() {
    let mut object = json!({
        "apiVersion": "x/v1", "kind": "X", "metadata": { "anything": 1 }, "extra": 1,
        "spec": { "size": 1, "sise": 2, "free": { "a": 1 }, "labels": { "b": "c" }, "list": [{ "type": "t", "x": 1 }] },
    });
    let removed = prune(&schema(), &mut object);
    assert_eq!(removed, vec!["extra", "spec.list[0].x", "spec.sise"]);
    let expected = json!({
        "apiVersion": "x/v1", "kind": "X", "metadata": { "anything": 1 },
        "spec": { "size": 1, "free": { "a": 1 }, "labels": { "b": "c" }, "list": [{ "type": "t" }] },
    });
    assert_eq!(object, expected);
}

#[test]
fn defaults_are_filled_in_from_the_outside_in() {
    let mut object = json!({ "spec": { "size": 1, "mode": null, "list": [{ "type": "t" }] } });
    fill_defaults(&schema(), &mut object);
    let expected =
        json!({ "spec": { "size": 1, "mode": "A", "nested": { "on": true }, "list": [{ "type": "t", "n": 3 }] } });
    assert_eq!(object, expected);
}

#[test]
fn every_fault_is_named_at_its_path() {
    let faults = |spec: Value| -> Vec<(String, String)> {
        let found = validate(&schema(), &json!({ "spec": spec }), Path::Root(""));
        found.into_iter().map(|cause| (cause.field, cause.message)).collect()
    };
    let one = |field: &str, message: &str| vec![(field.to_owned(), message.to_owned())];
    assert_eq!(faults(json!({ "size": 1, "memory": "2Gi", "name": "abc" })), vec![]);
    assert_eq!(faults(json!({})), one("spec.size", "Required value"));
    assert_eq!(
        faults(json!({ "size": 0 })),
        one("spec.size", "Invalid value: 0: spec.size in body should be greater than or equal to 1")
    );
    assert_eq!(
        faults(json!({ "size": 9 })),
        one("spec.size", "Invalid value: 9: spec.size in body should be less than or equal to 8")
    );
    assert_eq!(
        faults(json!({ "size": "two" })),
        one("spec.size", "Invalid value: \"string\": spec.size in body must be of type integer: \"string\"")
    );
    assert_eq!(
        faults(json!({ "size": 1, "mode": "C" })),
        one("spec.mode", "Unsupported value: \"C\": supported values: \"A\", \"B\"")
    );
    assert_eq!(
        faults(json!({ "size": 1, "name": "A1" })),
        one("spec.name", "Invalid value: \"A1\": spec.name in body should match '^[a-z]+$'")
    );
    assert_eq!(
        faults(json!({ "size": 1, "name": "abcdef" })),
        one("spec.name", "Too long: may not be more than 5 bytes")
    );
    assert_eq!(
        faults(json!({ "size": 1, "memory": true })),
        one(
            "spec.memory",
            "Invalid value: \"boolean\": spec.memory in body must be of type integer,string: \"boolean\""
        )
    );
    let twice = json!({ "size": 1, "list": [{ "type": "a" }, { "type": "a" }] });
    assert_eq!(faults(twice), one("spec.list[1]", "Duplicate value: {\"type\":\"a\"}"));
    assert_eq!(faults(json!({ "size": 1, "labels": { "a": 1 } })).len(), 1);
}

#[test]
fn combined_schemas_are_asked_as_a_whole() {
    let faults = |schema: Value, value: Value| validate(&Schema::read(&schema), &value, Path::Root("spec")).len();
    let schema = json!({ "oneOf": [{ "required": ["a"] }, { "required": ["b"] }] });
    assert_eq!(faults(schema.clone(), json!({ "a": 1 })), 0);
    assert_eq!(faults(schema, json!({ "a": 1, "b": 1 })), 1);
    assert_eq!(faults(json!({ "not": { "required": ["a"] } }), json!({ "a": 1 })), 1);
    assert_eq!(faults(json!({ "anyOf": [{ "type": "string" }] }), json!(1)), 1);
}
