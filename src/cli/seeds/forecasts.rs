//! `reef sim --plans A..B`: plans held against what then happens, a world for each seed, on all cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Context;
use reef_api::plan::Mode;

use super::Range;
use crate::cli::print;
use crate::simulation::plans::{Forecasts, forecasts};

/// Wrong verdicts that are told; the rest is counted.
const MOST_TOLD: usize = 20;

/// Plays all worlds of the range, and tells which share of the verdicts came true.
pub(super) fn run(range: Range) -> anyhow::Result<ExitCode> {
    let threads = thread::available_parallelism().context("the number of cores cannot be told")?.get();
    let next = AtomicU64::new(range.from);
    let all = Mutex::new(Forecasts::default());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= range.to {
                        return;
                    }
                    let found = played(seed);
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    *all = std::mem::take(&mut *all).plus(found);
                }
            });
        }
    });
    let all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    print::text(&told(&all, range))?;
    Ok(if all.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn played(seed: u64) -> Forecasts {
    let wrong = |what: String| Forecasts { wrong: vec![format!("seed {seed}: {what}")], ..Forecasts::default() };
    match catch_unwind(AssertUnwindSafe(|| forecasts(seed))) {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => wrong(error.to_string()),
        Err(_) => wrong("it panicked".to_owned()),
    }
}

fn told(all: &Forecasts, range: Range) -> String {
    let right: usize = all.right.values().sum();
    let verdicts = right + all.wrong.len();
    let modes = Mode::ALL.iter().filter_map(|mode| Some(format!("{} {}", all.right.get(mode)?, mode.as_str())));
    let share = 100.0 * f64::from(u32::try_from(right).unwrap_or(u32::MAX))
        / f64::from(u32::try_from(verdicts.max(1)).unwrap_or(u32::MAX));
    let wrong: String = all.wrong.iter().take(MOST_TOLD).map(|wrong| format!("WRONG {wrong}\n")).collect();
    let more = all.wrong.len().saturating_sub(MOST_TOLD);
    let more = if more > 0 { format!("... and {more} more\n") } else { String::new() };
    format!(
        "{wrong}{more}{} commits in {} worlds were planned, and {verdicts} VMs judged: {right} as forecast ({share:.2} %; {}), {} otherwise\n",
        all.commits,
        range.to - range.from,
        modes.collect::<Vec<_>>().join(", "),
        all.wrong.len()
    )
}
