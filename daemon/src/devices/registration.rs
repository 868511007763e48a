//! Makes a device plugin known to the kubelet: one call on the kubelet's socket.
//!
//! One attempt with one deadline. The kubelet calls the plugin back before it answers.

use std::path::Path;
use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::error::DeviceError;
use super::wire;
use crate::decide::devices::Offer;

/// The kubelet gives itself ten seconds to reach the plugin, and answers after that.
const DEADLINE: Duration = Duration::from_secs(15);

/// Registers what is offered.
///
/// # Errors
/// Where the kubelet does not answer, or says no.
pub(super) async fn register(kubelet: &Path, offer: &Offer) -> Result<(), DeviceError> {
    let unreachable = |message: String| DeviceError::Unreachable { path: kubelet.to_owned(), message };
    match tokio::time::timeout(DEADLINE, call(kubelet, offer)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Failure::Refused(message))) => Err(DeviceError::Refused { resource: offer.device.resource(), message }),
        Ok(Err(Failure::Lost(message))) => Err(unreachable(message)),
        Err(_) => Err(unreachable(format!("it took more than {} s", DEADLINE.as_secs()))),
    }
}

enum Failure {
    /// It was not reached, or went away.
    Lost(String),
    /// It said no.
    Refused(String),
}

async fn call(kubelet: &Path, offer: &Offer) -> Result<(), Failure> {
    let lost = |error: hyper::Error| Failure::Lost(error.to_string());
    let stream = UnixStream::connect(kubelet).await.map_err(|error| Failure::Lost(error.to_string()))?;
    let (sender, connection) =
        http2::handshake::<_, _, Body>(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(lost)?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let send = service_fn(|request| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    let mut client = Grpc::with_origin(send, Uri::from_static("http://localhost"));
    let codec = ProstCodec::<wire::RegisterRequest, wire::Empty>::default();
    let path = PathAndQuery::from_static(wire::REGISTER);
    client.unary(tonic::Request::new(request(offer)), path, codec).await.map(drop).map_err(failure)
}

fn request(offer: &Offer) -> wire::RegisterRequest {
    wire::RegisterRequest {
        version: wire::VERSION.to_owned(),
        endpoint: offer.socket_name(),
        resource_name: offer.device.resource(),
        options: Some(wire::DevicePluginOptions::default()),
    }
}

/// What comes with a cause was made on this side; the kubelet's own words have none.
fn failure(status: tonic::Status) -> Failure {
    let message = status.message().chars().take(512).collect();
    if std::error::Error::source(&status).is_some() { Failure::Lost(message) } else { Failure::Refused(message) }
}
