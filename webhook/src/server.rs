//! The HTTPS server: who gets in, how much is read, and for how long. Verdicts are made elsewhere.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum_server::Handle;
use axum_server::accept::{Accept, DefaultAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use futures::future::BoxFuture;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::certificates::{Callers, Serving, TlsError};
use crate::placed::Placed;
use crate::review::{Desk, ReviewError, ended, read, resource};

/// The largest body: two objects of three mebibytes, which etcd takes at most, and what surrounds them.
const LARGEST: usize = 8 << 20;
/// Reviews that are read and judged at a time; others wait for a place. Each may take several times its body of memory.
const AT_ONCE: usize = 32;
/// Connections at a time; an API server has a few, kept open.
const CONNECTIONS: usize = 1024;
/// Longer a handshake, the head of a request, or the whole of it never takes. An API server waits ten seconds at most.
const WITHIN: Duration = Duration::from_secs(8);
/// Longer a body never takes: who sends it takes a place meanwhile.
const BODY: Duration = Duration::from_secs(2);
/// What is under way when told to stop is finished within this.
const GRACE: Duration = Duration::from_secs(10);

/// Serves reviews until told to stop.
///
/// # Errors
/// Where TLS cannot be set up, or the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    desk: Desk,
    serving: &Serving,
    callers: &Callers,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let tls = RustlsConfig::from_config(Arc::new(serving.config(callers)?));
    let places = Places(Arc::new(Semaphore::new(CONNECTIONS)));
    let acceptor = RustlsAcceptor::new(tls).handshake_timeout(WITHIN).acceptor(places);
    let handle = Handle::new();
    let ending = handle.clone();
    tokio::spawn(async move {
        stop.cancelled().await;
        ending.graceful_shutdown(Some(GRACE));
    });
    listener.set_nonblocking(true)?;
    let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor).http1_only().handle(handle);
    server.http_builder().http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(WITHIN);
    server.serve(routes(desk).into_make_service()).await?;
    Ok(())
}

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The listener failed.
    #[error("the webhook's address cannot be served: {0}")]
    Listen(#[from] io::Error),
}

/// What is served: two paths, and nothing else.
pub fn routes(desk: Desk) -> Router {
    let counter = Counter { desk, places: Arc::new(Semaphore::new(AT_ONCE)) };
    Router::new().route("/mutate", post(mutate)).route("/validate", post(validate)).with_state(counter)
}

#[derive(Clone)]
struct Counter {
    desk: Desk,
    places: Arc<Semaphore>,
}

/// Why a request gets no verdict.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the content type is to be application/json")]
    ContentType,
    #[error(transparent)]
    Review(#[from] ReviewError),
    #[error("the body is larger than {} MiB, or did not come whole", LARGEST >> 20)]
    TooLarge,
    #[error("it took too long: a body comes within {} s, and all is done within {} s", BODY.as_secs(), WITHIN.as_secs())]
    TooSlow,
    #[error("the policies of the cluster are not known yet")]
    NotReady,
}

impl Refused {
    /// The label of metrics.
    fn word(&self) -> &'static str {
        match self {
            Self::ContentType | Self::Review(_) => "unreadable",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::NotReady => "not-ready",
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::ContentType | Self::Review(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{self}\n")).into_response()
    }
}

async fn mutate(State(counter): State<Counter>, request: Request) -> Response {
    counter.answer(request, |desk, review| Box::pin(async move { desk.mutate(&review) })).await
}

async fn validate(State(counter): State<Counter>, request: Request) -> Response {
    counter.answer(request, |desk, review| Box::pin(async move { desk.validate(&review).await })).await
}

type Judge = fn(Desk, AdmissionRequest<DynamicObject>) -> BoxFuture<'static, AdmissionResponse>;

impl Counter {
    async fn answer(&self, request: Request, judge: Judge) -> Response {
        let judged = tokio::time::timeout(WITHIN, self.judged(request, judge)).await;
        match judged.unwrap_or(Err(Refused::TooSlow)) {
            Ok(response) => axum::Json(response.into_review()).into_response(),
            Err(refused) => {
                self.desk.metrics.failed(refused.word());
                refused.into_response()
            }
        }
    }

    async fn judged(&self, request: Request, judge: Judge) -> Result<AdmissionResponse, Refused> {
        if !is_json(request.headers()) {
            return Err(Refused::ContentType);
        }
        if !self.desk.known.is_complete() {
            return Err(Refused::NotReady);
        }
        let begun = Instant::now();
        // The place is taken before the body is read: what waits takes no memory.
        let _place = self.places.acquire().await;
        let body = body(request.into_body()).await?;
        let review = read(&body)?;
        let about = resource(&review);
        let response = judge(self.desk.clone(), review).await;
        self.desk.metrics.reviewed(about, ended(&response), begun.elapsed().as_secs_f64());
        Ok(response)
    }
}

async fn body(body: Body) -> Result<axum::body::Bytes, Refused> {
    let whole = tokio::time::timeout(BODY, axum::body::to_bytes(body, LARGEST)).await;
    whole.map_err(|_| Refused::TooSlow)?.map_err(|_| Refused::TooLarge)
}

fn is_json(headers: &HeaderMap) -> bool {
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    found.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Takes a place for each connection before its handshake; who comes when all are taken is turned away.
#[derive(Clone, Debug)]
struct Places(Arc<Semaphore>);

impl<I: Send + 'static, S: Send + 'static> Accept<I, S> for Places {
    type Stream = Placed<I>;
    type Service = S;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let place = Arc::clone(&self.0).try_acquire_owned();
        let accepted = DefaultAcceptor::new().accept(stream, service);
        Box::pin(async move {
            let place = place.map_err(|_| io::Error::other("there are too many connections"))?;
            let (stream, service) = accepted.await?;
            Ok((Placed::new(stream, place), service))
        })
    }
}
