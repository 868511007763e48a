//! Staying with a VM that runs: signals in, the power button out, and the end told.
//!
//! One loop, one owner of the process. Presses the button again from time to time, because a guest that boots does not listen yet.

use super::Stop;
use super::memory::MemoryGroup;
use super::monitor::Happened;
use super::process::Process;
use super::zombies::Zombies;
use crate::decide::launch::{Ending, Told, told};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Between two presses of the power button.
const PRESS_EVERY: Duration = Duration::from_secs(10);
/// SIGKILL.
const KILL: i32 = 9;

/// What was done about the VM's end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Nothing.
    Not,
    /// The power button was pressed; it is pressed again, and the deadline runs.
    Gently { again: Instant, deadline: Instant },
    /// The VMM was killed.
    Killed,
}

/// Waits for the VM's end, whichever way it comes.
pub(super) async fn until_end(
    mut process: Process,
    group: Option<&MemoryGroup>,
    power_off: Duration,
    stop: &Stop,
) -> Told {
    let kills = group.map_or(0, MemoryGroup::kills);
    let mut zombies = Zombies::of(process.pid());
    let (mut asked, mut disk_full, mut told_to_end) = (Asked::Not, false, false);
    let status = loop {
        let (again, deadline) = times(asked);
        tokio::select! {
            biased;
            status = process.child.wait() => break status,
            () = stop.now.cancelled(), if asked != Asked::Killed => asked = kill(&mut process),
            () = sleep_until(deadline), if asked != Asked::Killed && asked != Asked::Not => asked = kill(&mut process),
            () = stop.gently.cancelled(), if asked == Asked::Not => {
                let deadline = Instant::now() + power_off;
                asked = press(&mut process, deadline).await;
            }
            () = sleep_until(again), if asked != Asked::Killed && asked != Asked::Not => asked = press(&mut process, deadline).await,
            happened = process.monitor.happened(disk_full) => match happened {
                Happened::DiskFull => {
                    if !disk_full {
                        tracing::error!("VM stopped: a disk has no room for what the guest writes; make room, and it goes on by itself");
                    }
                    disk_full = true;
                }
                Happened::TryAgain => {
                    disk_full = false;
                    process.monitor.go_on().await;
                }
                Happened::ToldToEnd => told_to_end = true,
                Happened::Other => {}
            },
            () = zombies.reap() => {}
        }
    };
    let out_of_memory = group.is_some_and(|group| group.kills() > kills);
    let told_to_end = told_to_end || process.monitor.was_told_to_end().await;
    let ending = match ending(asked, status, out_of_memory, power_off) {
        Ending::GuestShutDown if told_to_end => Ending::ToldToEnd,
        ending => ending,
    };
    let (words, console) = process.last_lines().await;
    let told = told(&ending, &words, &console);
    tracing::info!(code = told.code, ending = ?ending, "VM ended");
    told
}

fn times(asked: Asked) -> (Instant, Instant) {
    match asked {
        Asked::Gently { again, deadline } => (again, deadline),
        Asked::Not | Asked::Killed => (Instant::now(), Instant::now()),
    }
}

async fn press(process: &mut Process, deadline: Instant) -> Asked {
    match process.monitor.power_button().await {
        Ok(()) => tracing::info!("power button pressed"),
        Err(error) => tracing::warn!(error, "power button not pressed"),
    }
    Asked::Gently { again: Instant::now() + PRESS_EVERY, deadline }
}

fn kill(process: &mut Process) -> Asked {
    tracing::warn!("VMM killed");
    if let Err(error) = process.child.start_kill() {
        tracing::warn!(%error, "VMM not killed");
    }
    Asked::Killed
}

fn ending(asked: Asked, status: std::io::Result<ExitStatus>, out_of_memory: bool, power_off: Duration) -> Ending {
    let (code, signal) = status.map_or((None, None), |status| (status.code(), status.signal()));
    match (asked, code, signal) {
        (Asked::Killed, _, Some(KILL)) => Ending::Killed { within: power_off },
        (Asked::Not, Some(0), _) => Ending::GuestShutDown,
        (_, Some(0), _) => Ending::Stopped,
        (_, Some(code), _) => Ending::Failed { code },
        (_, None, Some(signal)) => Ending::Signalled { signal, out_of_memory },
        (_, None, None) => Ending::Failed { code: 1 },
    }
}
