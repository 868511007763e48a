//! The other party: records every request and gives one prepared answer to each.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use crate::act::Caller;
use crate::metrics::Metrics;

/// A request as it arrived: method, path and query, content type, body.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    pub line: String,
    pub content_type: String,
    pub body: Value,
}

/// What to answer.
pub enum Reply {
    /// A status code, a header `Retry-After`, a body.
    Json(u16, Option<u64>, Value),
    /// Nothing, ever.
    Silence,
    /// A broken connection.
    Cut,
}

#[derive(Clone, Default)]
pub struct Server {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    pub metrics: Metrics,
}

impl Server {
    pub fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        let server = Self::default();
        server.replies.lock().unwrap().extend(replies);
        server
    }

    pub fn caller(&self) -> Caller {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { server.handle(request).await }
        });
        Caller::new(Client::new(service, "default"), self.metrics.clone())
    }

    pub fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.arrived().into_iter().map(|arrived| arrived.line).collect()
    }

    async fn handle(&self, request: Request<Body>) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
        let line = format!("{} {}", request.method(), request.uri());
        let content_type = request.headers()["content-type"].to_str().unwrap().to_owned();
        let bytes = request.into_body().collect_bytes().await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        self.arrived.lock().unwrap().push(Arrived { line, content_type, body });
        let reply = self.replies.lock().unwrap().pop_front().expect("an unexpected request");
        match reply {
            Reply::Json(code, retry_after, body) => {
                let mut response = Response::builder().status(code);
                if let Some(seconds) = retry_after {
                    response = response.header("retry-after", seconds.to_string());
                }
                Ok(response.body(Body::from(serde_json::to_vec(&body).unwrap())).unwrap())
            }
            Reply::Silence => Ok(std::future::pending::<Result<_, Infallible>>().await.unwrap()),
            Reply::Cut => Err("connection reset by peer".into()),
        }
    }
}

pub fn ok(body: Value) -> Reply {
    Reply::Json(200, None, body)
}

pub fn status(code: u16, reason: &str, message: &str, details: Value) -> Reply {
    let body = json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "reason": reason, "message": message, "code": code, "details": details});
    Reply::Json(code, None, body)
}
