//! What the API server answers when it refuses: `metav1.Status` as a value. It knows nothing of HTTP transport.

use serde_json::{Value, json};

use super::kind::ResourceId;

/// The machine-readable reason of a refusal, as `metav1.StatusReason` spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// 400: the request could not be understood.
    BadRequest,
    /// 403: understood, and refused.
    Forbidden,
    /// 404: no such object or resource.
    NotFound,
    /// 404 as a plain text: nothing at all is served there.
    NoPage,
    /// 405: the resource does not know this verb.
    MethodNotAllowed,
    /// 406: none of the accepted media types can be made.
    NotAcceptable,
    /// 409: the name is taken.
    AlreadyExists,
    /// 409: the object changed meanwhile, a precondition failed, or another manager owns the field.
    Conflict,
    /// 410: the resource version is older than the history.
    Expired,
    /// 413: the body is larger than is read.
    RequestEntityTooLarge,
    /// 415: the body's media type is not understood.
    UnsupportedMediaType,
    /// 422: the object breaks its schema or a rule.
    Invalid,
    /// 429: come back later.
    TooManyRequests,
    /// 500: the server's own fault.
    InternalError,
    /// 500 without a reason: an error of a layer that has no words for clients.
    Unnamed,
    /// 503: not now.
    ServiceUnavailable,
    /// 504: it took too long; the outcome is unknown.
    Timeout,
}

impl Reason {
    /// The HTTP status code that goes with the reason.
    pub fn code(self) -> u16 {
        match self {
            Reason::BadRequest => 400,
            Reason::Forbidden => 403,
            Reason::NotFound | Reason::NoPage => 404,
            Reason::MethodNotAllowed => 405,
            Reason::NotAcceptable => 406,
            Reason::AlreadyExists | Reason::Conflict => 409,
            Reason::Expired => 410,
            Reason::RequestEntityTooLarge => 413,
            Reason::UnsupportedMediaType => 415,
            Reason::Invalid => 422,
            Reason::TooManyRequests => 429,
            Reason::InternalError | Reason::Unnamed => 500,
            Reason::ServiceUnavailable => 503,
            Reason::Timeout => 504,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Reason::BadRequest => "BadRequest",
            Reason::Forbidden => "Forbidden",
            Reason::NotFound => "NotFound",
            Reason::MethodNotAllowed => "MethodNotAllowed",
            Reason::NotAcceptable => "NotAcceptable",
            Reason::AlreadyExists => "AlreadyExists",
            Reason::Conflict => "Conflict",
            Reason::Expired => "Expired",
            Reason::RequestEntityTooLarge => "RequestEntityTooLarge",
            Reason::UnsupportedMediaType => "UnsupportedMediaType",
            Reason::Invalid => "Invalid",
            Reason::TooManyRequests => "TooManyRequests",
            Reason::InternalError => "InternalError",
            Reason::NoPage | Reason::Unnamed => "",
            Reason::ServiceUnavailable => "ServiceUnavailable",
            Reason::Timeout => "Timeout",
        }
    }

    /// The reason that a bare HTTP status code stands for, as fault injection names it.
    pub fn from_code(code: u16) -> Reason {
        match code {
            400 => Reason::BadRequest,
            403 => Reason::Forbidden,
            404 => Reason::NotFound,
            405 => Reason::MethodNotAllowed,
            406 => Reason::NotAcceptable,
            409 => Reason::Conflict,
            410 => Reason::Expired,
            413 => Reason::RequestEntityTooLarge,
            415 => Reason::UnsupportedMediaType,
            422 => Reason::Invalid,
            429 => Reason::TooManyRequests,
            503 => Reason::ServiceUnavailable,
            504 => Reason::Timeout,
            _ => Reason::InternalError,
        }
    }
}

/// One cause among `details.causes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldManagerConflict`, `NodeCapacity`, ...
    pub reason: String,
    /// A sentence for people; empty where the refusal's own says it all.
    pub message: String,
    /// The field's path; empty where the cause has none.
    pub field: String,
}

impl Cause {
    /// A cause with its reason, the field it concerns, and a sentence.
    pub fn new(reason: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Cause { reason: reason.to_owned(), message: message.into(), field: field.into() }
    }

    fn to_value(&self) -> Value {
        let mut out = json!({ "reason": self.reason });
        if let (Some(map), false) = (out.as_object_mut(), self.message.is_empty()) {
            map.insert("message".to_owned(), json!(self.message));
        }
        if let (Some(map), false) = (out.as_object_mut(), self.field.is_empty()) {
            map.insert("field".to_owned(), json!(self.field));
        }
        out
    }
}

/// Which object a refusal is about: `metav1.StatusDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Name of the object, where there is one.
    pub name: String,
    /// API group.
    pub group: String,
    /// The plural resource, or the kind for 422: as the real server does.
    pub kind: String,
    /// UID, for failed preconditions.
    pub uid: String,
    /// Every single thing that was wrong.
    pub causes: Vec<Cause>,
    /// Seconds after which to try again.
    pub retry_after_seconds: u64,
}

