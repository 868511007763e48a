//! An object as the API server sent it: what every object has, read, and its spec and status as text, of which little is ever read.
//!
//! A tree of maps in between would cost more than everything else that is done with an event.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// An object of any kind.
#[derive(Clone, Debug)]
pub struct Object {
    /// What it says that it is.
    pub kind: Option<String>,
    /// The part of its metadata that is used.
    pub metadata: ObjectMeta,
    spec: Option<Text>,
    status: Option<Text>,
}

/// By this name `serde_json` is asked for the text of a value, as its own `RawValue` does. Who does not know it hands out the value.
const RAW: &str = "$serde_json::private::RawValue";

/// A JSON value as it stands in a document. `RawValue` itself cannot be read out of an event that tells its object before its type.
#[derive(Clone, Debug)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RAW, TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        map.next_key::<IgnoredAny>()?;
        map.next_value().map(Text)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        Value::deserialize(deserializer).map(|value| Text(value.to_string()))
    }
}

#[derive(Deserialize)]
struct Raw {
    kind: Option<String>,
    #[serde(default)]
    metadata: Meta,
    spec: Option<Text>,
    status: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Meta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    deletion_timestamp: Option<Time>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw { kind, metadata, spec, status } = Raw::deserialize(deserializer)?;
        let metadata = ObjectMeta {
            name: metadata.name,
            namespace: metadata.namespace,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            labels: metadata.labels,
            deletion_timestamp: metadata.deletion_timestamp,
            ..ObjectMeta::default()
        };
        Ok(Self { kind, metadata, spec, status })
    }
}

impl Object {
    /// The spec as text, where there is one.
    pub fn spec(&self) -> Option<&str> {
        self.spec.as_ref().map(|Text(text)| text.as_str())
    }

    /// The status as text, where there is one.
    pub fn status(&self) -> Option<&str> {
        self.status.as_ref().map(|Text(text)| text.as_str())
    }
}

reef_watch::resource_of_any_kind!(Object);
