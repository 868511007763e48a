//! How long a resize takes beside what the simulated parties need for it: a growth, a shrink, and a mixed change of one VM.

use std::collections::BTreeMap;
use std::time::Duration;

use reef::demo::repository::Change;
use reef::simulation::{World, deterministic};
use reef::wiring::git;
use reef_api::Size;
use reef_sim::cluster::{Cluster, ClusterTimings};

use crate::delays::{Floor, floor, pinned};
use crate::fleet::{self, manifest, size};
use crate::live::Live;
use crate::report::{Report, millis};
use crate::stages::{self, Stages};

/// The size that a round begins and ends with.
const SMALL: Size = size(2, 2);
/// One round: what it is, and the size after it.
const ROUND: [(&str, Size); 3] = [("growth", size(4, 6)), ("mixed change", size(6, 4)), ("shrink", SMALL)];
/// Rounds in real time: some nine seconds each.
const LIVE_ROUNDS: usize = 7;
/// Rounds in virtual time.
const VIRTUAL_ROUNDS: usize = 20;
/// Between two pushes, so that none waits for the one before.
const REST: Duration = Duration::from_secs(1);
/// The same where it costs nothing: long enough that the budget for writes to one VM is never used up.
const VIRTUAL_REST: Duration = Duration::from_secs(120);
/// Until a VM of which nothing is known has booted.
const BOOT: Duration = Duration::from_secs(60);

/// Real HTTP, real sockets, a real repository.
pub fn measure_live(git: git::Made, report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let samples = runtime.block_on(async {
        let live = Live::start(2, pinned(), git).await?;
        let controller = live.controller().await?;
        let push = |size: Size| {
            let name = fleet::name(0);
            let change = Change::Write { path: fleet::path(&name), text: manifest(&name, size) };
            live.repository.push("a size", &[change]).map(|_| ())
        };
        let samples = rounds(&live.embedded.cluster, LIVE_ROUNDS, REST, &push).await;
        controller.stop().await?;
        live.stop();
        samples
    })?;
    tell("one resize, real time", &samples, report);
    Ok(())
}

/// One thread, virtual time; the API server takes 1 to 4 ms for each request.
pub fn measure_virtual(report: &mut Report) -> anyhow::Result<()> {
    let samples = deterministic(async {
        let world = World::start_in(1, |options| options.timings = pinned()).await?;
        let push = |size: Size| {
            let name = fleet::name(0);
            let files = BTreeMap::from([(fleet::path(&name), manifest(&name, size))]);
            Ok(world.push("a size", &files).map(|_| ())?)
        };
        rounds(&world.cluster, VIRTUAL_ROUNDS, VIRTUAL_REST, &push).await
    })??;
    tell("one resize, virtual time", &samples, report);
    Ok(())
}

struct Sample {
    stages: Stages,
    floor: Floor,
}

type Samples = BTreeMap<&'static str, Vec<Sample>>;
type Push<'a> = &'a dyn Fn(Size) -> anyhow::Result<()>;

async fn rounds(cluster: &Cluster, count: usize, rest: Duration, push: Push<'_>) -> anyhow::Result<Samples> {
    let timings = boot(cluster, push).await?;
    let mut samples = Samples::new();
    let mut from = SMALL;
    for _ in 0..count {
        for (what, to) in ROUND {
            let stages = stages::follow(cluster, &fleet::name(0), to, || push(to), || {}).await?;
            samples.entry(what).or_default().push(Sample { stages, floor: floor(&timings, from, to) });
            from = to;
            tokio::time::sleep(rest).await;
        }
    }
    Ok(samples)
}

/// A guest that has booted follows only after its drivers are loaded.
async fn boot(cluster: &Cluster, push: Push<'_>) -> anyhow::Result<ClusterTimings> {
    push(SMALL)?;
    stages::all_settled(cluster, 1, BOOT).await?;
    let timings = pinned();
    tokio::time::sleep(timings.vmm.driver_loaded.to + REST).await;
    Ok(timings)
}

fn tell(section: &'static str, samples: &Samples, report: &mut Report) {
    for (what, samples) in samples {
        let ratios = |of: &dyn Fn(&Sample) -> (Duration, Duration)| {
            samples.iter().map(of).map(|(whole, own)| whole.as_secs_f64() / own.as_secs_f64()).collect::<Vec<_>>()
        };
        let beyond = |of: &dyn Fn(&Sample) -> (Duration, Duration)| {
            samples.iter().map(of).map(|(whole, own)| millis(whole.saturating_sub(own))).collect::<Vec<_>>()
        };
        let settled = |sample: &Sample| (sample.stages.settled, sample.floor.settled);
        let asked = |sample: &Sample| (sample.stages.last_request, sample.floor.last_request);
        let applied = samples.iter().map(|sample| millis(sample.stages.applied)).collect();
        let aim = Some("1.2");
        report.add(section, format!("{what}: push to settled / parties' own delays"), "", aim, ratios(&settled));
        report.add(section, format!("{what}: push to last VMM request / parties' own delays"), "", aim, ratios(&asked));
        report.add(
            section,
            format!("{what}: push to settled, beyond the parties' delays"),
            "ms",
            None,
            beyond(&settled),
        );
        let name = format!("{what}: push to last VMM request, beyond the parties' delays");
        report.add(section, name, "ms", None, beyond(&asked));
        report.add(section, format!("{what}: push to applied"), "ms", None, applied);
    }
}
