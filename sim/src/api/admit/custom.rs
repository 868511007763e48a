//! Custom resources: their definition's schema prunes, fills in and judges. Pure.

use serde_json::{Value, json};

use super::{FieldValidation, Write};
use crate::api::schema;
use crate::store::{ApiError, meta};

pub(super) fn admit(write: &Write<'_>, after: &mut Value) -> Result<Vec<String>, ApiError> {
    let Some(schema) = write.kind.definition.as_deref().and_then(schema::of_version) else { return Ok(Vec::new()) };
    let unknown = schema::prune(schema, after);
    let warnings = judge_unknown(write, &unknown)?;
    schema::fill_defaults(schema, after);
    let faults = without_metadata(after, |object| schema::validate(schema, object, ""));
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

/// Metadata has rules of its own, whatever a schema says about it: it looks empty meanwhile.
fn without_metadata<T>(object: &mut Value, judge: impl FnOnce(&Value) -> T) -> T {
    let metadata = object.get_mut("metadata").map(|metadata| std::mem::replace(metadata, json!({})));
    let judged = judge(object);
    if let (Some(whole), Some(empty)) = (metadata, object.get_mut("metadata")) {
        *empty = whole;
    }
    judged
}
