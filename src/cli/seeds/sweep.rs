//! Many scripts on all cores: a thread for each core, each run in a runtime of its own.
//!
//! The one place of the seeds that looks at a real clock: for how long, and how many a second.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

use super::{Piece, SeedArgs};
use crate::simulation::invariants::Recording;
use crate::simulation::{Keep, Outcome, Play, play};

/// What came of many runs.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Runs that ended.
    pub(super) runs: u64,
    /// Real time that passed.
    pub(super) took: Duration,
    /// Virtual time that passed in all of them.
    pub(super) lived: Duration,
    /// Requests of roles in all of them.
    pub(super) calls: u64,
    /// The most writes about one VM in one minute.
    pub(super) most_writes: u32,
    /// Threads.
    pub(super) threads: usize,
    /// What failed, and how.
    pub(super) failed: Vec<(Piece, String)>,
}

struct Shared<'a> {
    kept: &'a [Piece],
    fresh: (u64, u64),
    make: &'a (dyn Fn(u64) -> Piece + Sync),
    args: &'a SeedArgs,
    started: Instant,
    next_kept: AtomicUsize,
    next_fresh: AtomicU64,
    stop: AtomicBool,
    swept: Mutex<Swept>,
}

/// Plays the kept scripts, then the fresh seeds, until all are done, time is up, or one has failed.
pub(super) fn sweep(
    kept: &[Piece],
    fresh: (u64, u64),
    make: &(dyn Fn(u64) -> Piece + Sync),
    args: &SeedArgs,
) -> anyhow::Result<Swept> {
    let threads = thread::available_parallelism().context("the number of cores cannot be told")?.get();
    let shared = Shared {
        kept,
        fresh,
        make,
        args,
        started: Instant::now(),
        next_kept: AtomicUsize::new(0),
        next_fresh: AtomicU64::new(fresh.0),
        stop: AtomicBool::new(false),
        swept: Mutex::new(Swept::default()),
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| shared.work());
        }
    });
    let took = shared.started.elapsed();
    let swept = shared.swept.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Swept { took, threads, ..swept })
}

impl Shared<'_> {
    fn work(&self) {
        while let Some(piece) = self.next() {
            let outcome = catch_unwind(AssertUnwindSafe(|| once_or_twice(&piece, self.args)));
            let outcome = outcome.unwrap_or_else(|_| Err("it panicked".to_owned()));
            self.note(piece, outcome);
        }
    }

    fn next(&self) -> Option<Piece> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(piece) = self.kept.get(self.next_kept.fetch_add(1, Ordering::Relaxed)) {
            return Some(piece.clone());
        }
        if self.args.lasts.is_some_and(|lasts| self.started.elapsed() >= lasts) {
            return None;
        }
        let seed = self.next_fresh.fetch_add(1, Ordering::Relaxed);
        (seed < self.fresh.1).then(|| (self.make)(seed))
    }

    fn note(&self, piece: Piece, outcome: Result<Outcome, String>) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        swept.runs += 1;
        let failure = match outcome {
            Ok(outcome) => {
                swept.lived += outcome.lasted;
                swept.calls += u64::try_from(outcome.calls).unwrap_or(u64::MAX);
                swept.most_writes = swept.most_writes.max(outcome.most_writes);
                outcome.failure.map(|failure| failure.to_string())
            }
            Err(told) => Some(told),
        };
        if let Some(told) = failure {
            if self.args.is_short() {
                // Told at once: a long sweep is looked at while it goes on.
                let _ = super::super::print::text(&format!("{}: {told}\n", piece.name));
            }
            if !self.args.keep_going {
                self.stop.store(true, Ordering::Relaxed);
            }
            swept.failed.push((piece, told));
        }
    }
}

fn once_or_twice(piece: &Piece, args: &SeedArgs) -> Result<Outcome, String> {
    let kept = Play { recording: Recording::Off, trace: if args.twice { Keep::Digest } else { Keep::Nothing } };
    let run = || play(&piece.script, kept).map_err(|error| format!("it could not be played: {error}"));
    let first = run()?;
    if args.twice {
        let second = run()?;
        if (first.digest, first.changes) != (second.digest, second.changes) {
            return Err(format!("two runs differ: {} and {} changes", first.changes, second.changes));
        }
    }
    Ok(first)
}
