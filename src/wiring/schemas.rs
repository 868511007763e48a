//! JSON Schemas of what people write and programs read: Reef's kinds, for editors, and the documents of plans.

use reef_api::facts::ClusterSnapshot;
use reef_api::plan::CapacityPlan;
use serde_json::{Value, json};

use super::crds;

/// The schema of a plan's document.
pub fn plan() -> Value {
    schemars::schema_for!(CapacityPlan).to_value()
}

/// The schema of a snapshot.
pub fn snapshot() -> Value {
    schemars::schema_for!(ClusterSnapshot).to_value()
}

/// The schema of one of Reef's kinds, by its name; nothing for another one. It is the one that the cluster checks by, with what surrounds it in a file.
pub fn kind(name: &str) -> Option<Value> {
    let crd = crds::all().into_iter().find(|crd| crd.spec.names.kind == name)?;
    let version = crd.spec.versions.first()?;
    let schema = version.schema.as_ref()?.open_api_v3_schema.as_ref()?;
    let mut schema = serde_json::to_value(schema).ok()?;
    let fields = schema.as_object_mut()?;
    fields.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    fields.insert("title".to_owned(), json!(name));
    fields.insert("required".to_owned(), json!(["apiVersion", "kind", "metadata", "spec"]));
    let properties = fields.get_mut("properties")?.as_object_mut()?;
    properties.insert("apiVersion".to_owned(), json!({ "const": format!("{}/{}", crd.spec.group, version.name) }));
    properties.insert("kind".to_owned(), json!({ "const": name }));
    properties.insert("metadata".to_owned(), metadata());
    Some(schema)
}

fn metadata() -> Value {
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    json!({
        "type": "object", "required": ["name"],
        "properties": { "name": { "type": "string" }, "namespace": { "type": "string" }, "labels": texts, "annotations": texts },
    })
}
