//! The samples by Argo CD's own schemas: every field is one, and has the type that it should have.

use serde_json::{Value, json};

use crate::argocd::folder;
use crate::path;

/// A schema in which a field that it does not name is a fault: an API server takes such a field away without a word.
fn strict(mut schema: Value) -> Value {
    if let Some(fields) = schema.as_object_mut() {
        let open = fields.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
        if fields.contains_key("properties") && !open && !fields.contains_key("additionalProperties") {
            fields.insert("additionalProperties".to_owned(), json!(false));
        }
        for value in fields.values_mut() {
            *value = strict(value.take());
        }
    } else if let Some(items) = schema.as_array_mut() {
        for item in items {
            *item = strict(item.take());
        }
    }
    schema
}

fn schema(kind: &str) -> Value {
    let file = folder().join(format!("crds/{}-crd.yaml", kind.to_lowercase()));
    let definition: Value = serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    schema["properties"]["metadata"] = open;
    strict(schema)
}

fn faults(document: &Value) -> Vec<String> {
    let schema = schema(document["kind"].as_str().unwrap());
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn sample(name: &str) -> Value {
    serde_yaml::from_str(&std::fs::read_to_string(path("argocd").join(name)).unwrap()).unwrap()
}

#[test]
fn every_sample_is_valid_by_argo_cds_own_schemas() {
    for name in ["application.yaml", "application-autoscaled.yaml", "applicationset.yaml", "appproject.yaml"] {
        let found = faults(&sample(name));
        assert!(found.is_empty(), "{name}: {}", found.join("\n"));
    }
}

#[test]
fn a_misspelt_field_is_found() {
    let mut wrong = sample("application.yaml");
    wrong["spec"]["syncPolicy"]["automated"]["selfheal"] = json!(true);
    assert!(faults(&wrong).join("; ").contains("selfheal"), "{:?}", faults(&wrong));
    let mut wrong = sample("applicationset.yaml");
    wrong["spec"]["generators"][0]["matrix"]["generators"][0]["git"]["directories"][0]["paths"] = json!("a");
    assert!(!faults(&wrong).is_empty());
}
