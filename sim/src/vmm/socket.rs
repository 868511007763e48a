//! HTTP/1.1 on the VMM's socket, over any stream, and the real unix socket of it.
//!
//! Carries bytes only: what is answered is decided in [`super::http`], what goes wrong in [`super::fault`].

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::fault::Delivery;
use super::task::{Vmm, VmmRequest};

/// The VMM takes so many connections at once.
pub const MAX_CONNECTIONS: usize = 10;
/// The largest request body that the VMM reads.
const MAX_REQUEST_BYTES: usize = 4 << 20;
/// What the VMM's server says to one connection too many, before it closes it.
const SERVER_FULL: &[u8] = b"HTTP/1.1 503 \r\nServer: Cloud Hypervisor API\r\nConnection: close\r\n\
    Content-Length: 40\r\n\r\n{ \"error\": \"Too many open connections\" }";

type Body = BoxBody<Bytes, io::Error>;

/// A socket of one VMM: its connections are counted over all of them.
#[derive(Clone, Debug)]
pub struct Endpoint {
    vmm: Vmm,
    slots: Arc<Semaphore>,
}

impl Endpoint {
    /// The socket of `vmm`.
    #[must_use]
    pub fn new(vmm: Vmm) -> Self {
        Self { vmm, slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }

    /// The process behind it.
    #[must_use]
    pub const fn vmm(&self) -> &Vmm {
        &self.vmm
    }

    /// Serves one connection until either side closes it or the process ends.
    pub async fn serve<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Ok(_slot) = self.slots.try_acquire_owned() else {
            return refuse(stream).await;
        };
        let vmm = self.vmm.clone();
        let service = service_fn(move |request| answer(vmm.clone(), request));
        let mut server = http1::Builder::new();
        let connection = server.auto_date_header(false).serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            biased;
            () = self.vmm.ended().cancelled_owned() => {}
            // A client that goes away in the middle, and a reply that is cut off on purpose, both end here.
            _ = connection => {}
        }
    }

    /// Listens on a real socket that only its owner can open, until the process ends. The file stays behind, as it
    /// does when a VMM is killed.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub fn listen(self, path: &Path) -> io::Result<()> {
        let listener = bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
        tokio::spawn(accept(self, listener));
        Ok(())
    }
}

/// Binds through the folder's file descriptor: the address of a unix socket holds 107 bytes, and a kubelet's path to a
/// volume alone takes 103 of them.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = std::fs::File::open(folder)?;
    UnixListener::bind(Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

async fn accept(endpoint: Endpoint, listener: UnixListener) {
    let ended = endpoint.vmm.ended();
    loop {
        let accepted = tokio::select! {
            biased;
            () = ended.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(tokio::spawn(endpoint.clone().serve(stream))),
            Err(error) => {
                tracing::warn!(%error, "VMM socket ended");
                return;
            }
        }
    }
}

async fn refuse(mut stream: impl AsyncWrite + Unpin) {
    // Who was refused may have closed already.
    let _ = stream.write_all(SERVER_FULL).await;
    let _ = stream.shutdown().await;
}

async fn answer(vmm: Vmm, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_REQUEST_BYTES).collect().await else {
        return respond(&Answer::bad_request());
    };
    let request =
        VmmRequest { method: head.method.to_string(), path: head.uri.path().to_owned(), body: body.to_bytes() };
    let delivery = vmm.request(request).await.map_err(|_| io::ErrorKind::ConnectionReset)?;
    match delivery {
        Delivery::Whole(answer) => respond(&answer),
        Delivery::Half(answer) => half(&answer),
        Delivery::Closed => Err(io::ErrorKind::ConnectionReset.into()),
        Delivery::Never => std::future::pending().await,
        Delivery::Garbage => build(200, full(Bytes::from_static(b"\x00\xff{{ this is no \x07 JSON"))),
        Delivery::Huge(size) => build(200, huge(size)),
    }
}

fn respond(answer: &Answer) -> io::Result<Response<Body>> {
    let body = answer.body.clone().map(full);
    build(answer.status, body.unwrap_or_else(|| Empty::new().map_err(|never| match never {}).boxed()))
}

/// Promises the whole body, or one of the length of an empty answer's head, and breaks off half-way.
fn half(answer: &Answer) -> io::Result<Response<Body>> {
    let text = answer.body.clone().unwrap_or(Bytes::from_static(b"[\"\"]"));
    let length = text.len();
    let start = text.slice(..length / 2);
    let frames = vec![Ok(Frame::data(start)), Err(io::ErrorKind::ConnectionReset.into())];
    let mut response = build(answer.status.max(200), BodyExt::boxed(StreamBody::new(stream::iter(frames))))?;
    if answer.status == 204 {
        *response.status_mut() = http::StatusCode::OK;
    }
    response.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    Ok(response)
}

fn huge(size: u64) -> Body {
    const CHUNK: usize = 64 << 10;
    let chunk = Bytes::from(vec![b' '; CHUNK]);
    let chunks = usize::try_from(size).unwrap_or(usize::MAX).div_ceil(CHUNK);
    BodyExt::boxed(StreamBody::new(stream::iter(
        std::iter::repeat_n(chunk, chunks).map(|chunk| Ok(Frame::data(chunk))),
    )))
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn build(status: u16, body: Body) -> io::Result<Response<Body>> {
    Response::builder()
        .status(status)
        .header(http::header::SERVER, "Cloud Hypervisor API")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(io::Error::other)
}
