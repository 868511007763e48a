//! How fast the deterministic simulation is, and what one run of it is made of: 20 VMs, ten commits, mild faults of every
//! kind at random, and an hour of virtual time. `cargo bench --bench simulation -- [FIRST] [RUNS] [THREADS]`.
//!
//! It measures and judges nothing but that containment holds. Each thread has a runtime of its own, as each core has.

mod count;
mod run;

use std::time::Instant;

use anyhow::{Context, anyhow};
use count::Counts;
use reef::simulation::deterministic;

const FIRST: u64 = 1;
const RUNS: u64 = 20;
const THREADS: u64 = 1;

fn main() -> anyhow::Result<()> {
    let numbers = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let numbers: Vec<u64> =
        numbers.map(|text| text.parse().with_context(|| format!("{text} is no number"))).collect::<Result<_, _>>()?;
    let number = |place: usize, usual| numbers.get(place).copied().unwrap_or(usual);
    let (first, runs, threads) = (number(0, FIRST), number(1, RUNS).max(1), number(2, THREADS).max(1));
    #[allow(clippy::disallowed_methods, reason = "the speed of the machine is what is measured")]
    let begun = Instant::now();
    let workers: Vec<_> =
        (0..threads).map(|thread| std::thread::spawn(move || some(first, runs, thread, threads))).collect();
    let mut counts = Counts::default();
    for worker in workers {
        counts.add(&worker.join().map_err(|_| anyhow!("a run panicked"))??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a few thousand runs")]
    let runs = runs as f64;
    println!("{}", counts.table(runs));
    println!(
        "{runs} runs on {threads} threads in {seconds:.2} s: {:.2} ms a run, {:.2} runs a second",
        seconds * 1000.0 / runs,
        runs / seconds
    );
    Ok(())
}

/// Every run of one thread.
fn some(first: u64, runs: u64, thread: u64, threads: u64) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    for seed in (first..first + runs).filter(|seed| seed % threads == thread) {
        counts.add(&deterministic(run::run(seed))??);
    }
    Ok(counts)
}
