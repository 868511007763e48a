//! A JSON value that is kept for long and looked at rarely, held as its text: a tree of maps takes twenty times as much memory.
//!
//! Where the text is made of a value, equal values have equal texts.

use std::fmt;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON value as text. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Packed(Arc<str>);

impl Packed {
    /// The value that a JSON text states.
    pub fn from_text(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The value without one of its fields, of which no tree is made.
    pub fn value_without(&self, field: &str) -> Value {
        let mut text = serde_json::Deserializer::from_str(&self.0);
        text.deserialize_map(Without(field)).unwrap_or_default()
    }

    /// The value in a shape of its own; none when it has another one.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.0).ok()
    }
}

struct Without<'a>(&'a str);

impl<'de> Visitor<'de> for Without<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == self.0 {
                map.next_value::<IgnoredAny>()?;
            } else {
                out.insert(name, map.next_value()?);
            }
        }
        Ok(Value::Object(out))
    }
}

impl From<&Value> for Packed {
    fn from(value: &Value) -> Self {
        Self(Arc::from(value.to_string()))
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_left_out_at_the_outermost_level_alone() {
        let value = json!({"spec": {"status": 1}, "status": {"a": [{"b": "c"}]}, "z": null});
        let left = json!({"spec": {"status": 1}, "z": null});
        assert_eq!(Packed::from(&value).value_without("status"), left);
        assert_eq!(Packed::from(&left).value_without("status"), left);
    }

    #[test]
    fn values_come_back_and_equal_ones_are_equal_whatever_their_order_was() {
        let value = json!({"spec": {"b": [1, 2.5, null, "ä\u{1}"], "a": {"n": 18_446_744_073_709_551_615_u64}}});
        assert_eq!(Packed::from(&value).value(), value);
        let texts = ["{\"b\": 1, \"a\": 2}", "{\"a\": 2, \"b\": 1}"];
        let [one, other] = texts.map(|text| Packed::from(&serde_json::from_str::<Value>(text).unwrap()));
        assert_eq!(one, other);
        assert_ne!(one, Packed::from(&json!({"a": 2, "b": 2})));
    }
}
