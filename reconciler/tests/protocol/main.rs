//! The rule that never loses a VM, under random schedules: controller, daemon, kubelet, VMM and guest as little state machines.
//!
//! The controller's moves are the real `decide::pipeline::next`; the others play the other parties by their measured rules. Views are stale, sides
//! crash, people change their minds. The invariant is checked after every move: the VM never has or was never asked for more than its Pod carries.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod parties;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/vm.rs"]
mod vm;
mod world;

use proptest::prelude::*;
use reef_api::Reason;
use world::{Move, World};

fn moves() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(world::any_move(), 1..220)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn containment_holds_after_every_move_and_every_vm_settles_when_failures_end(moves in moves()) {
        let mut world = World::new();
        for (number, step) in moves.iter().enumerate() {
            world.apply(step);
            if let Some(broken) = world.broken() {
                prop_assert!(false, "after move {number} {step:?}: {broken}\n{world:#?}");
            }
        }
        let rounds = world.calm_down();
        prop_assert!(rounds.is_some(), "did not come to rest:\n{world:#?}");
        let end = world.verdict();
        prop_assert!(
            matches!(end, Reason::Settled | Reason::Infeasible | Reason::RestartRequired),
            "ended as {end}:\n{world:#?}"
        );
        prop_assert_eq!(world.writes_while_resting(), 0, "a settled world is written to");
    }
}

#[test]
fn a_growth_raises_the_pod_before_the_vmm_is_asked() {
    let mut world = World::new();
    world.apply(&Move::Want { vcpus: 4, gib: 4 });
    world.calm_down().unwrap();
    assert_eq!(world.verdict(), Reason::Settled);
    let order = world.log.join(" ");
    assert_eq!(order, "pod 4c/4352Mi ask 4 vCPU ask 4Gi");
}

#[test]
fn a_shrink_asks_the_vmm_before_the_pod_is_lowered() {
    let mut world = World::new();
    world.apply(&Move::Want { vcpus: 1, gib: 1 });
    world.calm_down().unwrap();
    assert_eq!(world.verdict(), Reason::Settled);
    assert_eq!(world.log.join(" "), "ask 1 vCPU ask 1Gi pod 1c/1280Mi");
}

#[test]
fn an_infeasible_growth_leaves_the_vm_alone_and_takes_the_wish_back() {
    let mut world = World::new();
    world.apply(&Move::Want { vcpus: 2, gib: 6 });
    world.node_limit_gib = 4;
    world.calm_down().unwrap();
    assert_eq!(world.verdict(), Reason::Infeasible);
    assert_eq!(world.log, ["pod 2c/6400Mi", "pod 2c/2304Mi"]);
}

#[test]
fn a_revert_of_an_infeasible_size_settles_again() {
    let mut world = World::new();
    world.node_limit_gib = 4;
    world.apply(&Move::Want { vcpus: 2, gib: 6 });
    world.calm_down().unwrap();
    world.apply(&Move::Want { vcpus: 2, gib: 2 });
    world.calm_down().unwrap();
    assert_eq!(world.verdict(), Reason::Settled);
}
