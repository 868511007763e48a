//! Everything at once: random faults of every party, crashes, and changes of mind. When the faults end, every VM settles.

use crate::fleet::size;
use crate::story::Story;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reef::simulation::deterministic;
use reef_sim::api::{Failure, Fault, WatchFailure};
use reef_sim::cluster::Cluster;
use reef_sim::node::Quirks;
use reef_sim::vmm::{self, Behaviour, CpuEject, FaultPlan, Plug, Unplug};
use std::time::Duration;

/// How likely a request of a role meets a fault while there are faults.
const OF_REQUESTS: f64 = 0.08;
/// Things that go wrong in one story, beside requests.
const TROUBLES: usize = 14;

fn millis(chance: &mut ChaCha8Rng, most: u64) -> Duration {
    Duration::from_millis(chance.random_range(1..most))
}

fn request_fault(chance: &mut ChaCha8Rng) -> Fault {
    let failures = [
        Failure::DropBefore,
        Failure::DropAfter,
        Failure::Status(409),
        Failure::Status(429),
        Failure::Status(500),
        Failure::Status(503),
        Failure::None,
    ];
    let watches =
        [WatchFailure::None, WatchFailure::Ends(millis(chance, 5_000)), WatchFailure::Late(millis(chance, 2_000))];
    let slow = chance.random_bool(0.1);
    Fault {
        failure: failures[chance.random_range(0..failures.len())],
        delay: millis(chance, if slow { 15_000 } else { 50 }),
        reply_delay: millis(chance, if slow { 15_000 } else { 50 }),
        watch: watches[chance.random_range(0..watches.len())],
    }
}

fn quirks(chance: &mut ChaCha8Rng) -> Quirks {
    let mut one = || chance.random_bool(0.25);
    let infeasible = one().then(|| "no".to_owned());
    Quirks { defers: one(), infeasible, stalls: one(), flaps: one(), frozen: one(), ..Quirks::default() }
}

fn behaviour(chance: &mut ChaCha8Rng) -> Behaviour {
    Behaviour {
        cpu_eject: [CpuEject::All, CpuEject::Only(1), CpuEject::Never][chance.random_range(0..3)],
        plug: [Plug::All, Plug::UpTo(1 << 30), Plug::Never][chance.random_range(0..3)],
        unplug: [Unplug::All, Unplug::DownTo(1 << 30), Unplug::Never][chance.random_range(0..3)],
        ..Behaviour::default()
    }
}

fn vmm_fault(chance: &mut ChaCha8Rng) -> FaultPlan {
    let faults = [
        vmm::Fault::Slow(millis(chance, 12_000)),
        vmm::Fault::TooManyRequests,
        vmm::Fault::Internal,
        vmm::Fault::HalfReply,
        vmm::Fault::LostReply,
        vmm::Fault::Hang,
        vmm::Fault::Garbage,
    ];
    FaultPlan {
        fault: faults[chance.random_range(0..faults.len())],
        requests: Some(chance.random_range(1..5)),
        only: None,
    }
}

impl Story {
    /// One thing goes wrong. A control of a VMM that is not there does nothing.
    async fn trouble(&mut self, chance: &mut ChaCha8Rng) {
        let vm = format!("web-{}", chance.random_range(1..=2));
        let node = ["node-1", "node-2"][chance.random_range(0..2)];
        let pod = self.world.cluster.pod_of(&reef_api::VmKey::new("default", vm.as_str()));
        let pod = pod.unwrap_or_else(|| Cluster::pod("default", "none"));
        let cluster = self.world.cluster.clone();
        match chance.random_range(0..11) {
            0 => self.world.start_controller(),
            1 => self.world.start_daemon(node),
            2 => self.world.kill(["controller", node][chance.random_range(0..2)]),
            3 => cluster.set_quirks(node, quirks(chance)).await.unwrap(),
            4 => drop(cluster.set_guest_behaviour(&pod, behaviour(chance)).await),
            5 => drop(cluster.set_vmm_fault(&pod, Some(vmm_fault(chance))).await),
            6 => drop(cluster.set_guest_used(&pod, reef_api::Bytes(chance.random_range(100..1_500) << 20)).await),
            7 => drop(cluster.reboot_guest(&pod).await),
            8 => drop(cluster.kill_vmm(&pod).and_then(|()| cluster.delete_pod(&pod))),
            9 => self.world.cluster.store().compact(),
            _ => self.world.server.drop_watches(),
        }
    }

    /// Everything is as it should be again; whoever is dead is started.
    async fn mend(&mut self) {
        self.world.faults.clear();
        self.world.start_controller();
        for node in ["node-1", "node-2"] {
            self.world.start_daemon(node);
            self.world.cluster.set_quirks(node, Quirks::default()).await.unwrap();
        }
        self.world.server.drop_watches();
        self.wait(30).await;
        for vm in ["web-1", "web-2"] {
            let Some(pod) = self.world.cluster.pod_of(&reef_api::VmKey::new("default", vm)) else { continue };
            let cluster = &self.world.cluster;
            drop(cluster.set_guest_behaviour(&pod, Behaviour::default()).await);
            drop(cluster.set_guest_used(&pod, reef_api::Bytes(100 << 20)).await);
            drop(cluster.set_vmm_fault(&pod, None).await);
            drop(cluster.reboot_guest(&pod).await);
        }
    }
}

async fn story(seed: u64) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut story = Story::of(seed, 2).await;
    let mut of_requests = ChaCha8Rng::seed_from_u64(seed + 1_000);
    story.world.faults.set(move |_| {
        if of_requests.random_bool(OF_REQUESTS) { request_fault(&mut of_requests) } else { Fault::default() }
    });
    for _ in 0..TROUBLES {
        if chance.random_bool(0.5) {
            let wanted = size(chance.random_range(1..=5), chance.random_range(1..=5));
            story.resize(&format!("web-{}", chance.random_range(1..=2)), wanted);
        }
        story.trouble(&mut chance).await;
        tokio::time::sleep(millis(&mut chance, 6_000)).await;
        story.contained();
    }
    story.mend().await;
    // A new commit for each: what was refused or given up is asked for anew.
    story.state("web-1", size(3, 3));
    story.resize("web-2", size(1, 4));
    story.settles(900).await;
    story.rests().await;
}

#[test]
fn when_faults_end_every_vm_settles_and_containment_was_never_broken() {
    for seed in 0..30 {
        println!("seed {seed}");
        deterministic(story(seed)).unwrap();
    }
}
