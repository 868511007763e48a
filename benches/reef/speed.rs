//! How fast the simulation is: a story of 20 VMs and ten commits in virtual time, as the tests tell it, on one core.
//!
//! Counted in CPU time, so that other work on the machine does not count.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reef::simulation::{World, deterministic};
use reef_api::{MilliCpu, Size, VirtualMachine};
use std::collections::BTreeMap;
use tokio::time::Instant;

use crate::fleet::{manifest, name, path, size};
use crate::machine;
use crate::report::Report;

const SEEDS: u64 = 12;
const VMS: usize = 20;
const COMMITS: usize = 10;

/// Tells one story for each seed.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let (mut speeds, mut virtual_seconds, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        let begun = machine::cpu(std::process::id())?;
        let told = deterministic(story(seed))??;
        speeds.push(1.0 / (machine::cpu(std::process::id())? - begun).as_secs_f64());
        virtual_seconds.push(told.time.as_secs_f64());
        changes.push(f64::from(u32::try_from(told.changes)?));
    }
    let section = "simulation";
    report.add(section, format!("stories of {VMS} VMs and {COMMITS} commits, one core"), "seeds/s", None, speeds);
    report.add(section, "virtual time of one story", "s", None, virtual_seconds);
    report.add(section, "changes of objects in one story", "", None, changes);
    Ok(())
}

/// What a story comes to.
struct Told {
    time: Duration,
    changes: u64,
}

async fn story(seed: u64) -> anyhow::Result<Told> {
    let roomy = |options: &mut reef_sim::cluster::ClusterOptions| {
        options.nodes.iter_mut().for_each(|node| node.cpu = MilliCpu(64_000));
    };
    let begun = Instant::now();
    let world = World::start_in(seed, roomy).await?;
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut sizes: BTreeMap<String, Size> = (0..VMS).map(|number| (name(number), size(2, 2))).collect();
    push(&world, &sizes)?;
    world.until("the fleet runs", 300, |vms| vms.len() == VMS && vms.values().all(VirtualMachine::is_settled)).await?;
    for _ in 0..COMMITS {
        for size_of in sizes.values_mut() {
            if chance.random_bool(0.5) {
                *size_of = size(chance.random_range(1..=4), chance.random_range(1..=3));
            }
        }
        push(&world, &sizes)?;
        tokio::time::sleep(Duration::from_millis(chance.random_range(10..20_000))).await;
    }
    let has = |name: &String, vm: &VirtualMachine| vm.is_settled() && sizes.get(name) == vm.actual().as_ref();
    world.until("every VM has its size", 900, |vms| vms.iter().all(|(name, vm)| has(name, vm))).await?;
    Ok(Told { time: begun.elapsed(), changes: world.cluster.store().version() })
}

fn push(world: &World, sizes: &BTreeMap<String, Size>) -> anyhow::Result<()> {
    let files = sizes.iter().map(|(name, size)| (path(name), manifest(name, *size))).collect();
    world.push("sizes", &files)?;
    Ok(())
}
