//! A program that runs to its end: how long it took, how much CPU, and the most memory it ever had, as the kernel counts them for its parent.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::Instant;
use wait4::Wait4;

use crate::report::Report;

const KIB_PER_MIB: u64 = 1024;
const BYTES_PER_KIB: u64 = 1024;

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// From its start to its end.
    pub wall: Duration,
    /// CPU of all its threads, in user and kernel.
    pub cpu: Duration,
    /// The most resident memory in MiB. The kernel counts from the parent's on, so that a small parent has to measure.
    pub peak: f64,
}

/// Runs a program whose output goes to a file. It has to end with one of these codes.
pub fn run(command: &mut Command, output: &Path, codes: &[i32]) -> anyhow::Result<Cost> {
    let file = File::create(output).with_context(|| format!("{} cannot be written", output.display()))?;
    command.stdin(Stdio::null()).stdout(file).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?} cannot be started"))?;
    let told = child.stderr.take().map(std::io::read_to_string).transpose()?.unwrap_or_default();
    let ended = child.wait4()?;
    let wall = begun.elapsed();
    if !ended.status.code().is_some_and(|code| codes.contains(&code)) {
        bail!("{command:?} ended with {}: {told}", ended.status);
    }
    let kib = u32::try_from(ended.rusage.maxrss / BYTES_PER_KIB)?;
    let peak = f64::from(kib) / f64::from(u32::try_from(KIB_PER_MIB)?);
    Ok(Cost { wall, cpu: ended.rusage.utime + ended.rusage.stime, peak })
}

/// Adds what runs of the same kind took.
pub fn told(report: &mut Report, section: &'static str, what: &str, costs: &[Cost]) {
    let of = |part: fn(&Cost) -> f64| costs.iter().map(part).collect::<Vec<f64>>();
    report.add(section, format!("{what}: wall"), "s", None, of(|cost| cost.wall.as_secs_f64()));
    report.add(section, format!("{what}: CPU"), "s", None, of(|cost| cost.cpu.as_secs_f64()));
    report.add(section, format!("{what}: most memory"), "MiB", None, of(|cost| cost.peak));
}
