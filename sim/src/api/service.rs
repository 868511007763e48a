//! The front in the same process: a tower service, and a `kube::Client` on it. No sockets, so that virtual time works.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;

use super::fault::ConnectionLost;
use super::respond::ResponseBody;
use super::server::ApiServer;

/// What a call takes at least: with none, retries without a pause would stop virtual time.
const LEAST: Duration = Duration::from_millis(1);

/// The tower service of an API server.
#[derive(Clone)]
pub struct ApiService {
    server: ApiServer,
}

impl tower::Service<Request<Body>> for ApiService {
    type Response = Response<ResponseBody>;
    type Error = ConnectionLost;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.server.clone();
        // A task of its own: a caller that goes away does not take its write with it, as over a network.
        let handled = tokio::spawn(async move {
            let (head, body) = request.into_parts();
            let body: Bytes = body.collect().await.map_err(|_| ConnectionLost)?.to_bytes();
            tokio::time::sleep(LEAST).await;
            server.handle(head, body).await
        });
        Box::pin(async move { handled.await.unwrap_or(Err(ConnectionLost)) })
    }
}

impl ApiServer {
    /// The server as a tower service in this process.
    pub fn service(&self) -> ApiService {
        ApiService { server: self.clone() }
    }

    /// A client in this process; its default namespace is `default`.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.service(), "default")
    }
}
