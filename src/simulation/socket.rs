//! The way from a daemon to a VMM's socket in memory: it tells which process listens, counts connections, and is where a daemon dies around a resize.

use super::invariants::{Inspector, Invariant};
use super::script::Moment;
use super::traps::{Effect, Traps};
use futures::FutureExt;
use futures::future::BoxFuture;
use reef_daemon::vmm::{Dial, Dialed};
use reef_sim::vmm::{Vmm, VmmNet};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// How long a connection that was given up may take to close.
const CLOSES: Duration = Duration::from_millis(5);
/// How a resize begins on the wire.
const RESIZE: &[u8] = b"PUT /api/v1/vm.resize";

/// Connects a daemon to the sockets of VMMs in memory.
#[derive(Clone)]
pub struct WatchedDial {
    net: VmmNet,
    role: String,
    traps: Traps,
    inspector: Option<Inspector>,
    open: Open,
}

/// Connections that are open, by socket.
type Open = Arc<Mutex<BTreeMap<PathBuf, u32>>>;

impl WatchedDial {
    /// The way of one daemon, for as long as it lives.
    pub(super) fn new(net: VmmNet, role: &str, traps: Traps, inspector: Option<Inspector>) -> Self {
        Self { net, role: role.to_owned(), traps, inspector, open: Open::default() }
    }

    fn count(&self, socket: &Path) -> Counted {
        let counted = Counted { socket: socket.to_owned(), open: self.open.clone() };
        if counted.change(|count| count + 1) > 1
            && let Some(inspector) = self.inspector.clone()
        {
            let (role, socket, open) = (self.role.clone(), socket.to_owned(), self.open.clone());
            tokio::spawn(async move {
                tokio::time::sleep(CLOSES).await;
                let count = open.lock().unwrap_or_else(PoisonError::into_inner).get(&socket).copied().unwrap_or(0);
                if count > 1 {
                    let told = format!("{role} keeps {count} connections to {}", socket.display());
                    inspector.fail(Invariant::SingleFlight, None, told);
                }
            });
        }
        counted
    }
}

impl Dial for WatchedDial {
    fn dial<'a>(&'a self, socket: &'a Path) -> BoxFuture<'a, io::Result<Dialed>> {
        async move {
            let stream = self.net.connect(socket)?;
            let vmm = self.net.listener(socket);
            let peer = vmm.as_ref().map(Vmm::pid);
            let (role, traps, inspector) = (self.role.clone(), self.traps.clone(), self.inspector.clone());
            let _counted = self.count(socket);
            let watched = Watched { stream, vmm, role, traps, inspector, breathes_last: false, _counted };
            Ok(Dialed { stream: Box::new(watched), peer })
        }
        .boxed()
    }
}

struct Counted {
    socket: PathBuf,
    open: Open,
}

impl Counted {
    fn change(&self, change: impl FnOnce(u32) -> u32) -> u32 {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(self.socket.clone()).or_default();
        *count = change(*count);
        *count
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.change(|count| count.saturating_sub(1));
    }
}

struct Watched {
    stream: DuplexStream,
    vmm: Option<Vmm>,
    role: String,
    traps: Traps,
    inspector: Option<Inspector>,
    breathes_last: bool,
    _counted: Counted,
}

impl Watched {
    /// A resize is sent only when the VMM has served every one of before, whoever sent it and whether or not it was given up.
    fn check_alone(&self) {
        let before = self.vmm.as_ref().map_or(0, Vmm::unserved_resizes);
        if let Some(inspector) = self.inspector.as_ref().filter(|_| before > 0) {
            let told = format!("{} sends a resize while the VMM has one of before to serve", self.role);
            inspector.fail(Invariant::SingleFlight, None, told);
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, into));
        if std::mem::take(&mut self.breathes_last) {
            self.traps.kill_soon(&self.role);
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // A request is small: hyper hands it over in one piece, or its head by itself.
        let resizes = bytes.windows(RESIZE.len()).any(|window| window == RESIZE);
        if resizes {
            self.check_alone();
        }
        let dies = if resizes { self.traps.step(&self.role, Effect::Resize) } else { None };
        if dies == Some(Moment::Before) {
            self.traps.kill(&self.role);
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        match dies {
            Some(Moment::Sent) => self.traps.kill(&self.role),
            Some(Moment::After) => self.breathes_last = true,
            Some(Moment::Before) | None => {}
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::super::invariants::Recording;
    use super::*;
    use jiff::Timestamp;
    use reef_api::size::DEFAULT_OVERHEAD;
    use reef_sim::cluster::{Cluster, ClusterOptions, VirtualClock};
    use reef_sim::vmm::{Fault, FaultPlan, Machine, VmConfig, VmmTimings};
    use tokio::io::AsyncWriteExt;
    use tokio::time::Instant;

    const RESIZE_TO_THREE: &[u8] =
        b"PUT /api/v1/vm.resize HTTP/1.1\r\nHost: vmm\r\nContent-Length: 19\r\n\r\n{\"desired_vcpus\":3}";

    async fn sends(dial: &WatchedDial, path: &Path) {
        let mut dialed = dial.dial(path).await.unwrap();
        dialed.stream.write_all(RESIZE_TO_THREE).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_resize_that_is_sent_while_one_of_before_is_unserved_is_found() {
        let clock = Arc::new(VirtualClock::starting_at(Timestamp::UNIX_EPOCH));
        let cluster = Cluster::new(ClusterOptions::two_nodes(1, clock));
        let inspector = Inspector::of(&cluster, DEFAULT_OVERHEAD, Recording::Off);
        let machine = Machine::booted(
            VmConfig::elastic(2, 8, 1 << 30, 1 << 30, 4 << 30),
            VmmTimings::default(),
            7,
            Duration::ZERO,
        );
        let vmm = Vmm::start(machine.unwrap(), 4711, Duration::from_millis(2), Instant::now(), None);
        vmm.set_fault(Some(FaultPlan::next(Fault::Overtaken(Duration::ZERO), 1, "vm.resize"))).await.unwrap();
        let (net, path) = (VmmNet::default(), Path::new("/run/vmm/ch.sock"));
        net.bind(path, vmm);
        let dial = WatchedDial::new(net, "node-1", Traps::default(), Some(inspector.clone()));
        sends(&dial, path).await;
        assert_eq!(inspector.failure(), None);
        sends(&dial, path).await;
        assert_eq!(inspector.failure().map(|failure| failure.invariant), Some(Invariant::SingleFlight));
    }
}
