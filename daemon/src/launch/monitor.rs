//! The launcher's own way to talk to the VMM: whether the VM runs, its power button, and what happens to it.
//!
//! QEMU gets a second monitor, because the first serves the node daemon alone; it is one end of a pair of sockets that no path leads to. Cloud
//! Hypervisor is asked on its one socket, a connection for each question.

use super::power;
use crate::vmm::qmp::{Event, Qmp};
use crate::vmm::{VmmError, VmmLimits};
use reef_api::vm::VmmKind;
use serde_json::Value;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;

/// Between two looks whether the VMM answers.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Between two attempts to go on after a disk was full.
const GO_ON_EVERY: Duration = Duration::from_secs(10);

/// For what a VMM that has ended had still to tell: a child that it left may hold its monitor open.
const LAST_EVENTS_WITHIN: Duration = Duration::from_secs(1);

/// A connection, or the place of one.
pub(super) enum Monitor {
    /// QEMU's private monitor, until it is greeted.
    Pair(UnixStream),
    /// QEMU's private monitor.
    Qmp(Box<Qmp>),
    /// Cloud Hypervisor's socket.
    Socket(PathBuf),
    /// A connection that broke: the VMM's end is seen without it.
    Lost,
}

/// What a VMM tells of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// The guest was stopped because a disk has no room.
    DiskFull,
    /// The machine ends, and its guest did not ask for it.
    ToldToEnd,
    /// Something that changes nothing here.
    Other,
    /// Time to try whether the disk has room again.
    TryAgain,
}

impl Monitor {
    /// A monitor for a VMM that is about to start, and what the VMM gets as its standard input.
    pub(super) fn new(vmm: VmmKind, socket: &Path) -> io::Result<(Self, Option<OwnedFd>)> {
        match vmm {
            VmmKind::CloudHypervisor => Ok((Self::Socket(socket.to_owned()), None)),
            VmmKind::Qemu => {
                let (ours, theirs) = StdUnixStream::pair()?;
                ours.set_nonblocking(true)?;
                Ok((Self::Pair(UnixStream::from_std(ours)?), Some(theirs.into())))
            }
        }
    }

