//! One HTTP connection to a VMM: one request in flight, and caps on what comes back.
//!
//! Knows no endpoint and no meaning of a status. A connection whose request was given up must be dropped with it, which
//! its owner does by taking it out before each request.

use super::metered::{Meter, Metered};
use super::{Dial, Peer, VmmError, VmmLimits, connect};
use crate::decide::accounting::ConnectionId;
use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::io;
use std::path::Path;
use tokio_util::task::AbortOnDropHandle;

/// The most that hyper buffers of a reply's head.
const HEAD_BYTES: usize = 16 << 10;

/// What may come beside the body: head, interim answers, and the marks between the parts of a body.
const BESIDE_BODY_BYTES: usize = 4 * HEAD_BYTES;

/// A request, without the address.
pub(super) struct Call {
    /// Name for errors, for example `vm.info`.
    pub(super) name: &'static str,
    /// Method.
    pub(super) method: Method,
    /// Path, for example `/api/v1/vm.info`.
    pub(super) path: &'static str,
    /// Body; empty for none.
    pub(super) body: Bytes,
}

/// A reply whose body was read.
pub(super) struct Reply {
    /// Status.
    pub(super) status: StatusCode,
    /// Body; of an error no more than the cap.
    pub(super) body: Bytes,
}

/// An open connection.
pub(super) struct Connection {
    /// Its number in the order of opening.
    pub(super) id: ConnectionId,
    /// Version that the VMM told on it.
    pub(super) version: Option<String>,
    sender: SendRequest<Full<Bytes>>,
    meter: Meter,
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects, and checks who listens where that can be known.
    pub(super) async fn open(
        dial: &dyn Dial,
        socket: &Path,
        expected: &Peer,
        id: ConnectionId,
        limits: VmmLimits,
    ) -> Result<Self, VmmError> {
        let meter = Meter::default();
        let stream = Metered::new(connect(dial, socket, expected, limits).await?, meter.clone());
        let made = http1::Builder::new().max_buf_size(HEAD_BYTES).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|error| lost("connect", error))?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "VMM connection ended");
            }
        });
        Ok(Self { id, version: None, sender, meter, _driver: AbortOnDropHandle::new(driver) })
    }

    /// Whether the other side has closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request and reads the whole reply.
    pub(super) async fn call(&mut self, call: Call, limits: VmmLimits) -> Result<Reply, VmmError> {
        let name = call.name;
        self.meter.set(limits.info_bytes.saturating_add(BESIDE_BODY_BYTES));
        self.sender.ready().await.map_err(|error| lost(name, error))?;
        let response = self.sender.send_request(request(call)).await.map_err(|error| lost(name, error))?;
        let status = response.status();
        let (cap, truncate) = if status.is_success() { (limits.info_bytes, false) } else { (limits.error_bytes, true) };
        let body = read(response.into_body(), cap, truncate, name).await?;
        Ok(Reply { status, body })
    }
}

fn lost(call: &'static str, error: hyper::Error) -> VmmError {
    VmmError::Lost { call, source: io::Error::other(error) }
}

fn request(call: Call) -> Request<Full<Bytes>> {
    let empty = call.body.is_empty();
    let mut request = Request::new(Full::new(call.body));
    *request.method_mut() = call.method;
    *request.uri_mut() = http::Uri::from_static(call.path);
    request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
    if !empty {
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(http::header::CONTENT_TYPE, json);
    }
    request
}

/// Reads a body up to `cap` bytes. Beyond it an error body is cut, because its beginning is what counts, and any other is refused.
async fn read(mut body: Incoming, cap: usize, truncate: bool, call: &'static str) -> Result<Bytes, VmmError> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| lost(call, error))?.into_data() else { continue };
        let room = cap.saturating_sub(read.len());
        if data.len() <= room {
            read.extend_from_slice(&data);
            continue;
        }
        if !truncate {
            return Err(VmmError::TooLarge { call, limit: cap });
        }
        read.extend(data.into_iter().take(room));
        break;
    }
    Ok(read.freeze())
}
