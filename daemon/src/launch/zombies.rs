//! What the first process of a container owes the others: it waits for those whose parents are gone.
//!
//! The VMM is not waited for here: its end is the launcher's own.

use rustix::process::{Pid, WaitOptions, waitpid};
use std::fs;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Reaps processes that were left to this one.
pub(super) struct Zombies {
    ended: Option<Signal>,
    vmm: Option<u32>,
}

impl Zombies {
    /// Begins to listen, where this is the first process of its container.
    pub(super) fn of(vmm: Option<u32>) -> Self {
        let first = std::process::id() == 1;
        Self { ended: first.then(|| signal(SignalKind::child()).ok()).flatten(), vmm }
    }

    /// Waits until a process has ended, and reaps those that nobody else does.
    pub(super) async fn reap(&mut self) {
        match &mut self.ended {
            Some(ended) => drop(ended.recv().await),
            None => std::future::pending().await,
        }
        for pid in zombies(std::process::id()) {
            let is_vmm = Some(pid.as_raw_nonzero().get().unsigned_abs()) == self.vmm;
            if !is_vmm && let Err(error) = waitpid(Some(pid), WaitOptions::NOHANG) {
                tracing::debug!(%error, "process not reaped");
            }
        }
    }
}

/// Children of a process that have ended and were not waited for.
fn zombies(parent: u32) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| is_zombie_of(*pid, parent)).filter_map(Pid::from_raw).collect()
}

fn is_zombie_of(pid: i32, parent: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name is in brackets and may hold anything, brackets too.
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let mut fields = rest.split_whitespace();
    fields.next() == Some("Z") && fields.next() == Some(parent.to_string().as_str())
}
