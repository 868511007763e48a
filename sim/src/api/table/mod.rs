//! Tables as `kubectl get` shows them: `meta.k8s.io/v1` Table out of objects. Pure.

mod age;
mod core;
mod jsonpath;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::present::metadata_only;
use crate::store::{ApiError, At, ResourceKind, meta};

/// Whether a table carries its column definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    /// It does.
    Shown,
    /// An earlier table of the same watch did.
    Hidden,
}

/// What each row carries beside its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Include {
    /// Nothing.
    None,
    /// The object's metadata.
    Metadata,
    /// The object.
    Object,
}

impl Include {
    /// Reads the parameter `includeObject`.
    ///
    /// # Errors
    /// 400 for an unknown value.
    pub fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        match text {
            None | Some("Metadata") => Ok(Include::Metadata),
            Some("None") => Ok(Include::None),
            Some("Object") => Ok(Include::Object),
            Some(other) => Err(ApiError::bad_request(format!("unrecognized includeObject value: \"{other}\""))),
        }
    }
}

/// One column: how it is called, and how its cell is made.
struct Column {
    name: String,
    kind: String,
    format: String,
    description: String,
    /// Above 0: only in wide output.
    priority: i64,
    cell: Cell,
}

enum Cell {
    Core(fn(&Value, Timestamp) -> Value),
    Path { path: String, kind: String },
}

impl Column {
    fn definition(&self) -> Value {
        json!({ "name": self.name, "type": self.kind, "format": self.format, "description": self.description, "priority": self.priority })
    }

    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        match &self.cell {
            Cell::Core(make) => make(object, now),
            Cell::Path { path, kind } => custom_cell(object, path, kind, now),
        }
    }
}

/// A table of `objects`; `shown` are the same ones in the version that the client asked for.
pub fn build(
    kind: &ResourceKind,
    objects: &[Arc<Value>],
    shown: &[Arc<Value>],
    headers: Headers,
    include: Include,
    now: Timestamp,
    metadata: &Value,
) -> Value {
    let columns = columns(kind);
    let rows: Vec<Value> = objects
        .iter()
        .zip(shown)
        .map(|(object, shown)| {
            let cells: Vec<Value> = columns.iter().map(|column| column.cell(object, now)).collect();
            row(&cells, shown, include)
        })
        .collect();
    let definitions: Value = match headers {
        Headers::Shown => columns.iter().map(Column::definition).collect(),
        Headers::Hidden => Value::Null,
    };
    json!({ "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": definitions, "rows": rows })
}

fn row(cells: &[Value], object: &Value, include: Include) -> Value {
    let object = match include {
        Include::None => return json!({ "cells": cells, "object": null }),
        Include::Metadata => metadata_only(object),
        Include::Object => object.clone(),
    };
    json!({ "cells": cells, "object": object })
}

fn columns(kind: &ResourceKind) -> Vec<Column> {
    match &kind.definition {
        None => core::columns(kind),
        Some(version) => {
            let mut all = vec![core::name_column()];
            let stated = version.get("additionalPrinterColumns").and_then(Value::as_array);
            match stated.filter(|columns| !columns.is_empty()) {
                Some(stated) => all.extend(stated.iter().filter_map(custom_column)),
                None => all.push(core::age_column()),
            }
            all
        }
    }
}

fn custom_column(stated: &Value) -> Option<Column> {
    let text = |field: &str| stated.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let path = stated.get("jsonPath")?.as_str()?.to_owned();
    Some(Column {
        name: text("name"),
        kind: text("type"),
        format: text("format"),
        description: described(text("description"), &path),
        priority: stated.get("priority").and_then(Value::as_i64).unwrap_or(0),
        cell: Cell::Path { path, kind: text("type") },
    })
}

fn described(stated: String, path: &str) -> String {
    if !stated.is_empty() {
        return stated;
    }
    format!("Custom resource definition column (in JSONPath format): {path}")
}

fn custom_cell(object: &Value, path: &str, kind: &str, now: Timestamp) -> Value {
    let found = jsonpath::find(object, path);
    let Some(first) = found.first().filter(|value| !value.is_null()) else { return Value::Null };
    match kind {
        "date" => json!(first.as_str().map_or("<invalid>".to_owned(), |text| age::since(text, now))),
        "string" => json!(found.iter().map(|value| plain(value)).collect::<Vec<_>>().join(" ")),
        "integer" if first.is_number() => (*first).clone(),
        "number" if first.is_number() => (*first).clone(),
        "boolean" if first.is_boolean() => (*first).clone(),
        _ => Value::Null,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The text at a pointer, empty where there is none.
fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.at(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn object_age(object: &Value, now: Timestamp) -> Value {
    json!(age::since(meta::text(object, "creationTimestamp").unwrap_or_default(), now))
}