impl Details {
    fn to_value(&self) -> Value {
        let mut map = serde_json::Map::new();
        for (key, text) in [("name", &self.name), ("group", &self.group), ("kind", &self.kind), ("uid", &self.uid)] {
            if !text.is_empty() {
                map.insert(key.to_owned(), json!(text));
            }
        }
        if !self.causes.is_empty() {
            map.insert("causes".to_owned(), self.causes.iter().map(Cause::to_value).collect());
        }
        if self.retry_after_seconds > 0 {
            map.insert("retryAfterSeconds".to_owned(), json!(self.retry_after_seconds));
        }
        Value::Object(map)
    }
}

/// A refusal by the API server; its wire form is `metav1.Status`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Machine-readable reason; fixes the HTTP status code.
    pub reason: Reason,
    /// The whole sentence.
    pub message: String,
    /// What it is about; absent where the server says nothing.
    pub details: Option<Box<Details>>,
    /// The token by which a list that is too old can be gone on with all the same.
    pub proceed: Option<String>,
}

impl ApiError {
    /// A refusal without details.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        ApiError { reason, message: message.into(), details: None, proceed: None }
    }

    /// 400 with a sentence.
    pub fn bad_request(message: impl Into<String>) -> Self {
        ApiError::new(Reason::BadRequest, message)
    }

    /// The HTTP status code.
    pub fn code(&self) -> u16 {
        self.reason.code()
    }

    /// 404 for an object of a known resource.
    pub fn not_found(resource: &ResourceId, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        ApiError::new(Reason::NotFound, message).about(resource, name)
    }

    /// 404 for a path that nothing is served at.
    pub fn no_such_resource() -> Self {
        let mut error = ApiError::new(Reason::NotFound, "the server could not find the requested resource");
        error.details = Some(Box::default());
        error
    }

    /// 404 for a path at which nothing at all is served, not even a group.
    pub fn no_such_page() -> Self {
        ApiError::new(Reason::NoPage, "404 page not found")
    }

    /// 409 for a name that is taken, by an object that stays or by one that is being deleted.
    pub fn already_exists(resource: &ResourceId, name: &str, terminating: bool) -> Self {
        let prefix = if terminating { "object is being deleted: " } else { "" };
        let message = format!("{prefix}{} \"{name}\" already exists", resource.qualified());
        ApiError::new(Reason::AlreadyExists, message).about(resource, name)
    }

    /// 409 because the object changed since it was read.
    pub fn modified(resource: &ResourceId, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        ApiError::conflict(resource, name, why)
    }

    /// 409 with the server's own frame around the cause.
    pub fn conflict(resource: &ResourceId, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        ApiError::new(Reason::Conflict, message).about(resource, name)
    }

    /// 410: the history does not reach back that far.
    pub fn expired(asked: u64, oldest: u64) -> Self {
        ApiError::new(Reason::Expired, format!("too old resource version: {asked} ({oldest})"))
    }

    /// 403 with the server's own frame around the cause.
    pub fn forbidden(resource: &ResourceId, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", resource.qualified());
        ApiError::new(Reason::Forbidden, message).about(resource, name)
    }

    /// 422 with every cause; `kind` is the object's kind, not its resource.
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let said: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let list = match said.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut error = ApiError::new(Reason::Invalid, format!("{qualified} \"{name}\" is invalid: {list}"));
        error.details = Some(Box::new(Details {
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
            causes,
            ..Details::default()
        }));
        error
    }

    /// The same refusal with these causes.
    pub fn with_causes(mut self, causes: Vec<Cause>) -> Self {
        self.details.get_or_insert_default().causes = causes;
        self
    }

    /// The same refusal with a hint when to come back.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.details.get_or_insert_default().retry_after_seconds = seconds;
        self
    }

    /// The `metav1.Status` object that goes over the wire.
    pub fn status(&self) -> Value {
        let mut out = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason.as_str(), "code": self.code(),
        });
        if let (Some(map), "") = (out.as_object_mut(), self.reason.as_str()) {
            map.remove("reason");
        }
        if let (Some(metadata), Some(token)) = (out.pointer_mut("/metadata"), &self.proceed) {
            *metadata = json!({ "continue": token });
        }
        if let (Some(map), Some(details)) = (out.as_object_mut(), &self.details) {
            map.insert("details".to_owned(), details.to_value());
        }
        out
    }

    fn about(mut self, resource: &ResourceId, name: &str) -> Self {
        self.details = Some(Box::new(Details {
            name: name.to_owned(),
            group: resource.group.clone(),
            kind: resource.plural.clone(),
            ..Details::default()
        }));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_has_the_wire_form_of_the_real_server() {
        let pods = ResourceId::core("pods");
        let expected = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Operation cannot be fulfilled on pods \"web\": the object has been modified; please apply your changes to the latest version and try again",
            "reason": "Conflict", "details": { "name": "web", "kind": "pods" }, "code": 409,
        });
        assert_eq!(ApiError::modified(&pods, "web").status(), expected);
    }

    #[test]
    fn several_causes_are_listed_in_brackets_and_one_by_one() {
        let causes = vec![
            Cause::new("FieldValueRequired", "spec.a", "Required value"),
            Cause::new("FieldValueInvalid", "spec.b", "bad"),
        ];
        let error = ApiError::invalid("reef.dev", "GitSource", "x", causes.clone());
        assert_eq!(error.message, "GitSource.reef.dev \"x\" is invalid: [spec.a: Required value, spec.b: bad]");
        assert_eq!(error.details.map(|details| details.causes), Some(causes));
    }
}
