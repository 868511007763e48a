//! The front over HTTP/1.1, for `kubectl` and other processes. Loopback and without authentication: whoever can
//! connect holds the cluster.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::body::LARGEST;
use super::fault::ConnectionLost;
use super::respond::{Answer, ResponseBody};
use super::server::ApiServer;

impl ApiServer {
    /// Serves HTTP until told to stop; open watches end then.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(converse(self.clone(), stream, shutdown.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    }
                },
            }
        }
        self.drop_watches();
        while connections.join_next().await.is_some() {}
    }
}

async fn converse(server: ApiServer, stream: TcpStream, shutdown: CancellationToken) {
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| respond(server.clone(), request));
    let connection = hyper::server::conn::http1::Builder::new()
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            // A client that never ends its request must not hold the stop up.
            let _ = tokio::time::timeout(std::time::Duration::from_secs(1), connection).await;
        }
        // A client that hangs up is no news.
        _ = connection.as_mut() => {}
    }
}

async fn respond(server: ApiServer, request: Request<Incoming>) -> Result<Response<ResponseBody>, ConnectionLost> {
    let (head, body) = request.into_parts();
    let body: Bytes = match Limited::new(body, LARGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(Answer::refusal(&super::body::too_large()).into_response()),
    };
    // A task of its own: a client that hangs up does not take its write with it.
    tokio::spawn(async move { server.handle(head, body).await }).await.unwrap_or(Err(ConnectionLost))
}

/// A kubeconfig for a server at this address: plain HTTP, no user.
pub fn kubeconfig(address: SocketAddr) -> String {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "reef-sim", "cluster": { "server": format!("http://{address}") } }],
        "users": [{ "name": "reef-sim", "user": {} }],
        "contexts": [{ "name": "reef-sim", "context": { "cluster": "reef-sim", "user": "reef-sim", "namespace": "default" } }],
        "current-context": "reef-sim",
    });
    // A plain tree of texts always prints; JSON is YAML, should it ever not.
    serde_yaml::to_string(&config).unwrap_or_else(|_| config.to_string())
}