    /// Waits until the VM runs and the daemon's socket is there. No deadline of its own; `last` tells what was tried.
    pub(super) async fn ready(&mut self, socket: &Path, within: Duration, last: &mut String) {
        loop {
            match self.look(within).await {
                Ok(()) if socket.exists() => return,
                Ok(()) => "the socket is not there yet".clone_into(last),
                Err(error) => *last = error,
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether the VM runs.
    async fn look(&mut self, within: Duration) -> Result<(), String> {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Pair(stream) => {
                let limits = VmmLimits { connect: within, ..VmmLimits::default() };
                let qmp = Qmp::open(Box::new(stream), limits).await.map_err(|error| chain(&error))?;
                Self::Qmp(Box::new(qmp))
            }
            other => other,
        };
        match self {
            Self::Qmp(qmp) => {
                let status = qmp.execute("query-status", Value::Null).await.map_err(|error| chain(&error))?;
                let running = status.get("running").and_then(Value::as_bool) == Some(true);
                if running { Ok(()) } else { Err(format!("the VM does not run: {status}")) }
            }
            Self::Socket(socket) => power::runs(socket).await,
            Self::Pair(_) | Self::Lost => Err("the VMM's monitor is gone".to_owned()),
        }
    }

    /// Presses the power button.
    pub(super) async fn power_button(&mut self) -> Result<(), String> {
        match self {
            Self::Qmp(qmp) => {
                let pressed = qmp.execute("system_powerdown", Value::Null).await;
                pressed.map(|_| ()).map_err(|error| chain(&error))
            }
            Self::Socket(socket) => power::press(socket).await,
            Self::Pair(_) | Self::Lost => Err("the VMM's monitor is gone".to_owned()),
        }
    }

    /// Waits for what the VMM tells of its own accord. Giving it up loses nothing.
    pub(super) async fn happened(&mut self, disk_full: bool) -> Happened {
        let Self::Qmp(qmp) = self else { return std::future::pending().await };
        let event = tokio::select! {
            biased;
            event = qmp.next_event() => event,
            () = tokio::time::sleep(GO_ON_EVERY), if disk_full => return Happened::TryAgain,
        };
        match event {
            Ok(event) if no_room(&event) => Happened::DiskFull,
            Ok(event) if told_to_end(&event) => Happened::ToldToEnd,
            Ok(event) => {
                tracing::debug!(event = event.name, "VMM told");
                Happened::Other
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "VMM monitor lost");
                *self = Self::Lost;
                Happened::Other
            }
        }
    }

    /// Whether a VMM that has ended said that it was told to, among what was not heard yet.
    pub(super) async fn was_told_to_end(&mut self) -> bool {
        let heard = async {
            while matches!(self, Self::Qmp(_)) {
                if self.happened(false).await == Happened::ToldToEnd {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(LAST_EVENTS_WITHIN, heard).await.unwrap_or(false)
    }

    /// Lets a guest go on that was stopped by a full disk. It stops again where there is still no room.
    pub(super) async fn go_on(&mut self) {
        if let Self::Qmp(qmp) = self
            && let Err(error) = qmp.execute("cont", Value::Null).await
        {
            tracing::warn!(error = chain(&error), "VM does not go on");
        }
    }
}

fn no_room(event: &Event) -> bool {
    let is = |field: &str| event.data.get(field).and_then(Value::as_bool) == Some(true);
    event.name == "BLOCK_IO_ERROR" && is("nospace")
}

/// QEMU tells of each end whether the guest asked for it; a signal and another client's `quit` are none of the guest's.
fn told_to_end(event: &Event) -> bool {
    event.name == "SHUTDOWN" && event.data.get("guest").and_then(Value::as_bool) == Some(false)
}

fn chain(error: &VmmError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        text = format!("{text}: {found}");
        cause = found.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    type Outcome = Result<(), Box<dyn Error>>;

    const GREETING: &str =
        r#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}"#;
    const FULL: &str = r#"{"event": "BLOCK_IO_ERROR", "data": {"device": "", "nospace": true, "action": "stop", "operation": "write"}}"#;
    const OTHER: &str = r#"{"event": "BLOCK_IO_ERROR", "data": {"device": "", "nospace": false, "action": "report", "operation": "read"}}"#;

    /// A QEMU that says what it is told to after the commands that it was sent.
    async fn monitor(
        events: &'static [&'static str],
    ) -> Result<(Monitor, tokio::task::JoinHandle<Vec<String>>), VmmError> {
        let (ours, theirs) = tokio::io::duplex(4096);
        let served = tokio::spawn(async move {
            let (reading, mut writing) = tokio::io::split(theirs);
            let (mut lines, mut asked) = (BufReader::new(reading).lines(), Vec::new());
            let mut said = format!("{GREETING}\n");
            loop {
                if writing.write_all(said.as_bytes()).await.is_err() {
                    return asked;
                }
                let Ok(Some(line)) = lines.next_line().await else { return asked };
                let command: Value = serde_json::from_str(&line).unwrap_or_default();
                said = format!("{}\n", serde_json::json!({ "return": {}, "id": command["id"] }));
                if asked.is_empty() {
                    said.extend(events.iter().map(|event| format!("{event}\n")));
                }
                asked.push(command["execute"].as_str().unwrap_or_default().to_owned());
            }
        });
        let qmp = Qmp::open(Box::new(ours), VmmLimits::default()).await?;
        Ok((Monitor::Qmp(Box::new(qmp)), served))
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_a_full_disk_stopped_goes_on_by_itself() -> Outcome {
        let (mut monitor, served) = monitor(&[OTHER, FULL]).await?;
        assert_eq!(monitor.happened(false).await, Happened::Other);
        assert_eq!(monitor.happened(false).await, Happened::DiskFull);
        let before = tokio::time::Instant::now();
        assert_eq!(monitor.happened(true).await, Happened::TryAgain);
        assert_eq!(before.elapsed(), GO_ON_EVERY);
        monitor.go_on().await;
        drop(monitor);
        assert_eq!(served.await?, ["qmp_capabilities", "cont"]);
        Ok(())
    }

    #[tokio::test]
    async fn a_monitor_that_ends_is_lost_and_its_button_says_so() -> Outcome {
        let (mut monitor, served) = monitor(&[]).await?;
        served.abort();
        assert_eq!(monitor.happened(false).await, Happened::Other);
        assert_eq!(monitor.power_button().await, Err("the VMM's monitor is gone".to_owned()));
        Ok(())
    }
}
