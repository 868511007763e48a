//! How a VMM's socket is connected: the one place where a transport is chosen.
//!
//! Production connects a unix socket and asks the kernel who listens; the embedded cluster's sockets are served by
//! another process than the one that the node shows, and simulation connects in memory.

use super::{VmmError, VmmLimits};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyperlocal::UnixConnector;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tower::Service;

/// The longest path that fits into a socket's address on Linux, with its closing zero.
const LONGEST_PATH: usize = 107;

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

/// Connects within the deadline, and sends nothing to another process than the one that is `expected` where that can be known.
pub(super) async fn connect(
    dial: &dyn Dial,
    socket: &Path,
    expected: Option<u32>,
    limits: VmmLimits,
) -> Result<Box<dyn Stream>, VmmError> {
    let socket_of = || socket.to_owned();
    let dialed = tokio::time::timeout(limits.connect, dial.dial(socket))
        .await
        .map_err(|_| VmmError::ConnectTimedOut { socket: socket_of(), within: limits.connect })?
        .map_err(|source| VmmError::Unreachable { socket: socket_of(), source })?;
    match (expected, dialed.peer) {
        (Some(expected), Some(found)) if expected != found => {
            Err(VmmError::WrongPeer { socket: socket_of(), expected, found })
        }
        (Some(_) | None, Some(_) | None) => Ok(dialed.stream),
    }
}

/// Connects a unix socket and tells which process listens, by the word of the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyingDial;

impl Dial for VerifyingDial {
    fn dial<'a>(&'a self, socket: &'a Path) -> BoxFuture<'a, io::Result<Dialed>> {
        async move {
            let address = Address::of(socket)?;
            let stream = UnixStream::connect(&address.path).await.map_err(|error| address.explain(error))?;
            let peer = stream.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok());
            let peer = peer.ok_or_else(|| io::Error::other("the kernel does not tell who listens at the socket"))?;
            Ok(Dialed { stream: Box::new(stream), peer: Some(peer) })
        }
        .boxed()
    }
}

/// Connects a unix socket by hyperlocal's connector, which does not tell who listens: for sockets of the embedded cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperlocalDial;

impl Dial for HyperlocalDial {
    fn dial<'a>(&'a self, socket: &'a Path) -> BoxFuture<'a, io::Result<Dialed>> {
        async move {
            let address = Address::of(socket)?;
            let uri: http::Uri = hyperlocal::Uri::new(&address.path, "/").into();
            let stream = UnixConnector.call(uri).await.map_err(|error| address.explain(error))?;
            Ok(Dialed { stream: Box::new(stream), peer: None })
        }
        .boxed()
    }
}

/// A path that fits into a socket's address. A longer one goes through the folder's descriptor, which has to stay open.
struct Address {
    path: PathBuf,
    owner: Owner,
    _folder: Option<File>,
}

impl Address {
    /// Refuses what is no socket: a link in a volume that a container can write may point anywhere on the node.
    fn of(socket: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(socket)?;
        let owner = Owner { uid: found.uid(), gid: found.gid(), mode: found.mode() & 0o7777 };
        if !found.file_type().is_socket() {
            return Err(io::Error::other("it is not a socket; a link or another file in its place is not followed"));
        }
        if socket.as_os_str().len() <= LONGEST_PATH {
            return Ok(Self { path: socket.to_owned(), owner, _folder: None });
        }
        let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
            return Err(io::ErrorKind::InvalidFilename.into());
        };
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(Self { path, owner, _folder: Some(folder) })
    }

    fn explain(&self, error: io::Error) -> io::Error {
        self.owner.explain(error)
    }
}

/// What the kernel means by "try again": nobody takes the clients that wait.
const QUEUE_IS_FULL: &str = "other clients wait at the socket already and nobody takes them: the VMM hangs, or it serves \
                             another client for long; end that client";

/// Who may connect to a socket: the VMM makes it for its own user alone.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Owner {
    /// Says what the kernel's word means, where people can do something about it.
    fn explain(self, error: io::Error) -> io::Error {
        let Self { uid, gid, mode } = self;
        let message = match error.kind() {
            io::ErrorKind::PermissionDenied => format!(
                "permission denied: the socket belongs to uid {uid} and gid {gid} with mode {mode:04o}; \
                 run the daemon as that user or as root"
            ),
            io::ErrorKind::WouldBlock => QUEUE_IS_FULL.to_owned(),
            _ => return error,
        };
        io::Error::new(error.kind(), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { uid: 107, gid: 36, mode: 0o700 };

    #[test]
    fn a_socket_that_may_not_be_used_is_told_with_its_owner_and_mode() {
        let told = OWNER.explain(io::ErrorKind::PermissionDenied.into()).to_string();
        let expected = "permission denied: the socket belongs to uid 107 and gid 36 with mode 0700; \
                        run the daemon as that user or as root";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_full_queue_is_told_as_what_it_is() {
        assert_eq!(OWNER.explain(io::ErrorKind::WouldBlock.into()).to_string(), QUEUE_IS_FULL);
    }

    #[test]
    fn other_failures_are_told_as_they_are() {
        assert_eq!(OWNER.explain(io::ErrorKind::NotFound.into()).kind(), io::ErrorKind::NotFound);
    }
}
