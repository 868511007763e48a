//! How a VMM's socket is connected: the one place where a transport is chosen.
//!
//! Production connects a unix socket and asks the kernel who listens; the embedded cluster's sockets are served by
//! another process than the one that the node shows, and simulation connects in memory.

use super::socket::SocketFile;
use super::{Peer, VmmError, VmmLimits};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyperlocal::UnixConnector;
use std::io;
use std::path::Path;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::net::unix::UCred;
use tower::Service;

/// Bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that was made.
pub struct Dialed {
    /// The connection.
    pub stream: Box<dyn Stream>,
    /// Process that listens at the other end, where the transport knows.
    pub peer: Option<u32>,
}

/// Connects to sockets by path.
pub trait Dial: Send + Sync {
    /// Connects. Deadlines are the caller's.
    fn dial<'a>(&'a self, socket: &'a Path) -> BoxFuture<'a, io::Result<Dialed>>;
}

/// Connects within the deadline, and sends nothing to another process than the one that is expected.
pub(super) async fn connect(
    dial: &dyn Dial,
    socket: &Path,
    expected: &Peer,
    limits: VmmLimits,
) -> Result<Box<dyn Stream>, VmmError> {
    let socket_of = || socket.to_owned();
    let dialed = tokio::time::timeout(limits.connect, dial.dial(socket))
        .await
        .map_err(|_| VmmError::ConnectTimedOut { socket: socket_of(), within: limits.connect })?
        .map_err(|source| VmmError::Unreachable { socket: socket_of(), source })?;
    if let Some(found) = dialed.peer.filter(|found| *found != expected.pid()) {
        return Err(VmmError::WrongPeer { socket: socket_of(), expected: expected.pid(), found });
    }
    expected.confirm().map_err(|source| VmmError::PeerGone { socket: socket_of(), pid: expected.pid(), source })?;
    Ok(dialed.stream)
}

/// Connects a unix socket that is its owner's alone, and tells which process listens, by the word of the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyingDial;

impl Dial for VerifyingDial {
    fn dial<'a>(&'a self, socket: &'a Path) -> BoxFuture<'a, io::Result<Dialed>> {
        async move {
            let file = SocketFile::open(socket)?;
            file.owner().is_alone()?;
            let stream = UnixStream::connect(file.path()).await.map_err(|error| file.owner().explain(error))?;
            let listener = stream.peer_cred()?;
            file.owner().is_listener(listener.uid())?;
            Ok(Dialed { stream: Box::new(stream), peer: Some(process(listener)?) })
        }
        .boxed()
    }
}

/// The process by its number in our own namespace of processes, where it has one.
fn process(listener: UCred) -> io::Result<u32> {
    let pid = listener.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
    pid.ok_or_else(|| {
        io::Error::other(
            "the kernel does not tell which process listens at the socket: the daemon needs the node's process ids (hostPID)",
        )
    })
}

/// Connects a unix socket by hyperlocal's connector, which does not tell who listens: for sockets of the embedded cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperlocalDial;

impl Dial for HyperlocalDial {
    fn dial<'a>(&'a self, socket: &'a Path) -> BoxFuture<'a, io::Result<Dialed>> {
        async move {
            let file = SocketFile::open(socket)?;
            let uri: http::Uri = hyperlocal::Uri::new(file.path(), "/").into();
            let stream = UnixConnector.call(uri).await.map_err(|error| file.owner().explain(error))?;
            Ok(Dialed { stream: Box::new(stream), peer: None })
        }
        .boxed()
    }
}
