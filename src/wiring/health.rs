//! `/livez`, `/readyz` and `/healthz` over HTTP, for orchestrators, and `/metrics` for Prometheus.
//!
//! The former answer 200 `ok`, or 503 with the reason; the latter is OpenMetrics text. Reads what the role tells about itself; judges no VM.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use reef_watch::Health;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// How long a client may take for its request.
const REQUEST: Duration = Duration::from_secs(5);
/// The format of metrics.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Clients at a time: an orchestrator asks one question after the other, and so does Prometheus.
const CONNECTIONS: usize = 16;

/// A loop that has not gone round for so long is stuck: its beat is a few seconds.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// One question; the error says why not.
pub type Question = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What is asked.
pub struct Probes {
    /// Whether everything has been seen that decisions need.
    pub ready: Question,
    /// Whether the loop still goes round.
    pub live: Question,
}

impl Probes {
    /// What a role tells by its health. One whose loop is stuck is not ready either: it decides nothing, whatever it had listed.
    pub fn of(health: &Health) -> Self {
        let (ready, live) = (health.clone(), health.clone());
        Self {
            ready: Box::new(move || alive(&ready).and_then(|()| listed(&ready))),
            live: Box::new(move || alive(&live)),
        }
    }
}

fn listed(health: &Health) -> Result<(), String> {
    if health.is_ready() { Ok(()) } else { Err("not everything that is watched has been listed yet".to_owned()) }
}

fn alive(health: &Health) -> Result<(), String> {
    let idle = health.idle_for();
    if idle < STUCK_AFTER { Ok(()) } else { Err(format!("the loop has not gone round for {} s", idle.as_secs())) }
}

/// What is told of a role.
struct Told {
    probes: Probes,
    registry: Registry,
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
pub async fn serve(listener: TcpListener, probes: Probes, registry: Registry, stop: CancellationToken) {
    let told = Arc::new(Told { probes, registry });
    let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let told = Arc::clone(&told);
                tokio::spawn(async move {
                    let _place = place;
                    converse(stream, told).await;
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

async fn converse(stream: TcpStream, told: Arc<Told>) {
    let service = service_fn(move |request| {
        let told = Arc::clone(&told);
        async move { Ok::<_, Infallible>(answer(&request, &told)) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A client that hangs up is no news.
    let _ = tokio::time::timeout(REQUEST, connection).await;
}

fn answer(request: &Request<Incoming>, Told { probes, registry }: &Told) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return reply(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n".to_owned());
    }
    let outcome = match request.uri().path() {
        "/livez" => (probes.live)(),
        "/readyz" => (probes.ready)(),
        "/healthz" => (probes.live)().and_then(|()| (probes.ready)()),
        "/metrics" => return metrics(registry),
        _ => return reply(StatusCode::NOT_FOUND, "there are /livez, /readyz, /healthz and /metrics\n".to_owned()),
    };
    match outcome {
        Ok(()) => reply(StatusCode::OK, "ok\n".to_owned()),
        Err(why) => reply(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

fn metrics(registry: &Registry) -> Response<Full<Bytes>> {
    let mut text = String::new();
    if let Err(error) = encode(&mut text, registry) {
        return reply(StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be printed: {error}\n"));
    }
    let mut response = reply(StatusCode::OK, text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS));
    response
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
        let mut registry = Registry::default();
        crate::wiring::build::register("controller", &mut registry);
        let serving = tokio::spawn(serve(listener, probes, registry, stop.clone()));
        assert_eq!(get(address, "/livez").await, "HTTP/1.1 200 OK | ok");
        assert_eq!(get(address, "/readyz").await, "HTTP/1.1 503 Service Unavailable | VMs are not listed yet");
        assert_eq!(get(address, "/healthz").await, "HTTP/1.1 503 Service Unavailable | VMs are not listed yet");
        let metrics = get(address, "/metrics").await;
        assert!(metrics.starts_with("HTTP/1.1 200 OK | # HELP reef_build_info 1, with"), "{metrics}");
        assert!(metrics.ends_with("# EOF"), "{metrics}");
        assert!(get(address, "/else").await.starts_with("HTTP/1.1 404"));
        stop.cancel();
        serving.await.unwrap();
    }
}
