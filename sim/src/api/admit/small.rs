//! Kinds of which little is demanded: events and leases. Pure.

use serde_json::{Value, json};

use super::Write;
use crate::store::{ApiError, At, Cause, meta};

/// An event is about an object of its own namespace.
pub(super) fn event(after: &mut Value) -> Result<(), ApiError> {
    if let Some(map) = after.as_object_mut() {
        map.entry("eventTime").or_insert(Value::Null);
        map.entry("reportingComponent").or_insert_with(|| json!(""));
        map.entry("reportingInstance").or_insert_with(|| json!(""));
    }
    let own = meta::text(after, "namespace").unwrap_or_default();
    let about = after.at("/involvedObject/namespace").and_then(Value::as_str).unwrap_or_default();
    // What has no namespace is told of in the first one.
    if about == own || (about.is_empty() && own == "default") {
        return Ok(());
    }
    let message = format!("Invalid value: \"{about}\": does not match event.namespace");
    let cause = Cause::new("FieldValueInvalid", "involvedObject.namespace", message);
    Err(ApiError::invalid("", "Event", meta::name(after), vec![cause]))
}

/// A lease has a spec, and a length above zero where it has one.
pub(super) fn lease(write: &Write<'_>, after: &mut Value) -> Result<(), ApiError> {
    if let Some(map) = after.as_object_mut() {
        map.entry("spec").or_insert_with(|| json!({}));
    }
    let seconds = after.at("/spec/leaseDurationSeconds").and_then(Value::as_i64);
    match seconds.filter(|seconds| *seconds <= 0) {
        None => Ok(()),
        Some(found) => {
            let message = format!("Invalid value: {found}: must be greater than 0");
            let cause = Cause::new("FieldValueInvalid", "spec.leaseDurationSeconds", message);
            Err(ApiError::invalid(&write.kind.group, &write.kind.kind, meta::name(after), vec![cause]))
        }
    }
}
