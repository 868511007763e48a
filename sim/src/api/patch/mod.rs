//! The four kinds of patches: read from a body, and applied to a value. Pure.

mod strategic;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::body;
use super::negotiate::{media, unsupported};
use crate::store::fields::Shape;
use crate::store::{ApiError, Cause, Reason, ResourceKind, meta};

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// A patch as it came.
#[derive(Debug, Clone)]
pub enum Patch {
    /// RFC 7386.
    Merge(Value),
    /// RFC 6902.
    Json(json_patch::Patch),
    /// Merge with lists that are merged by key.
    Strategic(Value),
    /// Server-side apply: the fields that its manager wants.
    Apply(Value),
}

impl Patch {
    /// Reads a patch of the stated type.
    ///
    /// # Errors
    /// 415 for a type that the resource does not take, 400 for a body that does not parse.
    pub fn parse(content_type: &str, bytes: &[u8], kind: &ResourceKind) -> Result<Self, ApiError> {
        match media(content_type).as_str() {
            MERGE => Ok(Patch::Merge(body::json(bytes)?)),
            JSON => serde_json::from_slice(bytes).map(Patch::Json).map_err(|error| body::undecodable(&error)),
            STRATEGIC if !kind.custom => Ok(Patch::Strategic(body::json(bytes)?)),
            APPLY => Ok(Patch::Apply(body::json_or_yaml(bytes)?)),
            _ if kind.custom => Err(unsupported(&[JSON, MERGE, APPLY])),
            // A layer before the one that knows the types answers for built-in kinds.
            _ => {
                Err(ApiError::new(Reason::UnsupportedMediaType, "415: Unsupported Media Type").with_causes(Vec::new()))
            }
        }
    }

    /// Whether it may say something of who owns what: a JSON patch can move or test anything.
    pub fn knows_owners(&self) -> bool {
        match self {
            Patch::Json(_) => true,
            Patch::Merge(patch) | Patch::Strategic(patch) | Patch::Apply(patch) => meta::has(patch, "managedFields"),
        }
    }

    /// The patched value; server-side apply is merged elsewhere, since it needs to know who owns what.
    ///
    /// # Errors
    /// 422 for a JSON patch that does not fit, 400 for a strategic patch with unknown directives.
    pub fn apply(&self, before: Value, shape: &Shape) -> Result<Value, ApiError> {
        let mut after = before;
        match self {
            Patch::Merge(patch) | Patch::Apply(patch) => json_patch::merge(&mut after, patch),
            Patch::Json(patch) => json_patch::patch(&mut after, patch).map_err(|error| misfit(&error))?,
            Patch::Strategic(patch) => strategic::merge(&mut after, patch, shape)?,
        }
        Ok(after)
    }
}

fn misfit(error: &json_patch::PatchError) -> ApiError {
    let message = "the server rejected our request due to an error in our request";
    let cause = Cause::new("UnexpectedServerResponse", "", error.to_string());
    ApiError::new(Reason::Invalid, message).with_causes(vec![cause])
}
