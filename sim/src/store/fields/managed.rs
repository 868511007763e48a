//! Who owns what of one object, beside the object; and `metadata.managedFields`, as which clients see it. Pure.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Writer;
use super::printed::Fields;
use super::set::FieldSet;
use crate::store::{At, meta};

/// How a manager came to own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

/// What one manager owns through one part of the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// In which version.
    pub api_version: String,
    /// How the fields are printed: always the same.
    pub fields_type: &'static str,
    /// What.
    #[serde(rename = "fieldsV1")]
    pub fields: Fields,
    /// Who.
    pub manager: String,
    /// How.
    pub operation: Operation,
    /// Through which subresource, empty for the object itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// When last, as printed.
    pub time: String,
}

impl Entry {
    /// An entry of a writer that owns nothing yet.
    pub fn of(writer: &Writer, operation: Operation, now: jiff::Timestamp) -> Self {
        Entry {
            manager: writer.manager.clone(),
            operation,
            api_version: writer.api_version.clone(),
            fields_type: "FieldsV1",
            time: meta::printed(now),
            subresource: writer.subresource.clone().unwrap_or_default(),
            fields: Fields::default(),
        }
    }

    /// Whether the entry is this writer's, for this operation.
    pub fn belongs_to(&self, writer: &Writer, operation: Operation) -> bool {
        self.manager == writer.manager
            && self.operation == operation
            && self.api_version == writer.api_version
            && self.subresource == writer.subresource.as_deref().unwrap_or_default()
    }

    /// Takes fields from it, where it has any of them.
    pub fn lose(&mut self, fields: &FieldSet) {
        if self.fields.meets(fields) {
            self.fields.change(|own| own.subtract(fields));
        }
    }

    fn rank(&self) -> (Operation, [&str; 4]) {
        (self.operation, [&self.time, &self.manager, &self.api_version, &self.subresource])
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
            fields_type: "FieldsV1",
            time: text("time"),
            subresource: text("subresource"),
            fields: FieldSet::from_wire(value.get("fieldsV1")?).into(),
        })
    }
}

/// Every owner of one object. Cheap to clone.
///
/// They stand beside the object and not in it: a write would read them out of it and print them into it again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners(Arc<Vec<Entry>>);

impl Owners {
    /// Owners in the server's order; those that own nothing go.
    pub fn of(mut entries: Vec<Entry>) -> Self {
        entries.retain(|entry| !entry.fields.is_empty());
        entries.sort_by(|one, other| one.rank().cmp(&other.rank()));
        Owners(Arc::new(entries))
    }

    /// The owners that `metadata.managedFields` of an object tells of.
    pub fn stated_in(object: &Value) -> Self {
        let entries = object.at("/metadata/managedFields").and_then(Value::as_array);
        Owners::of(entries.into_iter().flatten().filter_map(Entry::from_value).collect())
    }

    /// Every entry.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `metadata.managedFields`.
    pub fn to_value(&self) -> Value {
        // Texts and maps of texts always become a value.
        serde_json::to_value(self).unwrap_or_else(|_| json!([]))
    }

    /// The object with its `metadata.managedFields`, as clients see it.
    pub fn shown_in(&self, object: &Value) -> Value {
        let mut out = object.clone();
        if !self.is_empty() {
            meta::set(&mut out, "managedFields", self.to_value());
        }
        out
    }
}

impl Serialize for Owners {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_slice().serialize(serializer)
    }
}
