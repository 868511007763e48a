//! `reef plan` and `reef lint` as a job runs them: the release binary on a clone, and what it takes of time, CPU and memory.

use std::path::Path;
use std::process::Command;

use crate::large::{Large, NAMESPACE};
use crate::once::{self, Cost};
use crate::report::Report;

/// VMs of the repository in which one changes.
const MANY: usize = 50_000;
/// VMs of the repository in which all change.
const CHANGED: usize = 5_000;
/// Files that are looked at without a cluster.
const LINTED: usize = 10_000;
/// Runs of one kind.
const RUNS: usize = 5;
/// The same where each needs a clone of its own.
const CLONES: usize = 3;
/// Rules of a policy that every change of these keeps.
const RULES: [&str; 3] = [
    "old == null || change.vcpus <= 16 && change.memory <= memory('16Gi')",
    "node == null || 2 * new.vcpus <= node.vcpus",
    "'team' in new.labels && new.labels.team.startsWith('b')",
];
/// A plan may find changes, blocked ones, and infeasible ones.
const PLANNED: [i32; 4] = [0, 2, 3, 4];

/// Measures all of it.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    one_among_many(report)?;
    many_changes(report)?;
    linted(report)
}

fn one_among_many(report: &mut Report) -> anyhow::Result<()> {
    let section = "plan: one change among 50,000 VMs";
    let large = Large::of(MANY)?;
    let snapshot = large.snapshot("snapshot.json", &[])?;
    let mut first = Vec::new();
    for number in 0..CLONES {
        first.push(planned(&large, &large.history(&format!("first-{number}"))?, "one", Some(&snapshot), "json")?);
    }
    once::told(report, section, "snapshot, first run in a fresh clone", &first);
    let clone = large.clone("clone")?;
    let again = |snapshot| repeated(|| planned(&large, &clone, "one", snapshot, "json"));
    planned(&large, &clone, "one", None, "json")?;
    once::told(report, section, "snapshot, run again", &again(Some(&snapshot))?);
    once::told(report, section, "--offline, run again", &again(None)?);
    large.change(&clone)?;
    let worked =
        repeated(|| once::run(reef("plan", &clone).args(["--offline", "-o", "json"]), &large.beside("out"), &PLANNED));
    once::told(report, section, "--offline, the working tree, run again", &worked?);
    Ok(())
}

fn many_changes(report: &mut Report) -> anyhow::Result<()> {
    let section = "plan: 5,000 changes on 500 nodes";
    let large = Large::of(CHANGED)?;
    let clone = large.history("clone")?;
    let (plain, ruled) = (large.snapshot("plain.json", &[])?, large.snapshot("ruled.json", &RULES)?);
    let mut costs = [const { Vec::new() }; 3];
    for _ in 0..RUNS {
        let [json, markdown, rules] = &mut costs;
        json.push(planned(&large, &clone, "all", Some(&plain), "json")?);
        rules.push(planned(&large, &clone, "all", Some(&ruled), "json")?);
        markdown.push(planned(&large, &clone, "all", Some(&plain), "markdown")?);
    }
    let page = std::fs::read_to_string(large.beside("out"))?;
    let [json, markdown, rules] = &costs;
    once::told(report, section, "json", json);
    once::told(report, section, "markdown", markdown);
    once::told(report, section, "json, with a policy of three rules", rules);
    let each: Vec<f64> = json.iter().zip(rules).map(|(without, with)| micros(with) - micros(without)).collect();
    let each = each.iter().map(|more| more / count(CHANGED)).collect();
    report.add(section, "three rules, for each VM: CPU", "µs", None, each);
    report.add(section, "the Markdown", "characters", Some("65536"), vec![count(page.chars().count())]);
    report.add(section, "the Markdown", "bytes", None, vec![count(page.len())]);
    Ok(())
}

fn linted(report: &mut Report) -> anyhow::Result<()> {
    let section = "lint: 10,000 files";
    let large = Large::of(LINTED)?;
    let clone = large.clone("clone")?;
    let lint = |more: &[&str]| {
        repeated(|| once::run(reef("lint", &clone).args(["-o", "json"]).args(more), &large.beside("out"), &[0]))
    };
    once::told(report, section, "the working tree", &lint(&[])?);
    once::told(report, section, "a commit", &lint(&["--head", "main"])?);
    Ok(())
}

/// Plans a branch as a pull request against `main`.
fn planned(large: &Large, clone: &Path, branch: &str, snapshot: Option<&Path>, form: &str) -> anyhow::Result<Cost> {
    let mut command = reef("plan", clone);
    command.args(["--base", "origin/main", "--head", &format!("origin/{branch}"), "-o", form]);
    match snapshot {
        Some(file) => command.arg("--snapshot").arg(file),
        None => command.arg("--offline"),
    };
    once::run(&mut command, &large.beside("out"), &PLANNED)
}

fn repeated(run: impl Fn() -> anyhow::Result<Cost>) -> anyhow::Result<Vec<Cost>> {
    (0..RUNS).map(|_| run()).collect()
}

fn reef(verb: &str, clone: &Path) -> Command {
    // Another binary, such as one of an older commit, by the environment.
    let program = std::env::var_os("REEF").unwrap_or_else(|| env!("CARGO_BIN_EXE_reef").into());
    let mut command = Command::new(program);
    command.arg(verb).arg("-C").arg(clone).args(["--namespace", NAMESPACE]);
    command
}

fn micros(cost: &Cost) -> f64 {
    cost.cpu.as_secs_f64() * 1e6
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
