//! What a request asks for, read from its method, path, query and headers. Pure: it looks nothing up.

use std::collections::BTreeMap;

use http::Method;
use http::request::Parts;

use crate::store::{ApiError, Attempt, Cause};

/// What is to be done with the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read many.
    List,
    /// Follow changes.
    Watch,
    /// Make one.
    Create,
    /// Replace one.
    Update,
    /// Change parts of one.
    Patch,
    /// Delete one.
    Delete,
    /// Delete many.
    DeleteCollection,
}

/// The resource, collection or object that a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// API group, empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural name of the resource.
    pub plural: String,
    /// Namespace, where the path names one.
    pub namespace: Option<String>,
    /// Object, where the path names one.
    pub name: Option<String>,
    /// Part of the object, where the path names one.
    pub subresource: Option<String>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A resource, collection or object.
    Resource(Target),
    /// Anything else: discovery, health, version, schemas. The path's segments.
    Other(Vec<String>),
}

/// The facts of a request that fault injection and handlers decide by.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// HTTP method.
    pub method: Method,
    /// The path as it came.
    pub path: String,
    /// Query parameters.
    pub query: BTreeMap<String, String>,
    /// What the path names.
    pub route: Route,
    /// `Accept`, empty where it is missing.
    pub accept: String,
    /// `Content-Type`, empty where it is missing.
    pub content_type: String,
    /// `User-Agent`, empty where it is missing.
    pub user_agent: String,
    /// The user for whom the request is made, where who sends it acts as another.
    pub acting_as: Option<String>,
}

impl RequestFacts {
    /// Reads a request's head.
    pub fn read(head: &Parts) -> Self {
        let header =
            |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let query = head.uri.query().unwrap_or_default();
        let mut query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if watches_by_path(head.uri.path()) {
            query.insert("watch".to_owned(), "true".to_owned());
        }
        RequestFacts {
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            query,
            route: route(head.uri.path()),
            accept: header("accept"),
            content_type: header("content-type"),
            user_agent: header("user-agent"),
            acting_as: Some(header("impersonate-user")).filter(|user| !user.is_empty()),
        }
    }

    /// The verb, for a path that names a resource.
    ///
    /// # Errors
    /// 405 for a method that means nothing there.
    pub fn verb(&self, target: &Target) -> Result<Verb, ApiError> {
        let watches = self.flag("watch");
        match (&self.method, target.name.is_some()) {
            (&Method::GET, true) if !watches => Ok(Verb::Get),
            (&Method::GET, _) if watches => Ok(Verb::Watch),
            (&Method::GET, false) => Ok(Verb::List),
            (&Method::POST, false) => Ok(Verb::Create),
            (&Method::POST, true) if target.subresource.is_some() => Ok(Verb::Create),
            (&Method::PUT, true) => Ok(Verb::Update),
            (&Method::PATCH, true) => Ok(Verb::Patch),
            (&Method::DELETE, true) => Ok(Verb::Delete),
            (&Method::DELETE, false) => Ok(Verb::DeleteCollection),
            _ => Err(method_not_allowed()),
        }
    }

    /// A query parameter; an empty one counts as absent.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A query parameter that is true or false.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.query.get(name).map(String::as_str), Some("true" | "1" | "t" | "True"))
    }

    /// A query parameter that is a number.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.param(name) else { return Ok(None) };
        let parsed = text.parse().map(Some);
        parsed.map_err(|_| ApiError::bad_request(format!("{name}: Invalid value: \"{text}\": must be a number")))
    }

    /// What the options of this request are called in refusals.
    pub fn options_kind(&self) -> &'static str {
        match self.method {
            Method::POST => "CreateOptions",
            Method::PUT => "UpdateOptions",
            Method::PATCH => "PatchOptions",
            Method::DELETE => "DeleteOptions",
            _ => "ListOptions",
        }
    }

    /// Whether the write is meant.
    ///
    /// # Errors
    /// 422 for a value other than `All`.
    pub fn attempt(&self) -> Result<Attempt, ApiError> {
        match self.param("dryRun") {
            None => Ok(Attempt::Real),
            Some("All") => Ok(Attempt::DryRun),
            Some(other) => {
                let message = format!("Unsupported value: [\"{other}\"]: supported values: \"All\"");
                let cause = Cause::new("FieldValueNotSupported", "dryRun", message);
                Err(ApiError::invalid("meta.k8s.io", self.options_kind(), "", vec![cause]))
            }
        }
    }

    /// Who writes: the named field manager, else the program's name.
    ///
    /// # Errors
    /// 422 for a stated name of more than 128 bytes.
    pub fn manager(&self) -> Result<String, ApiError> {
        let stated = self.param("fieldManager");
        if stated.is_some_and(|name| name.len() > 128) {
            let message = "Too long: may not be more than 128 bytes";
            let cause = Cause::new("FieldValueTooLong", "fieldManager", message);
            return Err(ApiError::invalid("meta.k8s.io", self.options_kind(), "", vec![cause]));
        }
        let program = || self.user_agent.split('/').next().unwrap_or_default();
        let name = stated.unwrap_or_else(program);
        Ok(if name.is_empty() { "unknown".to_owned() } else { name.chars().take(128).collect() })
    }
}

