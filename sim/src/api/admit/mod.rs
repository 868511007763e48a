//! What each kind demands of an object before it is stored: parts that a request cannot touch, defaults, rules. Pure.

mod custom;
mod definition;
mod pod;
mod resize;
mod resources;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::store::{ApiError, ResourceKind};

/// What to do about fields that the schema does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Drop them and say so.
    Warn,
    /// Refuse the request.
    Strict,
}

impl FieldValidation {
    /// Reads the parameter `fieldValidation`.
    ///
    /// # Errors
    /// 400 for an unknown value.
    pub fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        match text {
            None | Some("Warn") => Ok(FieldValidation::Warn),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some(other) => Err(ApiError::bad_request(format!("fieldValidation: Unsupported value: \"{other}\""))),
        }
    }
}

/// How larger wishes than a node has are answered on `pods/resize`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InfeasibleMode {
    /// The kubelet says so in a condition: up to 1.35.
    #[default]
    ByKubelet,
    /// The API server refuses: from 1.36 on.
    AtAdmission,
}

/// One write, as admission sees it.
pub struct Write<'a> {
    /// The resource.
    pub kind: &'a ResourceKind,
    /// The part that the request names.
    pub subresource: Option<&'a str>,
    /// The object as it is stored; absent at creation.
    pub before: Option<&'a Value>,
    /// What to do about unknown fields.
    pub validation: FieldValidation,
    /// What the Pod's node can give to Pods, where admission is to refuse more: its `status.allocatable`.
    pub allocatable: Option<&'a Value>,
    /// The cluster's time.
    pub now: jiff::Timestamp,
}

/// Brings a new state into the form in which it is stored, or refuses it. Returns warnings for the person who asked.
///
/// # Errors
/// 422 naming each field that breaks a rule; 400 for unknown fields under strict validation; 403 for a resize that
/// the node cannot hold.
pub fn admit(write: &Write<'_>, after: &mut Value) -> Result<Vec<String>, ApiError> {
    if write.subresource == Some("resize") {
        resize::admit(write, after)?;
        return Ok(Vec::new());
    }
    separate_parts(write, after);
    match (write.kind.custom, write.kind.plural.as_str()) {
        (true, _) => custom::admit(write, after),
        (false, "pods") => pod::admit(write, after).map(|()| Vec::new()),
        (false, "customresourcedefinitions") => definition::admit(write, after).map(|()| Vec::new()),
        (false, _) => Ok(Vec::new()),
    }
}

/// A write to `status` changes the status alone; a write to the object never does, where the kind has them apart.
fn separate_parts(write: &Write<'_>, after: &mut Value) {
    if !write.kind.has_subresource("status") {
        return;
    }
    match (write.subresource, write.before) {
        (Some("status"), Some(before)) => {
            let status = after.get("status").cloned();
            let metadata = after.get("metadata").and_then(|metadata| metadata.get("managedFields")).cloned();
            *after = before.clone();
            replace(after, "status", status);
            if let Some(fields) = metadata {
                crate::store::meta::set(after, "managedFields", fields);
            }
        }
        (_, Some(before)) => replace(after, "status", before.get("status").cloned()),
        // A new Node brings its status along, as kubelets that register do.
        (_, None) if write.kind.plural != "nodes" => replace(after, "status", None),
        (_, None) => {}
    }
}

fn replace(object: &mut Value, field: &str, value: Option<Value>) {
    if let Some(map) = object.as_object_mut() {
        match value {
            Some(value) => map.insert(field.to_owned(), value),
            None => map.remove(field),
        };
    }
}
