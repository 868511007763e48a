//! The two things that a launcher asks of Cloud Hypervisor: whether its VM runs, and to press the power button.
//!
//! A connection of its own for each: the socket takes ten, and the daemon has one of them. Nothing that resizes is here.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// For one question and its answer.
const WITHIN: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const ANSWER_BYTES: usize = 256 << 10;
/// Characters of a refusal that are told.
const TOLD: usize = 300;

/// Whether the VM runs.
pub(super) async fn runs(socket: &Path) -> Result<(), String> {
    let info = ask(socket, Method::GET, "/api/v1/vm.info").await?;
    let info: Value = serde_json::from_slice(&info).map_err(|error| format!("vm.info cannot be read: {error}"))?;
    match info.get("state").and_then(Value::as_str) {
        Some("Running") => Ok(()),
        state => Err(format!("the VM is {}", state.unwrap_or("without a state"))),
    }
}

/// Presses the power button.
pub(super) async fn press(socket: &Path) -> Result<(), String> {
    ask(socket, Method::PUT, "/api/v1/vm.power-button").await.map(|_| ())
}

async fn ask(socket: &Path, method: Method, path: &'static str) -> Result<Bytes, String> {
    let asked = tokio::time::timeout(WITHIN, exchange(socket, method, path)).await;
    asked.unwrap_or_else(|_| Err(format!("no answer within {} s", WITHIN.as_secs())))
}

async fn exchange(socket: &Path, method: Method, path: &'static str) -> Result<Bytes, String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| format!("{}: {error}", socket.display()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let answered = async {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok::<_, String>((status, body))
    };
    let (status, body): (StatusCode, Bytes) = tokio::select! {
        biased;
        answered = answered => answered?,
        // Polled beside the question, so that nothing of it is left behind.
        ended = connection => return Err(ended.map_or_else(|error| error.to_string(), |()| "the connection ended".to_owned())),
    };
    if status.is_success() {
        return Ok(body);
    }
    let said: String =
        String::from_utf8_lossy(&body).chars().filter(|letter| !letter.is_control()).take(TOLD).collect();
    Err(format!("{path} was refused with {status}: {said}"))
}
