//! From answers as values to HTTP responses. No decisions.

use std::convert::Infallible;

use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde::Serialize;
use serde_json::{Value, json};

use super::present::Presenter;
use crate::store::{ApiError, Reason, Stored};

/// The body of every response: whole, or a stream of watch events.
pub type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

/// What a handler answers.
pub struct Answer {
    code: StatusCode,
    content_type: &'static str,
    body: ResponseBody,
    warnings: Vec<String>,
    retry_after: Option<u64>,
}

impl Answer {
    /// A JSON document.
    pub fn json(code: StatusCode, document: &Value) -> Self {
        Answer::bytes(code, "application/json", to_bytes(document))
    }

    /// A JSON document that is printed already.
    pub fn text(code: StatusCode, document: Bytes) -> Self {
        Answer::bytes(code, "application/json", document)
    }

    /// Bytes of a stated type.
    pub fn bytes(code: StatusCode, content_type: &'static str, bytes: Bytes) -> Self {
        Answer { code, content_type, body: Full::new(bytes).boxed_unsync(), warnings: Vec::new(), retry_after: None }
    }

    /// Watch events, one JSON document a line.
    pub fn stream(events: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        let frames = futures::StreamExt::map(events, |bytes| Ok::<_, Infallible>(Frame::data(bytes)));
        let body = StreamBody::new(frames).boxed_unsync();
        let content_type = "application/json";
        Answer { code: StatusCode::OK, content_type, body, warnings: Vec::new(), retry_after: None }
    }

    /// A refusal.
    pub fn refusal(error: &ApiError) -> Self {
        let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if error.reason == Reason::NoPage {
            let text = format!("{}\n", error.message);
            return Answer::bytes(code, "text/plain; charset=utf-8", Bytes::from(text));
        }
        let mut answer = Answer::json(code, &error.status());
        let seconds = error.details.as_ref().map(|details| details.retry_after_seconds);
        answer.retry_after = seconds.filter(|seconds| *seconds > 0);
        answer
    }

    /// What a server answers that has more requests than it takes: a text, and when to come back.
    pub fn too_many() -> Self {
        let text = "Too many requests, please try again later.\n";
        let mut answer = Answer::bytes(
            StatusCode::TOO_MANY_REQUESTS,
            "text/plain; charset=utf-8",
            Bytes::from_static(text.as_bytes()),
        );
        answer.retry_after = Some(1);
        answer
    }

    /// The same with warnings for the person who asked.
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// The HTTP response.
    pub fn into_response(self) -> Response<ResponseBody> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.code;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        for warning in &self.warnings {
            let text = format!("299 - \"{}\"", warning.replace('\\', "\\\\").replace('"', "\\\""));
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.append(header::WARNING, value);
            }
        }
        response
    }
}

/// A document as bytes.
pub fn to_bytes(document: &impl Serialize) -> Bytes {
    // What is printed here has string keys and finite numbers only, so that cannot fail.
    serde_json::to_vec(document).map(Bytes::from).unwrap_or_default()
}

/// Whether the items of a list say what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Types {
    /// They do.
    Shown,
    /// The list says it for all.
    Hidden,
}

/// A list without copying its items' trees, where they are shown as they are stored.
pub fn list(
    api_version: &str,
    list_kind: &str,
    metadata: &Value,
    items: &[Stored],
    presenter: &Presenter,
    types: Types,
) -> Bytes {
    let head = json!({ "kind": list_kind, "apiVersion": api_version, "metadata": metadata });
    let mut out = serde_json::to_vec(&head).unwrap_or_default();
    out.pop();
    out.extend_from_slice(b",\"items\":[");
    let opening = opening(presenter);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match types {
            Types::Shown => out.extend_from_slice(&presenter.one(item)),
            Types::Hidden => print_untyped(&mut out, item, presenter, &opening),
        }
    }
    out.extend_from_slice(b"]}");
    Bytes::from(out)
}

fn print_untyped(out: &mut Vec<u8>, item: &Stored, presenter: &Presenter, opening: &str) {
    let text = presenter.one(item);
    if let Some(rest) = text.strip_prefix(opening.as_bytes()) {
        out.push(b'{');
        out.extend_from_slice(rest);
        return;
    }
    let mut value = presenter.value(item);
    if let Some(map) = value.as_object_mut() {
        map.retain(|name, _| !matches!(name.as_str(), "kind" | "apiVersion"));
    }
    out.extend_from_slice(&to_bytes(&value));
}

/// How the text of an object begins that says what it is: its fields are in the order of their names.
fn opening(presenter: &Presenter) -> String {
    format!("{{\"apiVersion\":\"{}\",\"kind\":\"{}\",", presenter.served.api_version(), presenter.served.kind.kind)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Request;
    use jiff::Timestamp;

    use super::*;
    use crate::api::request::{RequestFacts, Route};
    use crate::api::resource::Served;
    use crate::api::{ApiOptions, ApiServer};
    use crate::store::fields::Owners;
    use crate::store::{Store, StoreOptions};

    #[test]
    fn a_list_is_one_document() {
        let server =
            ApiServer::new(Store::new(StoreOptions::new(1, Arc::new(Timestamp::default))), ApiOptions::default());
        let Route::Resource(pods) =
            RequestFacts::read(&Request::get("/api/v1/pods").body(()).unwrap().into_parts().0).route
        else {
            panic!("pods are a resource");
        };
        let presenter = Presenter::whole(&server, Served::find(server.store(), &pods).unwrap());
        let items = [
            json!({ "apiVersion": "v1", "kind": "Pod", "a": 1 }),
            json!({ "apiVersion": "v1", "kind": "Pod", "metadata": {} }),
            json!({ "b": 2 }),
        ];
        let items = items.map(|item| Stored::new(item, Owners::default()));
        let bytes = list("v1", "PodList", &json!({ "resourceVersion": "3" }), &items, &presenter, Types::Hidden);
        let read: Value = serde_json::from_slice(&bytes).unwrap();
        let expected = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": { "resourceVersion": "3" }, "items": [{ "a": 1 }, { "metadata": {} }, { "b": 2 }] });
        assert_eq!(read, expected);
    }
}
