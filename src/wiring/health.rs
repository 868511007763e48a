//! `/livez`, `/readyz` and `/healthz` over HTTP, for orchestrators.
//!
//! Answers 200 `ok`, or 503 with the reason. Reads what the role tells about itself; judges no VM.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// How long a client may take for its request.
const REQUEST: Duration = Duration::from_secs(5);
/// Clients at a time: an orchestrator asks one question after the other.
const CONNECTIONS: usize = 16;

/// One question; the error says why not.
pub type Question = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What is asked.
pub struct Probes {
    /// Whether everything has been seen that decisions need.
    pub ready: Question,
    /// Whether the loop still goes round.
    pub live: Question,
}

/// Listens; the address is told in the log, which matters where the port is 0.
///
/// # Errors
/// Where the address cannot be listened at.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("cannot listen at {address}; choose another --health-addr"))?;
    tracing::info!(address = %listener.local_addr()?, "health endpoints are served");
    Ok(listener)
}

/// Serves until told to stop.
pub async fn serve(listener: TcpListener, probes: Probes, stop: CancellationToken) {
    let probes = Arc::new(probes);
    let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let probes = Arc::clone(&probes);
                tokio::spawn(async move {
                    let _place = place;
                    converse(stream, probes).await;
                });
            }
            // More clients than anybody needs: hanging up is the answer.
            (Ok(_), Err(_)) => {}
            (Err(error), _) => {
                tracing::warn!(%error, "a connection to the health endpoints could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, probes: Arc<Probes>) {
    let service = service_fn(move |request| {
        let probes = Arc::clone(&probes);
        async move { Ok::<_, Infallible>(answer(&request, &probes)) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A client that hangs up is no news.
    let _ = tokio::time::timeout(REQUEST, connection).await;
}

fn answer(request: &Request<Incoming>, probes: &Probes) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return reply(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n".to_owned());
    }
    let outcome = match request.uri().path() {
        "/livez" => (probes.live)(),
        "/readyz" => (probes.ready)(),
        "/healthz" => (probes.live)().and_then(|()| (probes.ready)()),
        _ => return reply(StatusCode::NOT_FOUND, "there are /livez, /readyz and /healthz\n".to_owned()),
    };
    match outcome {
        Ok(()) => reply(StatusCode::OK, "ok\n".to_owned()),
        Err(why) => reply(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

fn reply(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let status = text.lines().next().unwrap().to_owned();
        format!("{status} | {}", text.rsplit("\r\n").next().unwrap().trim())
    }

    #[tokio::test]
    async fn a_live_role_that_is_not_ready_says_why() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let probes = Probes { ready: Box::new(|| Err("VMs are not listed yet".to_owned())), live: Box::new(|| Ok(())) };
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, probes, stop.clone()));
        assert_eq!(get(address, "/livez").await, "HTTP/1.1 200 OK | ok");
        assert_eq!(get(address, "/readyz").await, "HTTP/1.1 503 Service Unavailable | VMs are not listed yet");
        assert_eq!(get(address, "/healthz").await, "HTTP/1.1 503 Service Unavailable | VMs are not listed yet");
        assert!(get(address, "/metrics").await.starts_with("HTTP/1.1 404"));
        stop.cancel();
        serving.await.unwrap();
    }
}
