//! How a VMM's socket is connected: the one place where a transport is chosen.
//!
//! Production connects a unix socket and asks the kernel who listens; the embedded cluster's sockets are served by
//! another process than the one that the node shows, and simulation connects in memory.

use futures::FutureExt;
use futures::future::BoxFuture;
use hyperlocal::UnixConnector;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
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

/// Connects a unix socket and tells which process listens, by the word of the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyingDial;

impl Dial for VerifyingDial {
    fn dial<'a>(&'a self, socket: &'a Path) -> BoxFuture<'a, io::Result<Dialed>> {
        async move {
            let address = Address::of(socket)?;
            let stream = UnixStream::connect(&address.path).await?;
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
            let stream = UnixConnector.call(uri).await?;
            Ok(Dialed { stream: Box::new(stream), peer: None })
        }
        .boxed()
    }
}

/// A path that fits into a socket's address. A longer one goes through the folder's descriptor, which has to stay open.
struct Address {
    path: PathBuf,
    _folder: Option<File>,
}

impl Address {
    /// Refuses what is no socket: a link in a volume that a container can write may point anywhere on the node.
    fn of(socket: &Path) -> io::Result<Self> {
        let kind = fs::symlink_metadata(socket)?.file_type();
        if !kind.is_socket() {
            return Err(io::Error::other("it is not a socket; a link or another file in its place is not followed"));
        }
        if socket.as_os_str().len() <= LONGEST_PATH {
            return Ok(Self { path: socket.to_owned(), _folder: None });
        }
        let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
            return Err(io::ErrorKind::InvalidFilename.into());
        };
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }
}
