//! In which form a client wants its answer, and in which it sends its body. Pure.

use crate::store::{ApiError, Reason};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The objects as they are.
    Object,
    /// Rows and columns for people.
    Table,
    /// Only types and metadata.
    Metadata,
    /// Discovery of all groups in one document, version `v2`.
    AggregatedDiscovery,
}

/// The media type of aggregated discovery.
pub const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Picks the first form of `Accept` that can be made out of `offered`; plain objects are always offered.
///
/// # Errors
/// 406 where the client takes none.
pub fn form(accept: &str, offered: &[Form]) -> Result<Form, ApiError> {
    if accept.trim().is_empty() {
        return Ok(Form::Object);
    }
    let wanted = accept.split(',').filter_map(one);
    let found = wanted.into_iter().find(|form| *form == Form::Object || offered.contains(form));
    found.ok_or_else(|| {
        let message = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
        ApiError::new(Reason::NotAcceptable, message)
    })
}

fn one(entry: &str) -> Option<Form> {
    let mut parts = entry.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    if !matches!(media, "application/json" | "application/*" | "*/*") {
        return None;
    }
    let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let value = |name: &str| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    match (value("as"), value("g"), value("v")) {
        (None, _, _) => Some(Form::Object),
        (Some("Table"), Some("meta.k8s.io"), Some("v1")) => Some(Form::Table),
        (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("meta.k8s.io"), Some("v1")) => {
            Some(Form::Metadata)
        }
        (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2")) => Some(Form::AggregatedDiscovery),
        _ => None,
    }
}

/// The body's media type without parameters, in lower case.
pub fn media(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// 415 in the server's words.
pub fn unsupported(accepted: &[&str]) -> ApiError {
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {}",
        accepted.join(", ")
    );
    ApiError::new(Reason::UnsupportedMediaType, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Form] = &[Form::Table, Form::Metadata];

    #[test]
    fn the_first_form_that_can_be_made_is_taken() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(form(kubectl, ALL), Ok(Form::Table));
        assert_eq!(form(kubectl, &[]), Ok(Form::Object));
        assert_eq!(form("", ALL), Ok(Form::Object));
        assert_eq!(form("*/*", ALL), Ok(Form::Object));
        assert_eq!(form("application/vnd.kubernetes.protobuf, application/json", ALL), Ok(Form::Object));
        assert_eq!(form(AGGREGATED, &[Form::AggregatedDiscovery]), Ok(Form::AggregatedDiscovery));
    }

    #[test]
    fn nothing_acceptable_is_a_406() {
        let refused = form("application/vnd.kubernetes.protobuf", ALL).unwrap_err();
        assert_eq!(refused.code(), 406);
    }
}
