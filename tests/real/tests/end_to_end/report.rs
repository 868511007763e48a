//! What a run measured: `target/real/report.md` for people and `report.json` for programs, written anew at each entry.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;
use serde::Serialize;

use crate::stages::Stages;

/// One resize.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// The kind of resize and its sizes.
    pub resize: String,
    /// Milliseconds from the push to each stage.
    pub stages: Stages,
}

/// The whole report.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    resizes: Vec<Measured>,
    /// Growth by Reef against the same by hand, in hundredths: until settled, and until the guest has it.
    growth_against_floor: Option<(i64, i64)>,
    floor: Vec<(String, i64)>,
    facts: Vec<(String, String)>,
}

static REPORT: Mutex<Option<Report>> = Mutex::new(None);

/// Adds a resize.
pub fn resize(measured: Measured) -> anyhow::Result<()> {
    change(|report| report.resizes.push(measured))
}

/// Adds what one resize by hand took until the guest had it, in milliseconds.
pub fn by_hand(what: &str, millis: i64) -> anyhow::Result<()> {
    change(|report| report.floor.push((what.to_owned(), millis)))
}

/// Says what growth by Reef took against growth by hand, in hundredths: until settled, and until the guest has it.
pub fn against_floor(settled: i64, guest: i64) -> anyhow::Result<()> {
    change(|report| report.growth_against_floor = Some((settled, guest)))
}

/// Adds a figure of another kind.
pub fn fact(what: &str, value: String) -> anyhow::Result<()> {
    change(|report| report.facts.push((what.to_owned(), value)))
}

fn change(change: impl FnOnce(&mut Report)) -> anyhow::Result<()> {
    let mut report = REPORT.lock().unwrap();
    let report = report.get_or_insert_default();
    change(report);
    let folder = folder()?;
    std::fs::write(folder.join("report.json"), serde_json::to_vec_pretty(report)?)?;
    std::fs::write(folder.join("report.md"), text(report))?;
    Ok(())
}

/// `target/real`, beside what the build made.
fn folder() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(3).map(Path::to_owned).context("the test is in no target folder")?.join("real");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn text(report: &Report) -> String {
    let mut text = "# Resizes of a real guest\n\nMilliseconds after the push, by the clock of this machine. `-` was not seen as a state of its own.\n\n".to_owned();
    text += "| resize | seen | planned | applied | Pod asked | allocated | actual | granted | VMM asked | guest has it | settled |\n";
    text += "|---|---|---|---|---|---|---|---|---|---|---|\n";
    for Measured { resize, stages } in &report.resizes {
        let Stages { seen, planned, applied, pod_asked, allocated, actual, granted, vmm_asked, guest, settled } =
            stages;
        let cells = [seen, planned, applied, pod_asked, allocated, actual, granted, vmm_asked, guest, settled];
        let cells: Vec<String> = cells.iter().map(|cell| cell.map_or("-".to_owned(), |at| at.to_string())).collect();
        text += &format!("| {resize} | {} |\n", cells.join(" | "));
    }
    if !report.floor.is_empty() {
        text += "\nThe same by hand, with a PATCH of the Pod and QMP commands, until the guest had it:\n\n| resize | ms |\n|---|---|\n";
    }
    for (what, millis) in &report.floor {
        text += &format!("| {what} | {millis} |\n");
    }
    if let Some((settled, guest)) = report.growth_against_floor {
        let ratio = |hundredths: i64| format!("{}.{:02}", hundredths / 100, hundredths % 100);
        text += "\nGrowth by Reef against growth by hand until the guest has it: ";
        text += &format!("until the guest has it {}, until settled {}\n", ratio(guest), ratio(settled));
    }
    if !report.facts.is_empty() {
        text += "\n| | |\n|---|---|\n";
    }
    for (what, value) in &report.facts {
        text += &format!("| {what} | {value} |\n");
    }
    text
}
