//! The socket at which the kubelet finds a plugin, and the connections that it makes there.
//!
//! Everything ends with the value: the listener, the connections, and the socket's file as long as it is still this one's.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::error::DeviceError;
use super::files::mark;
use super::service::Listing;
use crate::decide::devices::{Mark, Socket};

/// The kubelet keeps one connection; what is more than this is nobody that has business here.
const CONNECTIONS: usize = 16;
/// After a failure to take a connection: there are no descriptors left, which does not end at once.
const PAUSE: Duration = Duration::from_secs(1);
/// Whoever listens answers a connection at once; the kernel does it for him.
const PROBE: Duration = Duration::from_secs(1);

/// A socket that is served.
#[derive(Debug)]
pub(super) struct Serving {
    path: PathBuf,
    mark: Mark,
    _task: AbortOnDropHandle<()>,
}

impl Serving {
    /// Makes the socket where nothing is.
    ///
    /// # Errors
    /// Where something is, or the folder cannot be written.
    pub(super) fn start(path: &Path, listing: Listing) -> Result<Self, DeviceError> {
        let failed = |source| DeviceError::Serve { path: path.to_owned(), source };
        let listener = UnixListener::bind(path).map_err(failed)?;
        let mark = mark(path).map_err(failed)?;
        let task = AbortOnDropHandle::new(tokio::spawn(accept(listener, listing)));
        Ok(Self { path: path.to_owned(), mark, _task: task })
    }

    /// Makes the socket in the place of what is there. Between the two nobody finds anything, which a kubelet that connects takes as a refusal.
    ///
    /// # Errors
    /// Where the folder cannot be written, or another one was faster.
    pub(super) fn replace(path: &Path, listing: Listing) -> Result<Self, DeviceError> {
        match std::fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(DeviceError::Serve { path: path.to_owned(), source })
            }
            Ok(()) | Err(_) => Self::start(path, listing),
        }
    }

    /// Whether a file is the socket that is served here: its inode is held by the listener, so that no other file can have its number.
    fn is(&self, other: &Mark) -> bool {
        (self.mark.device, self.mark.inode) == (other.device, other.inode)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if mark(&self.path).is_ok_and(|there| self.is(&there)) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What stands in the place of a plugin's socket.
pub(super) async fn look(path: &Path, serving: Option<&Serving>) -> Socket {
    let Ok(there) = mark(path) else { return Socket::Gone };
    if serving.is_some_and(|serving| serving.is(&there)) {
        return Socket::Ours;
    }
    match tokio::time::timeout(PROBE, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Socket::Dead,
        Ok(Ok(_) | Err(_)) | Err(_) => Socket::Others,
    }
}

async fn accept(listener: UnixListener, listing: Listing) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(_) if connections.len() >= CONNECTIONS => tracing::warn!("a device plugin has too many connections"),
                Ok((stream, _)) => drop(connections.spawn(serve(stream, listing.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "a device plugin cannot take a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: UnixStream, listing: Listing) {
    let service = service_fn(move |request| listing.clone().answer(request));
    let served = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to a device plugin ended");
    }
}
