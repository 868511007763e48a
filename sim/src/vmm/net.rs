//! The sockets of the simulated node in memory: a path leads to a VMM without a file system.
//!
//! Used where time is virtual: real sockets and paused time do not go together.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::DuplexStream;

use super::socket::Endpoint;
use super::task::Vmm;

/// What a connection holds in each direction before the writer waits.
const BUFFER_BYTES: usize = 64 << 10;

/// All sockets in memory, by path.
#[derive(Clone, Debug, Default)]
pub struct VmmNet {
    sockets: Arc<Mutex<BTreeMap<PathBuf, Endpoint>>>,
}

impl VmmNet {
    /// Makes the socket of `vmm`; one that was there under this path is replaced.
    pub fn bind(&self, path: &Path, vmm: Vmm) {
        self.lock().insert(path.to_owned(), Endpoint::new(vmm));
    }

    /// The VMM behind a socket.
    #[must_use]
    pub fn listener(&self, path: &Path) -> Option<Vmm> {
        self.lock().get(path).map(|endpoint| endpoint.vmm().clone())
    }

    /// Removes the socket's file; connections that are open stay so.
    pub fn unbind(&self, path: &Path) {
        self.lock().remove(path);
    }

    /// Connects as `connect(2)` does.
    ///
    /// # Errors
    /// `NotFound` without a socket, `ConnectionRefused` where the process behind it has ended.
    pub fn connect(&self, path: &Path) -> io::Result<DuplexStream> {
        let endpoint = self.lock().get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
        if endpoint.vmm().ended().is_cancelled() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = tokio::io::duplex(BUFFER_BYTES);
        tokio::spawn(endpoint.serve(theirs));
        Ok(ours)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Endpoint>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
