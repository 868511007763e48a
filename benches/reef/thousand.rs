//! A thousand VMs: the first apply, passes that change nothing, one change among them, and memory.
//!
//! CPU time and memory are those of `reef controller` as a process of its own. What it counts of itself is read from a
//! second controller in this process, which follows it on the same cluster.

use std::time::Duration;

use anyhow::{Context, bail};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use reef::demo::repository::Change;
use reef::wiring::git;
use reef_api::{SizingPolicy, SizingPolicySpec};
use reef_reconciler::metrics::Counts;
use reef_sim::cluster::ClusterTimings;
use serde_json::json;
use tokio::time::Instant;

use crate::fleet::{self, manifest, size};
use crate::live::{Live, Resident, note};
use crate::machine;
use crate::report::{Report, millis};
use crate::stages::{self, NAMESPACE};

const VMS: usize = 1000;
/// Nodes of 64 CPUs: as many as the VMs need, with room to grow.
const NODES: usize = 40;
/// Passes for one figure of CPU time, which the kernel counts in hundredths of a second.
const PASSES: u32 = 20;
/// Passes that are counted.
const COUNTED: usize = 5;
/// Changes of one VM.
const CHANGES: usize = 9;
/// Until nothing that was started can still be at work.
const QUIET: Duration = Duration::from_secs(1);
/// For an idle process.
const IDLE: Duration = Duration::from_secs(10);
/// Until a thousand VMs run.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures all of it on one cluster.
pub fn measure(git: git::Made, report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let live = Live::start(NODES, ClusterTimings::default(), git).await?;
        create_policy(&live).await?;
        apart(&live, report).await?;
        let controller = begin(&live).await?;
        passes(&live, &controller, report).await?;
        changes(&live, &controller, report).await?;
        let here = machine::resident(std::process::id())?;
        report.add("memory", "controller, cluster, 40 daemons, 1,000 VMs in one process", "MiB", None, vec![here]);
        controller.stop().await?;
        live.stop();
        Ok(())
    })
}

/// The controller as a process of its own: first apply, CPU time, memory.
async fn apart(live: &Live, report: &mut Report) -> anyhow::Result<()> {
    let mut child = live.controller_apart()?;
    let pid = child.id().context("the controller has ended")?;
    let tip = live.repository.push("a beginning", &[note("VMs, soon.")])?;
    live.observed(&tip.id).await?;
    report.add("memory", "reef controller, nothing to do", "MiB", None, vec![machine::resident(pid)?]);
    first_apply(live, pid, report).await?;
    tokio::time::sleep(QUIET).await;
    let before = machine::cpu(pid)?;
    tokio::time::sleep(IDLE).await;
    let idle = (machine::cpu(pid)? - before).as_secs_f64() / IDLE.as_secs_f64();
    report.add("1,000 VMs, nothing changes", "idle: CPU of the controller", "ms/s", None, vec![idle * 1000.0]);
    report.add("memory", "reef controller, 1,000 VMs, idle", "MiB", None, vec![machine::resident(pid)?]);
    report.add("memory", "reef controller, 1,000 VMs, most ever", "MiB", None, vec![machine::peak(pid)?]);
    for pass in Nothing::ALL {
        let (begun, before) = (Instant::now(), machine::cpu(pid)?);
        for number in 0..PASSES {
            pass.start(live, &format!("apart {number}")).await?;
            tokio::time::sleep(QUIET).await;
        }
        let used = (machine::cpu(pid)? - before).as_secs_f64() - idle * begun.elapsed().as_secs_f64();
        let each = 1000.0 * used / f64::from(PASSES);
        report.add("1,000 VMs, nothing changes", format!("{}: CPU", pass.name()), "ms", None, vec![each]);
    }
    child.kill().await?;
    Ok(())
}

