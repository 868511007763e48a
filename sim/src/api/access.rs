//! What somebody may do, as the server is asked about it: everything. Nobody has fewer rights here than others, and whoever says so is taken for another.

use http::StatusCode;
use serde_json::{Value, json};

use super::request::Target;
use super::respond::Answer;
use crate::store::ApiError;

/// Whether a path asks what who sends it may do.
pub fn is_review(target: &Target) -> bool {
    target.group == "authorization.k8s.io" && target.version == "v1" && target.plural == "selfsubjectaccessreviews"
}

/// Answers a review.
///
/// # Errors
/// 400 for a body that is none.
pub fn answer(body: &[u8]) -> Result<Answer, ApiError> {
    let mut review: Value =
        serde_json::from_slice(body).map_err(|error| ApiError::bad_request(format!("no JSON: {error}")))?;
    let Some(fields) = review.as_object_mut() else { return Err(ApiError::bad_request("the body is no review")) };
    fields.insert("status".to_owned(), json!({ "allowed": true }));
    Ok(Answer::json(StatusCode::CREATED, &review))
}
