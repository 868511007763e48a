//! The loop: what the watches and repositories tell goes into one store, each key that is concerned is looked at, and one piece of work for
//! each is under way at a time.
//!
//! ```text
//!  watches ─► store ─► queue (by time) ─► pass ─► pipeline::next ─► job ─┐
//!                ▲                                                       │
//!                └────────────── answer of the API server ◄──────────────┘
//! ```
//! One task owns all of it: no locks, no shared maps. It holds no rule about sizes; those are in `decide`.

mod applications;
mod audit;
mod backoff;
mod census;
mod checks;
mod contests;
mod control;
mod git;
mod jobs;
mod neighbours;
mod outcomes;
mod policed;
mod queue;
mod refusals;
mod removed;
mod sightings;
mod sources;
mod stages;
mod stated;
mod steady;
mod suspects;
mod suspended;
mod task;
mod telling;
mod view;
mod vms;

use std::time::Duration;

use futures::StreamExt;
use reef_watch::Health;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::act::DEADLINE;
use crate::observe::watch;
use crate::seams::{Seams, Settings};
use control::{Control, Watches};

pub use sources::check_source;
pub use view::{Beside, View, view};

/// The loop tells that it is alive at least this often.
pub const BEAT: Duration = Duration::from_secs(15);

/// Passes in a row before other tasks get their turn.
const PASSES_IN_A_ROW: u32 = 32;

/// Why the loop ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Watches go on for ever; without them nothing may be decided.
    #[error("the watches of the API server ended; this is a defect of Reef")]
    WatchEnded,
}

/// Runs the controller until it is told to stop; work that is under way is then finished.
///
/// # Errors
/// When it cannot go on.
pub async fn run(
    seams: Seams,
    settings: Settings,
    shutdown: CancellationToken,
    health: Health,
) -> Result<(), RunError> {
    let mut watched = watch(&seams.watch_client);
    let mut control = Control::new(seams, settings);
    let mut in_a_row = 0;
    loop {
        health.turned(control.ready());
        let now = Instant::now();
        control.tell_metrics(now);
        control.audit(now);
        let wake = control.wake(now);
        in_a_row = if wake <= now { in_a_row + 1 } else { 0 };
        if in_a_row > PASSES_IN_A_ROW {
            in_a_row = 0;
            tokio::task::yield_now().await;
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            (task, report) = control.jobs.ended() => control.ended(&task, report),
            (source, fetched) = control.fetches.ended() => control.fetched(&source, fetched),
            (check, judged) = control.plans.ended() => control.planned(&check, judged),
            seen = watched.next() => {
                if control.seen(seen.ok_or(RunError::WatchEnded)?) == Watches::Void {
                    watched = watch(&control.seams.watch_client);
                }
            }
            Some(source) = control.changes.next(), if !control.changes.is_empty() => control.repository_changed(source),
            () = std::future::ready(()), if wake <= now => control.pass(now),
            () = tokio::time::sleep_until(wake.min(now + BEAT)), if wake > now => {}
        }
    }
    health.turned(false);
    finish(&mut control).await;
    Ok(())
}

/// Waits for what is under way: each piece has its own deadline.
async fn finish(control: &mut Control) {
    let all = async {
        while control.jobs.len() > 0 {
            let _ = control.jobs.ended().await;
        }
    };
    if tokio::time::timeout(DEADLINE.saturating_mul(2), all).await.is_err() {
        tracing::warn!(left = control.jobs.len(), "stopped before all requests were answered");
    }
}

#[cfg(test)]
mod tests;