async fn first_apply(live: &Live, pid: u32, report: &mut Report) -> anyhow::Result<()> {
    let section = "1,000 VMs, first apply";
    let change = |number| {
        let name = fleet::name(number);
        Change::Write { path: fleet::path(&name), text: manifest(&name, size(1, 1)) }
    };
    let files: Vec<Change> = (0..VMS).map(change).collect();
    let (cpu, begun) = (machine::cpu(pid)?, Instant::now());
    live.repository.push("a thousand VMs", &files)?;
    while live.embedded.cluster.store().list(&stages::vms(), Some(NAMESPACE)).len() < VMS {
        if begun.elapsed() > PATIENCE {
            bail!("the VMs were not created within {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    report.add(section, "push to all applied", "s", None, vec![begun.elapsed().as_secs_f64()]);
    stages::all_settled(&live.embedded.cluster, VMS, PATIENCE).await?;
    report.add(section, "push to all running and settled", "s", None, vec![begun.elapsed().as_secs_f64()]);
    let used = machine::cpu(pid)? - cpu;
    report.add(section, "CPU of the controller until settled", "s", None, vec![used.as_secs_f64()]);
    Ok(())
}

/// A controller in this process that has looked at everything once.
async fn begin(live: &Live) -> anyhow::Result<Resident> {
    let controller = live.controller().await?;
    let tip = live.repository.push("another beginning", &[note("VMs, a thousand.")])?;
    live.observed(&tip.id).await?;
    quiet(&controller).await;
    Ok(controller)
}

/// Waits until the controller counts nothing any more.
async fn quiet(controller: &Resident) -> Counts {
    let mut before = controller.metrics.counts();
    loop {
        tokio::time::sleep(QUIET).await;
        let now = controller.metrics.counts();
        if now == before {
            return now;
        }
        before = now;
    }
}

/// Something that happens and changes no VM.
#[derive(Clone, Copy)]
enum Nothing {
    /// A push that moves no branch.
    SameTip,
    /// A commit to a file that defines nothing.
    OtherFile,
    /// A policy is touched, so that every VM is decided about anew.
    EveryVm,
    /// All watches begin anew with a list.
    Relist,
}

impl Nothing {
    const ALL: [Self; 4] = [Self::SameTip, Self::OtherFile, Self::EveryVm, Self::Relist];

    const fn name(self) -> &'static str {
        match self {
            Self::SameTip => "a fetch that brings nothing",
            Self::OtherFile => "a commit to an unrelated file",
            Self::EveryVm => "every VM decided anew",
            Self::Relist => "everything listed anew",
        }
    }

    /// What of it takes a call by its nature.
    const fn aim(self) -> &'static str {
        match self {
            Self::OtherFile => "0 for VMs, 1 to tell of the commit",
            Self::SameTip | Self::EveryVm | Self::Relist => "0",
        }
    }

    async fn start(self, live: &Live, word: &str) -> anyhow::Result<()> {
        match self {
            Self::SameTip => live.push_nothing(),
            Self::OtherFile => {
                let tip = live.repository.push("a note", &[note(word)])?;
                live.observed(&tip.id).await
            }
            Self::EveryVm => touch_policy(live, word).await,
            Self::Relist => {
                live.embedded.cluster.store().compact();
                live.embedded.cluster.api().drop_watches();
                Ok(())
            }
        }
    }
}

fn policies(live: &Live) -> Api<SizingPolicy> {
    Api::namespaced(live.embedded.connection.requests.clone(), NAMESPACE)
}

async fn create_policy(live: &Live) -> anyhow::Result<()> {
    let policy = SizingPolicy::new("bench", SizingPolicySpec::default());
    policies(live).create(&PostParams::default(), &policy).await?;
    Ok(())
}

async fn touch_policy(live: &Live, word: &str) -> anyhow::Result<()> {
    let patch = Patch::Merge(json!({ "metadata": { "annotations": { "bench": word } } }));
    policies(live).patch("bench", &PatchParams::default(), &patch).await?;
    Ok(())
}

async fn passes(live: &Live, controller: &Resident, report: &mut Report) -> anyhow::Result<()> {
    let section = "1,000 VMs, nothing changes";
    for pass in Nothing::ALL {
        let (mut calls, mut looks, mut walls) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..COUNTED {
            let (before, begun) = (quiet(controller).await, Instant::now());
            pass.start(live, &format!("here {number}")).await?;
            if let Some(wall) = ended(pass, controller, &before, begun).await {
                walls.push(millis(wall));
            }
            let after = quiet(controller).await;
            calls.push(count(after.all_calls() - before.all_calls()));
            looks.push(count(after.passes - before.passes));
        }
        report.add(section, format!("{}: API calls", pass.name()), "", Some(pass.aim()), calls);
        report.add(section, format!("{}: VMs decided about", pass.name()), "", None, looks);
        if !walls.is_empty() {
            report.add(section, format!("{}: wall", pass.name()), "ms", None, walls);
        }
    }
    Ok(())
}

/// How long a pass took, where its end can be seen from outside.
async fn ended(pass: Nothing, controller: &Resident, before: &Counts, begun: Instant) -> Option<Duration> {
    match pass {
        Nothing::SameTip | Nothing::Relist => None,
        Nothing::OtherFile => Some(begun.elapsed()),
        Nothing::EveryVm => {
            let all = before.passes + u64::try_from(VMS).ok()?;
            while controller.metrics.counts().passes < all && begun.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Some(begun.elapsed())
        }
    }
}

/// One VM among all grows.
async fn changes(live: &Live, controller: &Resident, report: &mut Report) -> anyhow::Result<()> {
    let section = "1,000 VMs, one changes";
    let [mut applied, mut settled, mut calls, mut all_calls, mut parsed] = [const { Vec::new() }; 5];
    for number in 0..CHANGES {
        let name = fleet::name((number * 389 + 7) % VMS);
        let before = quiet(controller).await;
        let change = Change::Write { path: fleet::path(&name), text: manifest(&name, size(2, 2)) };
        let push = || live.repository.push("one grows", &[change]).map(|_| ());
        let mut counted = before.clone();
        let then = || counted = controller.metrics.counts();
        let stages = stages::follow(&live.embedded.cluster, &name, size(2, 2), push, then).await?;
        let after = quiet(controller).await;
        applied.push(millis(stages.applied));
        settled.push(millis(stages.settled));
        calls.push(count(counted.all_calls() - before.all_calls()));
        all_calls.push(count(after.all_calls() - before.all_calls()));
        parsed.push(count(after.files_parsed - before.files_parsed));
    }
    report.add(section, "push to applied", "ms", Some("200"), applied);
    report.add(section, "push to settled", "ms", None, settled);
    report.add(section, "API calls until applied", "", Some("3 or fewer"), calls);
    report.add(section, "API calls until settled, status and events included", "", None, all_calls);
    report.add(section, "files parsed", "", Some("1"), parsed);
    Ok(())
}

fn count(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
