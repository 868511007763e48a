//! Custom resources: their definition's schema prunes, fills in and judges. Pure.

use serde_json::Value;

use super::{FieldValidation, Write};
use crate::api::schema;
use crate::store::{ApiError, meta};

pub(super) fn admit(write: &Write<'_>, after: &mut Value) -> Result<Vec<String>, ApiError> {
    let Some(schema) = write.kind.definition.as_deref().and_then(schema::of_version) else { return Ok(Vec::new()) };
    let unknown = schema::prune(schema, after);
    let warnings = judge_unknown(write, &unknown)?;
    schema::fill_defaults(schema, after);
    let faults = schema::validate(schema, &without_metadata(after), "");
    if faults.is_empty() {
        return Ok(warnings);
    }
    Err(ApiError::invalid(&write.kind.group, &write.kind.kind, meta::name(after), faults))
}

fn judge_unknown(write: &Write<'_>, unknown: &[String]) -> Result<Vec<String>, ApiError> {
    let said: Vec<String> = unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
    match write.validation {
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => Ok(said),
        FieldValidation::Strict if said.is_empty() => Ok(said),
        FieldValidation::Strict => {
            let kind = &write.kind.kind;
            let list = said.join(", ");
            let version = &write.kind.version;
            let message =
                format!("{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {list}");
            Err(ApiError::bad_request(message))
        }
    }
}

/// Metadata has rules of its own, whatever a schema says about it.
fn without_metadata(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.insert("metadata".to_owned(), Value::Object(serde_json::Map::new()));
    }
    object
}
