//! A JSON value that is kept for long and looked at rarely, held as its text: a tree of maps takes twenty times as much memory.
//!
//! Where the text is made of a value, equal values have equal texts.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

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

    /// The value in a shape of its own; none when it has another one.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.0).ok()
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
    fn values_come_back_and_equal_ones_are_equal_whatever_their_order_was() {
        let value = json!({"spec": {"b": [1, 2.5, null, "ä\u{1}"], "a": {"n": 18_446_744_073_709_551_615_u64}}});
        assert_eq!(Packed::from(&value).value(), value);
        let texts = ["{\"b\": 1, \"a\": 2}", "{\"a\": 2, \"b\": 1}"];
        let [one, other] = texts.map(|text| Packed::from(&serde_json::from_str::<Value>(text).unwrap()));
        assert_eq!(one, other);
        assert_ne!(one, Packed::from(&json!({"a": 2, "b": 2})));
    }
}
