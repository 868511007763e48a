//! `metadata.managedFields`: read, changed, written. Pure.

use serde_json::{Value, json};

use super::Writer;
use super::set::FieldSet;
use crate::store::meta;

/// How a manager came to own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// What one manager owns through one part of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub manager: String,
    /// How.
    pub operation: Operation,
    /// In which version.
    pub api_version: String,
    /// When last, as printed.
    pub time: String,
    /// Through which subresource, empty for the object itself.
    pub subresource: String,
    /// What.
    pub fields: FieldSet,
}

impl Entry {
    /// An entry of a writer that owns nothing yet.
    pub fn of(writer: &Writer, operation: Operation, now: jiff::Timestamp) -> Self {
        Entry {
            manager: writer.manager.clone(),
            operation,
            api_version: writer.api_version.clone(),
            time: printed(now),
            subresource: writer.subresource.clone().unwrap_or_default(),
            fields: FieldSet::default(),
        }
    }

    /// Whether the entry is this writer's, for this operation.
    pub fn belongs_to(&self, writer: &Writer, operation: Operation) -> bool {
        self.manager == writer.manager
            && self.operation == operation
            && self.api_version == writer.api_version
            && self.subresource == writer.subresource.as_deref().unwrap_or_default()
    }

    fn to_value(&self) -> Value {
        let mut out = json!({
            "manager": self.manager, "operation": self.operation.as_str(), "apiVersion": self.api_version,
            "time": self.time, "fieldsType": "FieldsV1", "fieldsV1": self.fields.to_wire(),
        });
        if let (Some(map), false) = (out.as_object_mut(), self.subresource.is_empty()) {
            map.insert("subresource".to_owned(), json!(self.subresource));
        }
        out
    }

    fn from_value(value: &Value) -> Option<Self> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let operation = match value.get("operation")?.as_str()? {
            "Apply" => Operation::Apply,
            _ => Operation::Update,
        };
        Some(Entry {
            manager: text("manager"),
            operation,
            api_version: text("apiVersion"),
            time: text("time"),
            subresource: text("subresource"),
            fields: FieldSet::from_wire(value.get("fieldsV1")?),
        })
    }
}

/// A time as entries print it.
pub fn printed(now: jiff::Timestamp) -> String {
    meta::time(now).as_str().unwrap_or_default().to_owned()
}

/// Every entry of an object.
pub fn read(object: &Value) -> Vec<Entry> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(Entry::from_value).collect()
}

/// Writes entries into an object, in the server's order; those that own nothing go.
pub fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    let rank = |entry: &Entry| {
        (
            entry.operation,
            entry.time.clone(),
            entry.manager.clone(),
            entry.api_version.clone(),
            entry.subresource.clone(),
        )
    };
    entries.sort_by_cached_key(rank);
    if entries.is_empty() {
        meta::unset(object, "managedFields");
    } else {
        meta::set(object, "managedFields", entries.iter().map(Entry::to_value).collect());
    }
}
