//! A script from a seed: a fleet, ten commits, people's hands, and what goes wrong meanwhile. All of it is decided here, before anything runs.

use super::wild;
use super::{Change, Deed, Ground, Hotplug, NodeSize, Refuser, Script, Timed, Wanted};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reef_api::{Bytes, MilliCpu, Size, Vcpus};
use std::ops::RangeInclusive;
use std::time::Duration;

/// How large a world a seed makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// VMs.
    pub vms: usize,
    /// Nodes.
    pub nodes: usize,
    /// Commits after the first.
    pub commits: usize,
    /// What goes wrong, beside requests.
    pub troubles: usize,
    /// Until when it does.
    pub troubled: Duration,
}

impl Scale {
    /// Twenty VMs, ten commits, forty minutes of trouble in an hour.
    pub const FULL: Self = Self { vms: 20, nodes: 3, commits: 10, troubles: 60, troubled: Duration::from_secs(2_400) };
    /// Four VMs and ten minutes.
    pub const SMALL: Self = Self { vms: 4, nodes: 2, commits: 5, troubles: 20, troubled: Duration::from_secs(600) };
    /// Two VMs and three minutes: for debug builds.
    pub const TINY: Self = Self { vms: 2, nodes: 2, commits: 3, troubles: 8, troubled: Duration::from_secs(180) };
}

/// Smallest step of memory that a person asks for: a block, so that a change can be much smaller than the size.
const STEP_MIB: u64 = 128;
/// vCPUs of a VM.
const VCPUS: RangeInclusive<u32> = 1..=8;
/// Memory of a VM, in steps.
const STEPS: RangeInclusive<u64> = 8..=64;
/// When the first trouble may come: the cluster is up by then.
const QUIET_MS: u64 = 5_000;
/// What a node must have for each VM of the fleet, in vCPUs and in GiB: sometimes plenty, sometimes too little for every wish.
const ROOM: RangeInclusive<u64> = 4..=9;
/// How many nodes in a hundred boot VMs that grow by DIMMs.
const WITH_DIMMS: f64 = 0.08;

impl Script {
    /// The script of a seed.
    pub fn of(seed: u64, scale: Scale) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let names: Vec<String> = (1..=scale.vms).map(|number| format!("web-{number}")).collect();
        let ground = ground(&mut chance, scale);
        let mut deeds = vec![Timed { at: Duration::ZERO, deed: first_commit(&mut chance, &names) }];
        deeds.extend(commits(&mut chance, &names, scale));
        let nodes: Vec<String> = (1..=scale.nodes).map(|number| format!("node-{number}")).collect();
        for _ in 0..scale.troubles {
            let at = moment(&mut chance, scale);
            deeds.push(Timed { at, deed: wild::trouble(&mut chance, &names, &nodes) });
        }
        deeds.sort_by_key(|timed| timed.at);
        Self { seed, ground, deeds }
    }
}

fn ground(chance: &mut ChaCha8Rng, scale: Scale) -> Ground {
    let vms = u64::try_from(scale.vms).unwrap_or(u64::MAX);
    let nodes = u64::try_from(scale.nodes).unwrap_or(u64::MAX);
    let mut node = || {
        let each = |room: u64| room.saturating_mul(vms).div_ceil(nodes.max(1)).max(9);
        let (cpus, gib) = (each(chance.random_range(ROOM)), each(chance.random_range(ROOM)));
        let hotplug = if chance.random_bool(WITH_DIMMS) { Hotplug::Dimms } else { Hotplug::VirtioMem };
        NodeSize { cpu: MilliCpu(cpus * 1_000), memory: Bytes(gib << 30), hotplug }
    };
    let nodes = (0..scale.nodes).map(|_| node()).collect();
    let refuser = if chance.random_bool(0.5) { Refuser::Kubelet } else { Refuser::Admission };
    let mended_after_ms = u64::try_from(scale.troubled.as_millis()).unwrap_or(u64::MAX);
    Ground { nodes, refuser, mended_after_ms }
}

/// A size that a person may ask for.
pub(super) fn size(chance: &mut ChaCha8Rng) -> Size {
    let (vcpus, steps) = (chance.random_range(VCPUS), chance.random_range(STEPS));
    Size::new(Vcpus(vcpus), Bytes((steps * STEP_MIB) << 20))
}

fn moment(chance: &mut ChaCha8Rng, scale: Scale) -> Duration {
    let end = u64::try_from(scale.troubled.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(chance.random_range(QUIET_MS..end.max(QUIET_MS + 1)))
}

fn first_commit(chance: &mut ChaCha8Rng, names: &[String]) -> Deed {
    let changes = names.iter().map(|vm| Change { vm: vm.clone(), to: Wanted::Size(small(chance)) });
    Deed::Commit { changes: changes.collect() }
}

/// A size to begin with, so that the fleet fits at first.
fn small(chance: &mut ChaCha8Rng) -> Size {
    let (vcpus, steps) = (chance.random_range(1..=4), chance.random_range(8..=32));
    Size::new(Vcpus(vcpus), Bytes((steps * STEP_MIB) << 20))
}

/// Commits at random moments; every third comes right after the one before, and contradicts it.
fn commits(chance: &mut ChaCha8Rng, names: &[String], scale: Scale) -> Vec<Timed> {
    let mut made: Vec<Timed> = Vec::new();
    for _ in 0..scale.commits {
        let hurried = made.last().filter(|_| chance.random_bool(0.33)).cloned();
        let timed = match hurried {
            Some(before) => {
                let at = before.at + Duration::from_millis(chance.random_range(20..6_000));
                let deed = if chance.random_bool(0.3) { undo(chance) } else { contradict(chance, &before.deed) };
                Timed { at, deed }
            }
            None => Timed { at: moment(chance, scale), deed: commit(chance, names) },
        };
        made.push(timed);
    }
    made
}

fn undo(chance: &mut ChaCha8Rng) -> Deed {
    if chance.random_bool(0.7) { Deed::Revert } else { Deed::ForcePush }
}

fn contradict(chance: &mut ChaCha8Rng, before: &Deed) -> Deed {
    let changes =
        before.changes().iter().map(|change| Change { vm: change.vm.clone(), to: Wanted::Size(size(chance)) });
    let changes: Vec<Change> = changes.collect();
    if changes.is_empty() { Deed::Revert } else { Deed::Commit { changes } }
}

fn commit(chance: &mut ChaCha8Rng, names: &[String]) -> Deed {
    let count = chance.random_range(1..=5_usize.min(names.len().max(1)));
    let changes = (0..count).map(|_| Change { vm: wild::one_of(chance, names), to: wanted(chance) });
    Deed::Commit { changes: changes.collect() }
}

fn wanted(chance: &mut ChaCha8Rng) -> Wanted {
    match chance.random_range(0..40) {
        0 => Wanted::Gone,
        1 => Wanted::Garbage,
        2 => Wanted::Beyond(size(chance)),
        3 | 4 => Wanted::Runs(wild::one_of(chance, &RUN_POLICIES.map(str::to_owned))),
        _ => Wanted::Size(size(chance)),
    }
}

/// Run policies that somebody may ask for.
const RUN_POLICIES: [&str; 4] = ["Always", "RerunOnFailure", "Halted", "Once"];
