//! Structural schemas of custom resources: pruning, defaulting, validation. Pure functions on the schema as its
//! definition has it; rules in CEL are not evaluated.

mod prune;
#[cfg(test)]
mod tests;
mod validate;

use serde_json::Value;

pub use prune::{drop_nulls, fill_defaults, prune, undeclared};
pub use validate::validate;

/// The schema of a version of a definition.
pub fn of_version(version: &Value) -> Option<&Value> {
    version.pointer("/schema/openAPIV3Schema")
}

fn flag(schema: &Value, field: &str) -> bool {
    schema.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn text<'a>(schema: &'a Value, field: &str) -> &'a str {
    schema.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The schema of a field: a named property, else what holds for every further one.
fn property<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let named = schema.get("properties").and_then(|properties| properties.get(name));
    named.or_else(|| schema.get("additionalProperties"))
}
