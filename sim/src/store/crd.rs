//! What a CustomResourceDefinition says about the resource it defines. Reads values; validates nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::builtin::CRD_GROUP;
use super::fields::Shape;
use super::kind::{ResourceId, ResourceKind};
use super::schema::Schema;
use crate::store::At;

/// The resource of CustomResourceDefinitions.
pub fn definitions() -> ResourceId {
    ResourceId::new(CRD_GROUP, "customresourcedefinitions")
}

/// Definitions that were read before. A process that makes one cluster after the other reads the same ones each time.
static KNOWN: Mutex<VecDeque<(Value, Arc<ResourceKind>)>> = Mutex::new(VecDeque::new());
/// How many of them are kept.
const KEPT: usize = 16;

/// The resource that a definition defines, or `None` where it lacks a name that is needed.
pub fn defined_kind(definition: &Value) -> Option<Arc<ResourceKind>> {
    let spec = definition.get("spec")?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, kind)) = known.iter().find(|(stated, _)| stated == spec) {
        return Some(kind.clone());
    }
    let kind = Arc::new(read(spec)?);
    known.truncate(KEPT.saturating_sub(1));
    known.push_front((spec.clone(), kind.clone()));
    Some(kind)
}

fn read(spec: &Value) -> Option<ResourceKind> {
    let names = spec.get("names")?;
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let kind = text(names, "kind")?;
    let versions: Vec<&Value> = spec.get("versions")?.as_array()?.iter().collect();
    let stored = versions.iter().find(|version| flag(version, "storage"))?;
    let served: Vec<String> =
        versions.iter().filter(|version| flag(version, "served")).filter_map(|version| text(version, "name")).collect();
    Some(ResourceKind {
        group: text(spec, "group")?,
        version: text(stored, "name")?,
        versions: served,
        plural: text(names, "plural")?,
        singular: text(names, "singular").filter(|name| !name.is_empty()).unwrap_or_else(|| kind.to_lowercase()),
        list_kind: text(names, "listKind").unwrap_or_else(|| format!("{kind}List")),
        kind,
        namespaced: text(spec, "scope")?.as_str() == "Namespaced",
        short_names: texts(names, "shortNames"),
        categories: texts(names, "categories"),
        subresources: subresources(stored),
        generation: true,
        graceful_deletion: false,
        custom: true,
        selectable_fields: selectable_fields(stored),
        shape: Arc::new(shape(stored)),
        schema: stored.at("/schema/openAPIV3Schema").map(|schema| Arc::new(Schema::read(schema))),
        definition: Some(Arc::new(Value::clone(stored))),
    })
}

fn flag(value: &Value, field: &str) -> bool {
    value.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn texts(value: &Value, field: &str) -> Vec<String> {
    let items = value.get(field).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Of the subresources that a definition can ask for, `status` alone is served.
fn subresources(version: &Value) -> Vec<String> {
    let status = version.at("/subresources/status").is_some();
    if status { vec!["status".to_owned()] } else { Vec::new() }
}

fn selectable_fields(version: &Value) -> Vec<String> {
    let stated = version.get("selectableFields").and_then(Value::as_array);
    let paths = stated.into_iter().flatten().filter_map(|field| field.get("jsonPath")?.as_str());
    paths.map(|path| path.trim_start_matches('.').to_owned()).collect()
}

fn shape(version: &Value) -> Shape {
    version.at("/schema/openAPIV3Schema").map(Shape::of_schema).unwrap_or_default()
}
