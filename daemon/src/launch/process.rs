//! The VMM as a process: started, waited for, and ended, with its output passed on.
//!
//! Knows nothing of sizes; the command line comes ready.

use super::Stop;
use super::console::{Tail, forward};
use super::error::LaunchError;
use super::monitor::Monitor;
use crate::decide::launch::words;
use reef_api::vm::VmmKind;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// For the last of the output after the VMM has ended: a child that it left may hold its pipes open.
const OUTPUT_WITHIN: Duration = Duration::from_secs(1);
/// Lines of the VMM's own words that are told.
const LAST_WORDS: usize = 4;

/// A VMM that was started.
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) monitor: Monitor,
    socket: PathBuf,
    console: Tail,
    words: Tail,
    output: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts the program.
    pub(super) fn start(program: &Path, vmm: VmmKind, line: &[String], socket: PathBuf) -> Result<Self, LaunchError> {
        let broken = |source| LaunchError::VmmBroken { program: program.to_owned(), source };
        let (monitor, input) = Monitor::new(vmm, &socket).map_err(broken)?;
        let mut command = Command::new(program);
        // A group of its own: a terminal's ctrl-C is passed on as a power button, and not to the VMM at once.
        command.args(line).process_group(0).kill_on_drop(true);
        command.stdin(input.map_or_else(Stdio::null, Stdio::from)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(broken)?;
        // The pair's other end must not stay open here, or the monitor never sees the VMM's end.
        drop(command);
        let (console, words) = (Tail::default(), Tail::default());
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            output.push(tokio::spawn(forward(stdout, std::io::stdout(), console.clone())));
        }
        if let Some(stderr) = child.stderr.take() {
            output.push(tokio::spawn(forward(stderr, std::io::stderr(), words.clone())));
        }
        Ok(Self { child, monitor, socket, console, words, output })
    }

    /// Process id, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the VM runs.
    pub(super) async fn ready(&mut self, within: Duration, stop: &Stop) -> Result<(), LaunchError> {
        let mut last = "it was not asked yet".to_owned();
        let ended = tokio::select! {
            biased;
            ended = self.child.wait() => Some(ended),
            () = stop.gently.cancelled() => return Err(LaunchError::StoppedEarly),
            () = tokio::time::sleep(within) => None,
            () = self.monitor.ready(&self.socket, within, &mut last) => return Ok(()),
        };
        self.settle_output().await;
        let said = words(&self.words.last(LAST_WORDS));
        Err(match ended {
            Some(ended) => {
                let how = ended.map_or_else(|error| error.to_string(), describe);
                LaunchError::EndedEarly { how, said }
            }
            None => LaunchError::Silent { within, last, said },
        })
    }

    /// What the VMM said last, and the last lines of the console, once all of its output is read.
    pub(super) async fn last_lines(&mut self) -> (Vec<String>, Vec<String>) {
        self.settle_output().await;
        (self.words.last(LAST_WORDS), self.console.lines())
    }

    /// Kills it where it still runs, and gives the last lines of the console.
    pub(super) async fn end(mut self) -> Vec<String> {
        if let Err(error) = self.child.kill().await {
            tracing::debug!(%error, "VMM not killed");
        }
        self.last_lines().await.1
    }

    async fn settle_output(&mut self) {
        let all = futures::future::join_all(self.output.drain(..));
        if tokio::time::timeout(OUTPUT_WITHIN, all).await.is_err() {
            tracing::debug!("VMM output not read to its end");
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no code".to_owned(),
    }
}
