//! Requests to the API server as values: what is asked, before anything is sent. Pure.

use serde_json::Value;

/// What is done to the cluster, for counting and for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Creates an object.
    Create,
    /// Changes fields by a patch.
    Patch,
    /// Server-side apply.
    Apply,
    /// Deletes an object.
    Delete,
}

impl Verb {
    /// Every verb, in the order in which they are counted.
    pub const ALL: [Self; 5] = [Self::Get, Self::Create, Self::Patch, Self::Apply, Self::Delete];

    /// The word for messages and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Apply => "apply",
            Self::Delete => "delete",
        }
    }

    pub(super) const fn method(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Create => http::Method::POST,
            Self::Patch | Self::Apply => http::Method::PATCH,
            Self::Delete => http::Method::DELETE,
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Get | Self::Create | Self::Delete => "application/json",
            Self::Patch => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is done.
    pub verb: Verb,
    /// Path and query.
    pub uri: String,
    /// Body; `Null` for none.
    pub body: Value,
}

impl Request {
    /// Whether this is about resizing a Pod, which older servers do not know.
    pub(super) fn resizes(&self) -> bool {
        self.path().ends_with("/resize")
    }

    fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }
}
