//! Request bodies as values. Pure.

use serde_json::Value;

use super::duplicates;
use super::negotiate::{media, unsupported};
use super::protobuf;
use crate::store::{ApiError, Reason};

/// The largest body that is read, as in the real server.
pub const LARGEST: usize = 3 * 1024 * 1024;

/// 413 in the server's words.
pub fn too_large() -> ApiError {
    ApiError::new(Reason::RequestEntityTooLarge, format!("Request entity too large: limit is {LARGEST}"))
}

/// An object with the fields that were stated twice, of which the last counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// The object.
    pub object: Value,
    /// The paths of fields that were stated twice.
    pub duplicates: Vec<String>,
}

/// An object in the stated type: JSON, YAML, or what is understood of protobuf.
///
/// # Errors
/// 415 for another type, 400 for a body that does not parse.
pub fn object(content_type: &str, bytes: &[u8]) -> Result<Body, ApiError> {
    let plain = |object: Value| Body { object, duplicates: Vec::new() };
    match media(content_type).as_str() {
        "" | "application/json" => Ok(Body { object: json(bytes)?, duplicates: duplicates::of(bytes) }),
        "application/yaml" => json_or_yaml(bytes).map(plain),
        "application/vnd.kubernetes.protobuf" => match protobuf::decode(bytes)? {
            Some(object) => Ok(plain(object)),
            None => Err(ApiError::bad_request("error decoding the request body: no protobuf of Kubernetes")),
        },
        _ => Err(unsupported(&["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"])),
    }
}

/// A JSON document.
///
/// # Errors
/// 400 where it does not parse.
pub fn json(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| undecodable(&error))
}

/// A JSON or YAML document.
///
/// # Errors
/// 400 where it does not parse.
pub fn json_or_yaml(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).or_else(|_| serde_yaml::from_slice(bytes).map_err(|error| undecodable(&error)))
}

/// A body that may be missing.
///
/// # Errors
/// 400 where it is there and does not parse.
pub fn optional(bytes: &[u8]) -> Result<Value, ApiError> {
    match protobuf::decode(bytes)? {
        Some(object) => Ok(object),
        None if bytes.is_empty() => Ok(Value::Null),
        None => json_or_yaml(bytes),
    }
}

/// 400 for a body that does not parse.
pub fn undecodable(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("error decoding the request body: {error}"))
}
