//! What each kind demands of an object before it is stored: parts that a request cannot touch, defaults, rules. Pure.

mod custom;
mod definition;
mod metadata;
mod pod;
mod resize;
mod resources;
mod small;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::store::{ApiError, Cause, ResourceKind};

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
    /// Reads the parameter `fieldValidation` of options of this kind.
    ///
    /// # Errors
    /// 422 for an unknown value.
    pub fn parse(text: Option<&str>, options: &str) -> Result<Self, ApiError> {
        match text {
            None | Some("Warn") => Ok(FieldValidation::Warn),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some(other) => {
                let message =
                    format!("Unsupported value: \"{other}\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"");
                let cause = Cause::new("FieldValueNotSupported", "fieldValidation", message);
                Err(ApiError::invalid("meta.k8s.io", options, "", vec![cause]))
            }
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

/// How a new state came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It was decoded from a body: nulls that may not be count as absent.
    Body,
    /// It was merged by server-side apply: nulls are judged.
    Apply,
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
    /// How the new state came about.
    pub source: Source,
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
    let apart = write.kind.custom && write.subresource == Some("status");
    if !apart {
        metadata::tidy(after);
        let faults = metadata::faults(write, after);
        if !faults.is_empty() {
            return Err(ApiError::invalid(
                &write.kind.group,
                &write.kind.kind,
                crate::store::meta::name(after),
                faults,
            ));
        }
    }
    if write.subresource == Some("resize") {
        resize::admit(write, after)?;
        return Ok(Vec::new());
    }
    separate_parts(write, after);
    match (write.kind.custom, write.kind.plural.as_str()) {
        (true, _) => custom::admit(write, after),
        (false, "pods") => pod::admit(write, after).map(|()| Vec::new()),
        (false, "customresourcedefinitions") => definition::admit(write, after).map(|()| Vec::new()),
        (false, "events") => small::event(after).map(|()| Vec::new()),
        (false, "leases") => small::lease(write, after).map(|()| Vec::new()),
        (false, "configmaps" | "secrets") => frozen(write, after).map(|()| Vec::new()),
        (false, _) => Ok(Vec::new()),
    }
}

fn frozen(write: &Write<'_>, after: &mut Value) -> Result<(), ApiError> {
    let faults = metadata::frozen_faults(write.before, after);
    if faults.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid("", &write.kind.kind, crate::store::meta::name(after), faults))
}

/// What admission adds to a new object after it was settled who owns what.
pub fn complete(kind: &ResourceKind, object: &mut Value) {
    if !kind.custom && kind.plural == "pods" {
        pod::complete(object);
    }
}

/// What is to be said of fields that a body states twice.
///
/// # Errors
/// 400 under strict validation.
pub fn judge_duplicates(
    kind: &ResourceKind,
    validation: FieldValidation,
    paths: &[String],
) -> Result<Vec<String>, ApiError> {
    judge(kind, validation, paths.iter().map(|path| format!("duplicate field \"{path}\"")).collect())
}

/// Warnings, or a refusal, as the request asks.
fn judge(kind: &ResourceKind, validation: FieldValidation, said: Vec<String>) -> Result<Vec<String>, ApiError> {
    match validation {
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => Ok(said),
        FieldValidation::Strict if said.is_empty() => Ok(said),
        FieldValidation::Strict => {
            let (name, version, list) = (&kind.kind, &kind.version, said.join(", "));
            let message =
                format!("{name} in version \"{version}\" cannot be handled as a {name}: strict decoding error: {list}");
            Err(ApiError::bad_request(message))
        }
    }
}

/// A write to `status` changes the status alone; a write to the object never does, where the kind has them apart.
fn separate_parts(write: &Write<'_>, after: &mut Value) {
    if !write.kind.has_subresource("status") {
        return;
    }
    match (write.subresource, write.before) {
        (Some("status"), Some(before)) => {
            let fields = take_owners(after);
            crate::store::meta::keep_all_but_status(before, after);
            if let Some(fields) = fields {
                crate::store::meta::set(after, "managedFields", fields);
            }
        }
        (_, Some(before)) if before.get("status") == after.get("status") => {}
        (_, Some(before)) => replace(after, "status", before.get("status").cloned()),
        // A new Node brings its status along, as kubelets that register do.
        (_, None) if write.kind.plural != "nodes" => replace(after, "status", None),
        (_, None) => {}
    }
}

/// What a body states of its owners, taken out of it.
fn take_owners(object: &mut Value) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.remove("managedFields")
}

fn replace(object: &mut Value, field: &str, value: Option<Value>) {
    if let Some(map) = object.as_object_mut() {
        match value {
            Some(value) => map.insert(field.to_owned(), value),
            None => map.remove(field),
        };
    }
}
