//! Custom resources: their definition's schema prunes, fills in and judges. Pure.

use serde_json::{Value, json};

use super::{FieldValidation, Source, Write, judge};
use crate::api::schema::{self, Path, Schema};
use crate::store::{ApiError, Cause, meta};

pub(super) fn admit(write: &Write<'_>, after: &mut Value) -> Result<Vec<String>, ApiError> {
    let Some(schema) = write.kind.schema.as_deref() else { return Ok(Vec::new()) };
    let whole = (write.before.is_some() && write.validation == FieldValidation::Strict).then(|| after.clone());
    let unknown = schema::prune(schema, after);
    let said: Vec<String> = unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
    if let Some(whole) = whole.filter(|_| !said.is_empty()) {
        return Err(strict_patch(&whole, &said.join(", ")));
    }
    let mut warnings = Vec::new();
    if write.source == Source::Body {
        warnings = judge(write.kind, write.validation, said)?;
        schema::drop_nulls(schema, after);
    }
    schema::fill_defaults(schema, after);
    let faults = match write.subresource {
        Some("status") => status_faults(schema, after),
        Some(_) | None => without_metadata(after, |object| schema::validate(schema, object, Path::Root(""))),
    };
    if faults.is_empty() {
        return Ok(warnings);
    }
    Err(ApiError::invalid(&write.kind.group, &write.kind.kind, meta::name(after), faults))
}

/// Of a change, the whole result is called invalid, and of no kind.
fn strict_patch(object: &Value, said: &str) -> ApiError {
    let shown = Value::from(object.to_string());
    let message = format!("Invalid value: {shown}: strict decoding error: {said}");
    ApiError::invalid("", "", "", vec![Cause::new("FieldValueInvalid", "patch", message)])
}

/// A status is judged by its own part of the schema, whose sentences begin there.
fn status_faults(schema: &Schema, object: &Value) -> Vec<Cause> {
    let part = schema.properties.get("status").zip(object.get("status"));
    let faults = part.map(|(schema, status)| schema::validate(schema, status, Path::Root(""))).unwrap_or_default();
    let place = |cause: Cause| Cause { field: format!("status.{}", cause.field), ..cause };
    faults.into_iter().map(place).collect()
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
