//! What a server answered, in a form that two servers can be compared in.

use anyhow::{Context, Result, bail};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

/// Metadata that differs from run to run, and what stands in its place.
const VOLATILE: [(&str, &str); 3] = [("uid", "UID"), ("resourceVersion", "VERSION"), ("creationTimestamp", "TIME")];

/// An answer. The namespace of the case reads `NS` in it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status code.
    pub code: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; `Null` where it is none.
    pub body: Value,
}

impl Answer {
    /// An answer from its parts.
    pub fn new(code: StatusCode, headers: HeaderMap, text: String) -> Self {
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { code: code.as_u16(), headers, text, body }
    }

    /// The body, where the code is this one.
    ///
    /// # Errors
    /// With the whole answer where it is another.
    pub fn expect(&self, code: u16) -> Result<&Value> {
        if self.code != code {
            bail!("expected {code}, the server answered {}: {}", self.code, self.text);
        }
        Ok(&self.body)
    }

    /// A value of the body, `Null` where it is missing.
    pub fn at(&self, pointer: &str) -> Value {
        at(&self.body, pointer)
    }

    /// A text of the body, empty where it is missing.
    pub fn text_at(&self, pointer: &str) -> String {
        text_at(&self.body, pointer)
    }

    /// A number of the body.
    ///
    /// # Errors
    /// Where there is none.
    pub fn number_at(&self, pointer: &str) -> Result<i64> {
        let found = self.at(pointer);
        let number = found.as_i64().or_else(|| found.as_str().and_then(|text| text.parse().ok()));
        number.with_context(|| format!("{pointer} is no number in {}", self.text))
    }

    /// A header, empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Every `Warning` header, in order.
    pub fn warnings(&self) -> Vec<String> {
        let texts = self.headers.get_all("warning").iter().filter_map(|value| value.to_str().ok());
        texts.map(str::to_owned).collect()
    }

    /// The object, without what differs from run to run and without who owns what.
    ///
    /// # Errors
    /// Where the answer is a refusal.
    pub fn object(&self) -> Result<Value> {
        if self.code >= 300 {
            bail!("expected an object, the server answered {}: {}", self.code, self.text);
        }
        Ok(tidy(&self.body))
    }

    /// A refusal: code, reason, message and details of a well-formed `Status`. Causes come in no order, and one that is
    /// told twice, as faults of metadata are, counts once.
    ///
    /// # Errors
    /// Where the answer is none, or its body contradicts its code.
    pub fn refusal(&self) -> Result<Value> {
        let frame = json!([at(&self.body, "/kind"), at(&self.body, "/apiVersion"), at(&self.body, "/status")]);
        if frame != json!(["Status", "v1", "Failure"]) || self.at("/code") != json!(self.code) {
            bail!("expected a refusal, the server answered {}: {}", self.code, self.text);
        }
        let mut out = Map::new();
        for field in ["code", "reason", "message", "details"] {
            if let Some(value) = self.body.get(field) {
                out.insert(field.to_owned(), value.clone());
            }
        }
        let mut refusal = Value::Object(out);
        if let Some(causes) = refusal.pointer_mut("/details/causes").and_then(Value::as_array_mut) {
            causes.sort_by_key(|cause| (text_at(cause, "/field"), text_at(cause, "/message")));
            causes.dedup();
        }
        Ok(refusal)
    }
}

/// A value, `Null` where it is missing.
pub fn at(value: &Value, pointer: &str) -> Value {
    value.pointer(pointer).cloned().unwrap_or_default()
}

/// A text, empty where it is missing.
pub fn text_at(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An object without what differs from run to run and without who owns what.
pub fn tidy(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        for (field, stand_in) in VOLATILE {
            if metadata.get(field).is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty())) {
                metadata.insert(field.to_owned(), json!(stand_in));
            }
        }
    }
    object
}

/// Who owns what: manager, operation, subresource and fields of each entry, without times.
pub fn owners(object: &Value) -> Vec<Value> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut owners: Vec<Value> = entries.into_iter().flatten().map(owner).collect();
    // Entries of one instant are ordered by name, those of different ones by time: the order says nothing here.
    owners.sort_by_key(ToString::to_string);
    owners
}

fn owner(entry: &Value) -> Value {
    let text = |field: &str| entry.get(field).cloned().unwrap_or_default();
    json!([text("manager"), text("operation"), text("subresource"), text("fieldsV1")])
}

/// Refuses an object whose owners are others than these.
///
/// # Errors
/// Where they are.
pub fn same_owners(object: &Value, expected: &Value) -> Result<()> {
    let mut expected = expected.as_array().cloned().unwrap_or_default();
    expected.sort_by_key(ToString::to_string);
    same("owners", &json!(owners(object)), &json!(expected))
}

/// Refuses two values that differ, showing both.
///
/// # Errors
/// Where they differ.
pub fn same(what: &str, found: &Value, expected: &Value) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    bail!("{what}\n  found    {found}\n  expected {expected}")
}
