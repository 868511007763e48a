//! What Linux tells of a process and of the machine. Reads `/proc` only.

use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

/// The kernel counts CPU time for people in hundredths of a second, on every architecture.
const TICKS_PER_SECOND: u64 = 100;
const KIB_PER_MIB: f64 = 1024.0;

/// CPU time of a process so far, its ended threads included: `utime` and `stime` of `/proc/PID/stat`.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let text = read(pid, "stat")?;
    // The second field is a name in brackets and may hold anything; what follows it has fixed places.
    let (_, fields) = text.rsplit_once(')').context("/proc/PID/stat has no name")?;
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 1000 / TICKS_PER_SECOND))
}

/// Resident memory of a process in MiB.
pub fn resident(pid: u32) -> anyhow::Result<f64> {
    status(pid, "VmRSS:")
}

/// The most resident memory that a process ever had, in MiB.
pub fn peak(pid: u32) -> anyhow::Result<f64> {
    status(pid, "VmHWM:")
}

/// The machine, as far as it matters for a figure.
pub fn described() -> Value {
    let cpus = std::thread::available_parallelism().map(usize::from).unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| field(&text, "MemTotal:"));
    json!({ "cpus": cpus, "memoryMiB": memory.map(|kib| (kib / KIB_PER_MIB).round()), "arch": std::env::consts::ARCH })
}

fn status(pid: u32, name: &str) -> anyhow::Result<f64> {
    let kib = field(&read(pid, "status")?, name).ok_or_else(|| anyhow!("/proc/{pid}/status has no {name}"))?;
    Ok(kib / KIB_PER_MIB)
}

fn field(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read; the figures need Linux"))
}
