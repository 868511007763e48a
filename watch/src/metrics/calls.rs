//! Calls to the API server as the client sends them: a layer for kube's client, which counts each with its verb, its resource and its answer.
//!
//! A layer and not a client of its own: a client brings a task with it. Changes no request, and judges no answer.

use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;
use tower::{Layer, Service};

use super::{By, Catalogue, request_seconds};

/// What is counted of calls. Clones share it.
#[derive(Clone, Debug)]
pub struct Calls {
    resources: &'static [&'static str],
    counted: By<Counter, 3>,
    took: By<Histogram, 2>,
}

impl Calls {
    /// Counts calls about these resources by their names, such as `pods` or `pods/resize`, and all others as `other`: a path may hold words from outside.
    pub fn of(resources: &'static [&'static str]) -> Self {
        let took = By::made_by(&["verb", "resource"], request_seconds as fn() -> Histogram);
        Self { resources, counted: By::new(&["verb", "resource", "code"]), took }
    }

    /// Registers what is counted.
    pub fn add(&self, catalogue: &mut Catalogue<'_>) {
        catalogue.add(
            "reef_apiserver_requests",
            "Requests to the API server by verb, resource and class of the answer; code is none where no answer came",
            &self.counted,
        );
        catalogue.add(
            "reef_apiserver_request_duration_seconds",
            "Time until the answer of the API server began, by verb and resource; watches are told by their beginning",
            &self.took,
        );
    }

    fn begin<B>(&self, request: &Request<B>) -> Call {
        let (resource, named) = self.target(request.uri().path());
        Call { calls: self.clone(), verb: verb(request, named), resource, begun: Instant::now(), code: "none" }
    }

    /// The resource that a path is about, and whether it names an object.
    fn target(&self, path: &str) -> (&'static str, bool) {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let skipped = if parts.next() == Some("apis") { 2 } else { 1 };
        let mut rest = parts.skip(skipped).peekable();
        let mut first = rest.next().unwrap_or_default();
        // A namespace is an object itself where nothing follows its name.
        let scoped = first == "namespaces" && rest.clone().nth(1).is_some();
        if scoped {
            first = rest.nth(1).unwrap_or_default();
        }
        let (name, part) = (rest.next(), rest.next());
        let is = |known: &&&str| match part {
            None => **known == first,
            Some(part) => known.split_once('/') == Some((first, part)),
        };
        (self.resources.iter().find(is).copied().unwrap_or("other"), name.is_some())
    }
}

/// The verb as RBAC names it, but for `apply`, which is a patch to it.
fn verb<B>(request: &Request<B>, named: bool) -> &'static str {
    let watches = || request.uri().query().is_some_and(|query| query.split('&').any(|part| part == "watch=true"));
    let applies = || {
        request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/apply-patch"))
    };
    match *request.method() {
        Method::GET if watches() => "watch",
        Method::GET if named => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH if applies() => "apply",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

fn class(code: StatusCode) -> &'static str {
    match code.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// A call under way. One that is given up counts as one without an answer.
struct Call {
    calls: Calls,
    verb: &'static str,
    resource: &'static str,
    begun: Instant,
    code: &'static str,
}

impl Call {
    fn answered(&mut self, code: StatusCode) {
        self.code = class(code);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Self { calls, verb, resource, begun, code } = self;
        calls.counted.of([*verb, *resource, *code]).inc();
        calls.took.of([*verb, *resource]).observe(begun.elapsed().as_secs_f64());
    }
}

/// The layer.
#[derive(Clone, Debug)]
pub struct Counting(pub Calls);

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, calls: self.0.clone() }
    }
}

/// A service whose calls are counted.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    calls: Calls,
}

impl<S, B, R> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut call = self.calls.begin(&request);
        let answer = self.inner.call(request);
        async move {
            let answer = answer.await;
            if let Ok(answer) = &answer {
                call.answered(answer.status());
            }
            answer
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::time::Duration;
    use tower::ServiceExt;

    fn calls() -> Calls {
        Calls::of(&["pods", "pods/resize", "nodes", "virtualmachines/status", "namespaces"])
    }

    #[test]
    fn a_path_is_told_by_its_resource_and_never_by_a_word_from_outside() {
        let calls = calls();
        let targets = [
            "/api/v1/namespaces/team/pods/web-0/resize",
            "/api/v1/namespaces/team/pods/web-0",
            "/api/v1/namespaces/team/pods",
            "/api/v1/pods",
            "/api/v1/nodes/node-1",
            "/apis/cloudhypervisor.quill.today/v1beta1/namespaces/team/virtualmachines/web/status",
            "/apis/cloudhypervisor.quill.today/v1beta1/namespaces/team/virtualmachines/web",
            "/api/v1/namespaces/pods",
            "/api/v1/namespaces/team/secrets/a/b/c",
            "/version",
            "",
        ]
        .map(|path| calls.target(path));
        let expected = [
            ("pods/resize", true),
            ("pods", true),
            ("pods", false),
            ("pods", false),
            ("nodes", true),
            ("virtualmachines/status", true),
            ("other", true),
            ("namespaces", true),
            ("other", true),
            ("other", false),
            ("other", false),
        ];
        assert_eq!(targets, expected);
    }

    #[test]
    fn a_request_is_told_by_its_verb() {
        let verb = |method: Method, uri: &str, kind: &str, named| {
            verb(&Request::builder().method(method).uri(uri).header(CONTENT_TYPE, kind).body(()).unwrap(), named)
        };
        let json = "application/json";
        assert_eq!(verb(Method::GET, "/a?watch=true&x=1", json, false), "watch");
        assert_eq!(verb(Method::GET, "/a?limit=1", json, false), "list");
        assert_eq!(verb(Method::GET, "/a", json, true), "get");
        assert_eq!(verb(Method::POST, "/a", json, false), "create");
        assert_eq!(verb(Method::PATCH, "/a", "application/apply-patch+yaml", true), "apply");
        assert_eq!(verb(Method::PATCH, "/a", "application/merge-patch+json", true), "patch");
        assert_eq!(verb(Method::DELETE, "/a", json, true), "delete");
        assert_eq!(verb(Method::OPTIONS, "/a", json, true), "other");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_counted_with_their_answer_also_where_none_comes() {
        let calls = calls();
        let service = tower::service_fn(|request: Request<()>| async move {
            let code = request.uri().query().and_then(|code| code.parse().ok());
            match code {
                Some(code) => Ok::<_, Infallible>(Response::builder().status::<u16>(code).body(()).unwrap()),
                None => std::future::pending().await,
            }
        });
        let counted = Counting(calls.clone()).layer(service);
        for query in ["?200", "?201", "?409", "?503", ""] {
            let request = Request::get(format!("/api/v1/nodes/a{query}")).body(()).unwrap();
            let _ = tokio::time::timeout(Duration::from_secs(1), counted.clone().oneshot(request)).await;
        }
        let counts = ["2xx", "4xx", "5xx", "none"].map(|code| calls.counted.of(["get", "nodes", code]).get());
        assert_eq!(counts, [2, 1, 1, 1]);
    }
}
