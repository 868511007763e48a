//! One run: a fleet, a person who pushes, and mild faults; everything by chance from the seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reef::simulation::World;
use reef_api::{Bytes, GIB, MilliCpu, Size, Vcpus, VmKey};
use reef_sim::api::{Failure, Fault, WatchFailure};
use reef_sim::cluster::{Cluster, ClusterOptions};
use reef_sim::node::NodeOptions;
use reef_sim::vmm::{self, FaultPlan};
use tokio::time::Instant;

use crate::count::Counts;

const VMS: usize = 20;
const COMMITS: usize = 10;
/// VMs that a commit changes at most.
const CHANGES: usize = 5;
/// Things that go wrong, beside requests.
const TROUBLES: usize = 5;
/// How likely a request of a role meets a fault.
const OF_REQUESTS: f64 = 0.01;
/// Virtual time of a run.
const TIME: Duration = Duration::from_secs(3600);
/// Time at the end in which nothing goes wrong and nobody pushes.
const REST: Duration = Duration::from_secs(600);

/// What happens next.
enum Deed {
    Push,
    Trouble,
}

/// Tells one run.
pub async fn run(seed: u64) -> anyhow::Result<Counts> {
    let begun = Instant::now();
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let nodes = chance.random_range(2..=4_u64);
    let mut world = World::start_in(seed, |options| roomy(options, nodes)).await?;
    let counted = follow(&world);
    faults(&world, seed);
    let mut sizes: BTreeMap<String, Size> = (0..VMS).map(|number| (format!("web-{number}"), size(2, 2))).collect();
    push(&world, &sizes)?;
    let room = u64::try_from((TIME - REST).as_millis())?;
    let mut deeds: BTreeMap<u64, Deed> = BTreeMap::new();
    for number in 0..COMMITS + TROUBLES {
        let deed = if number < COMMITS { Deed::Push } else { Deed::Trouble };
        deeds.insert(chance.random_range(60_000..room), deed);
    }
    for (at, deed) in deeds {
        tokio::time::sleep_until(begun + Duration::from_millis(at)).await;
        match deed {
            Deed::Push => {
                change(&mut sizes, &mut chance);
                push(&world, &sizes)?;
            }
            Deed::Trouble => trouble(&mut world, &mut chance, nodes).await?,
        }
    }
    tokio::time::sleep_until(begun + (TIME - REST)).await;
    world.faults.clear();
    tokio::time::sleep_until(begun + TIME).await;
    ensure!(world.cluster.breaches().is_empty(), "seed {seed}: {:?}", world.cluster.breaches());
    let mut counts = Counts::of(&world);
    counts.add(&counted.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(counts)
}

/// Nodes that hold the fleet together, and not much more.
fn roomy(options: &mut ClusterOptions, nodes: u64) {
    let (cpu, memory) = (MilliCpu(96_000 / nodes), Bytes(GIB.get() * 128 / nodes));
    options.nodes = (1..=nodes).map(|number| NodeOptions::new(&format!("node-{number}"), cpu, memory)).collect();
}

/// Counts every write from now on.
fn follow(world: &World) -> Arc<Mutex<Counts>> {
    let counts = Arc::new(Mutex::new(Counts::default()));
    let (mut changes, record) = (world.cluster.store().subscribe(), counts.clone());
    tokio::spawn(async move {
        while let Ok(change) = changes.next().await {
            record.lock().unwrap_or_else(PoisonError::into_inner).write(&change);
        }
    });
    counts
}

fn faults(world: &World, seed: u64) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed ^ 0xfa_17);
    world.faults.set(move |_| {
        if !chance.random_bool(OF_REQUESTS) {
            return Fault::default();
        }
        let failure = match chance.random_range(0..6) {
            0 => Failure::DropBefore,
            1 => Failure::DropAfter,
            2 => Failure::Status(409),
            3 => Failure::Status(429),
            4 => Failure::Status(500),
            _ => Failure::None,
        };
        let watch = match chance.random_range(0..3) {
            0 => WatchFailure::Ends(Duration::from_millis(chance.random_range(1..60_000))),
            1 => WatchFailure::Late(Duration::from_millis(chance.random_range(1..2_000))),
            _ => WatchFailure::None,
        };
        let delay = Duration::from_millis(chance.random_range(1..2_000));
        Fault { failure, delay, reply_delay: Duration::ZERO, watch }
    });
}

async fn trouble(world: &mut World, chance: &mut ChaCha8Rng, nodes: u64) -> anyhow::Result<()> {
    let node = format!("node-{}", chance.random_range(1..=nodes));
    let vm = VmKey::new("default", format!("web-{}", chance.random_range(0..VMS)));
    let pod = world.cluster.pod_of(&vm).unwrap_or_else(|| Cluster::pod("default", "none"));
    let cluster = world.cluster.clone();
    // A control of a VMM that is not there does nothing.
    match chance.random_range(0..7) {
        0 => world.start_controller(),
        1 => world.start_daemon(&node),
        2 => world.server.drop_watches(),
        3 => cluster.store().compact(),
        4 => drop(cluster.reboot_guest(&pod).await),
        5 => drop(cluster.delete_pod(&pod)),
        _ => {
            let fault = match chance.random_range(0..4) {
                0 => vmm::Fault::TooManyRequests,
                1 => vmm::Fault::Internal,
                2 => vmm::Fault::HalfReply,
                _ => vmm::Fault::LostReply,
            };
            let plan = FaultPlan { fault, requests: Some(chance.random_range(1..5)), only: None };
            drop(cluster.set_vmm_fault(&pod, Some(plan)).await);
        }
    }
    Ok(())
}

fn change(sizes: &mut BTreeMap<String, Size>, chance: &mut ChaCha8Rng) {
    for _ in 0..chance.random_range(1..=CHANGES) {
        let name = format!("web-{}", chance.random_range(0..VMS));
        sizes.insert(name, size(chance.random_range(1..=4), chance.random_range(1..=4)));
    }
}

fn push(world: &World, sizes: &BTreeMap<String, Size>) -> anyhow::Result<()> {
    let files = sizes.iter().map(|(name, size)| (format!("{name}.yaml"), manifest(name, *size))).collect();
    world.push("sizes", &files)?;
    Ok(())
}

fn size(vcpus: u32, gib: u64) -> Size {
    Size::new(Vcpus(vcpus), Bytes(GIB.get() * gib))
}

/// A VM between 1 vCPU, 1Gi and 8 vCPUs, 8Gi.
fn manifest(name: &str, size: Size) -> String {
    format!(
        "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata:\n  name: {name}\n\
         spec:\n  runPolicy: Always\n  instance:\n    cpu:\n      coresPerSocket: {}\n      min: 1\n      max: 8\n    \
         memory:\n      size: {}\n      min: 1Gi\n      max: 8Gi\n",
        size.vcpus, size.memory
    )
}
