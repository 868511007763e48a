//! The whole path in one thread and virtual time: the same seed gives the same trace, every VM settles, containment is never broken.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod api_server;
mod asked;
mod clocks;
mod crashes;
mod fates;
mod fleet;
mod git;
mod health;
mod histories;
mod hypervisor;
mod kubelet;
mod people;
mod plans;
mod policies;
mod random;
mod replica;
mod restores;
mod review;
mod rights;
mod story;
mod suspension;
mod versions;
mod waits;
mod words;

use fleet::Fleet;
use reef::simulation::{World, deterministic};
use reef_api::VirtualMachine;

/// A fleet of two is created, resized by four commits at random moments, and comes to rest.
async fn story(seed: u64) -> String {
    let world = World::start(seed).await.unwrap();
    let mut fleet = Fleet::new(seed, 2);
    world.push("the fleet", &fleet.files()).unwrap();
    world
        .until("the fleet runs", 300, |vms| vms.len() == 2 && vms.values().all(VirtualMachine::is_settled))
        .await
        .unwrap();
    for number in 0..4 {
        fleet.change();
        world.push(&format!("change {number}"), &fleet.files()).unwrap();
        tokio::time::sleep(fleet.pause()).await;
    }
    let wanted = fleet.sizes();
    world
        .until("every VM has its size", 900, |vms| {
            vms.iter().all(|(name, vm)| vm.is_settled() && wanted.get(name) == vm.actual().as_ref())
        })
        .await
        .unwrap();
    assert_eq!(world.cluster.breaches(), [], "seed {seed}");
    world.trace.text()
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        let (first, second) = (deterministic(story(seed)).unwrap(), deterministic(story(seed)).unwrap());
        if let Some((one, other)) = first.lines().zip(second.lines()).find(|(one, other)| one != other) {
            panic!("seed {seed} differs:\n{one}\n{other}");
        }
        assert_eq!(first.lines().count(), second.lines().count(), "seed {seed}");
    }
}
