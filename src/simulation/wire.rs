//! The way from a role to the API server: it names the role, lets the inspector see what is sent, and is where a role dies around a write.

use super::faults::bounded;
use super::invariants::{Inspector, Sent};
use super::script::Moment;
use super::traps::{Effect, Traps};
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Bytes;
use hyper::header::{HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use reef_sim::api::{ApiServer, ApiService, ConnectionLost, RequestFacts};
use std::task::{Context, Poll};
use tower::Service;

/// What stands on the way between a role and the API server.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) role: String,
    pub(super) traps: Traps,
    pub(super) inspector: Option<Inspector>,
}

#[derive(Clone)]
struct WireService {
    server: ApiService,
    wire: Wire,
}

/// The client of a role, which names itself in each request.
pub(super) fn client_of(server: &ApiServer, wire: &Wire, namespace: &str) -> Client {
    Client::new(WireService { server: server.service(), wire: wire.clone() }, namespace)
}

impl Service<Request<Body>> for WireService {
    type Response = Response<UnsyncBoxBody<Bytes, super::faults::Silent>>;
    type Error = ConnectionLost;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Self { mut server, wire } = self.clone();
        if let Ok(name) = HeaderValue::from_str(&wire.role) {
            request.headers_mut().insert(USER_AGENT, name);
        }
        if request.method() == Method::GET {
            return async move { server.call(request).await.map(bounded) }.boxed();
        }
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| ConnectionLost)?.to_bytes();
            let dies = wire.traps.step(&wire.role, Effect::Write);
            if dies == Some(Moment::Before) {
                wire.traps.kill(&wire.role);
                return std::future::pending().await;
            }
            if let Some(inspector) = &wire.inspector {
                let facts = RequestFacts::read(&head);
                inspector.sent(Sent { role: &wire.role, facts: &facts, body: &body });
            }
            let answer = server.call(Request::from_parts(head, Body::from(body)));
            match dies {
                Some(Moment::Sent) => wire.traps.kill(&wire.role),
                Some(Moment::After) => {
                    let answer = answer.await;
                    wire.traps.kill_soon(&wire.role);
                    return answer.map(bounded);
                }
                Some(Moment::Before) | None => {}
            }
            answer.await.map(bounded)
        }
        .boxed()
    }
}