/// 405 in the server's words.
pub fn method_not_allowed() -> ApiError {
    let message = "the server does not allow this method on the requested resource";
    ApiError::new(crate::store::Reason::MethodNotAllowed, message).with_causes(Vec::new())
}

fn watches_by_path(path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    match segments.next() {
        Some("api") => segments.nth(1) == Some("watch"),
        Some("apis") => segments.nth(2) == Some("watch"),
        _ => false,
    }
}

fn route(path: &str) -> Route {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let target = match segments.as_slice() {
        ["api", version, rest @ ..] => target("", version, rest),
        ["apis", group, version, rest @ ..] => target(group, version, rest),
        _ => None,
    };
    match target {
        Some(target) => Route::Resource(target),
        None => Route::Other(segments.into_iter().map(str::to_owned).collect()),
    }
}

fn target(group: &str, version: &str, rest: &[&str]) -> Option<Target> {
    let make = |namespace: Option<&str>, plural: &str, name: Option<&str>, subresource: Option<&str>| Target {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
        subresource: subresource.map(str::to_owned),
    };
    match rest {
        // The old way to ask for a watch.
        ["watch", rest @ ..] if !rest.is_empty() => target(group, version, rest),
        ["namespaces", name, part @ ("status" | "finalize")] => Some(make(None, "namespaces", Some(name), Some(part))),
        ["namespaces", space, plural] => Some(make(Some(space), plural, None, None)),
        ["namespaces", space, plural, name] => Some(make(Some(space), plural, Some(name), None)),
        ["namespaces", space, plural, name, part] => Some(make(Some(space), plural, Some(name), Some(part))),
        [plural] => Some(make(None, plural, None, None)),
        [plural, name] => Some(make(None, plural, Some(name), None)),
        [plural, name, part] => Some(make(None, plural, Some(name), Some(part))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> (String, Option<String>, Option<String>, Option<String>) {
        match route(path) {
            Route::Resource(target) => (target.plural, target.namespace, target.name, target.subresource),
            Route::Other(segments) => panic!("{segments:?}"),
        }
    }

    #[test]
    fn paths_name_collections_objects_and_parts() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("/api/v1/pods"), ("pods".into(), None, None, None));
        assert_eq!(parts("/api/v1/namespaces/a/pods"), ("pods".into(), some("a"), None, None));
        assert_eq!(parts("/api/v1/namespaces/a/pods/p/resize"), ("pods".into(), some("a"), some("p"), some("resize")));
        assert_eq!(parts("/api/v1/namespaces/a/status"), ("namespaces".into(), None, some("a"), some("status")));
        assert_eq!(parts("/apis/reef.dev/v1alpha1/gitsources"), ("gitsources".into(), None, None, None));
    }

    #[test]
    fn other_paths_are_kept_as_segments() {
        assert_eq!(
            route("/apis/reef.dev/v1alpha1"),
            Route::Other(vec!["apis".into(), "reef.dev".into(), "v1alpha1".into()])
        );
        assert_eq!(route("/"), Route::Other(vec![]));
    }

    #[test]
    fn the_manager_is_named_or_is_the_program() {
        let read = |uri: &str| {
            let request = http::Request::get(uri).header("user-agent", "kubectl/v1.35.4 (linux)").body(()).unwrap();
            RequestFacts::read(&request.into_parts().0).manager().unwrap()
        };
        assert_eq!(read("/api/v1/pods?fieldManager=reef"), "reef");
        assert_eq!(read("/api/v1/pods"), "kubectl");
    }
}
