//! An object as it is stored: its value, who owns what of it, and its text as clients see it. Plain data.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::fields::Owners;

/// The text of most objects has room in so many bytes.
const USUAL: usize = 6 << 10;

/// An object in the store. Cheap to clone; it reads as its value, which is without `metadata.managedFields`.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The object without its owners.
    pub object: Arc<Value>,
    /// Who owns what of it.
    pub owners: Owners,
    /// Made once, whoever asks for it: the answer to a write and every watch tell the same.
    text: Arc<OnceLock<Bytes>>,
}

impl Stored {
    /// An object and its owners.
    pub fn new(object: Value, owners: Owners) -> Self {
        Stored { object: Arc::new(object), owners, text: Arc::default() }
    }

    /// The object as clients see it, with its owners.
    pub fn whole(&self) -> Value {
        self.owners.shown_in(&self.object)
    }

    /// The same as text.
    pub fn text(&self) -> Bytes {
        let print = || {
            let mut text = Vec::with_capacity(USUAL);
            serde_json::to_writer(&mut text, &Shown(self)).map(|()| Bytes::from(text))
        };
        // Texts, finite numbers and maps of texts always print.
        self.text.get_or_init(|| print().unwrap_or_default()).clone()
    }
}

impl Deref for Stored {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.object
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.object == other.object && self.owners == other.owners
    }
}

/// An object as clients see it.
struct Shown<'a>(&'a Stored);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Value::Object(map) = &*self.0.object else { return self.0.object.serialize(serializer) };
        let mut out = serializer.serialize_map(None)?;
        for (name, value) in map {
            match (name.as_str(), value) {
                ("metadata", Value::Object(metadata)) => {
                    out.serialize_entry(name, &Metadata { metadata, owners: &self.0.owners })?;
                }
                _ => out.serialize_entry(name, value)?,
            }
        }
        out.end()
    }
}

/// The metadata of an object as clients see them who ask for no more.
pub struct ShownMetadata<'a>(pub &'a Stored);

impl Serialize for ShownMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("apiVersion", "meta.k8s.io/v1")?;
        out.serialize_entry("kind", "PartialObjectMetadata")?;
        match self.0.get("metadata") {
            Some(Value::Object(metadata)) => {
                out.serialize_entry("metadata", &Metadata { metadata, owners: &self.0.owners })?;
            }
            other => out.serialize_entry("metadata", &other)?,
        }
        out.end()
    }
}

/// Metadata with the owners at their place.
struct Metadata<'a> {
    metadata: &'a Map<String, Value>,
    owners: &'a Owners,
}

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const NAME: &str = "managedFields";
        let mut out = serializer.serialize_map(None)?;
        let (before, after): (Vec<_>, Vec<_>) = self.metadata.iter().partition(|(name, _)| name.as_str() < NAME);
        for (name, value) in before {
            out.serialize_entry(name, value)?;
        }
        if !self.owners.is_empty() {
            out.serialize_entry(NAME, self.owners)?;
        }
        for (name, value) in after {
            out.serialize_entry(name, value)?;
        }
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_of_an_object_is_that_of_its_value_with_its_owners() {
        let owners = json!([{ "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { ".": {}, "f:a": {} } },
            "manager": "m", "operation": "Update", "time": "2026-11-21T12:00:00Z" }]);
        let object = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "labels": { "a": "b" }, "name": "p" }, "spec": { "a": 1 } });
        let mut whole = object.clone();
        whole["metadata"]["managedFields"] = owners;
        let stored = Stored::new(object, Owners::stated_in(&whole));
        assert_eq!(stored.text(), Bytes::from(whole.to_string()));
        assert_eq!(stored.whole(), whole);
        let partial = serde_json::to_value(ShownMetadata(&stored)).unwrap();
        let expected =
            json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": whole["metadata"] });
        assert_eq!(partial, expected);
    }
}
