//! What only QEMU does: slots, a guest that keeps its vCPUs, the guest's own statistics, one client at a time, and the
//! emulation that a removal leaves spent.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

mod support;

use reef_api::{Vcpus, VmmKind};
use reef_daemon::vmm::{Peer, Qemu, VerifyingDial, Vmm as Client, VmmError, VmmLimits};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use support::vmm::{GIB, Vmm};
use support::world::{World, pass, reports};

fn world() -> (World, Vmm) {
    let world = World::new();
    let vmm = world.vm_of(VmmKind::Qemu, "web");
    (world, vmm)
}

#[tokio::test(start_paused = true)]
async fn slots_are_filled_from_the_first_and_emptied_from_the_last_one_by_one() {
    let (world, _vmm) = world();
    let _daemon = world.daemon();
    pass(60).await;
    world.trace();
    world.grant("web", 1, 5, "3Gi");
    pass(60).await;
    let asked = |trace: Vec<String>| -> Vec<String> { trace.into_iter().filter(|it| !it.starts_with("ack")).collect() };
    let grown = ["web device_add 2", "web device_add 3", "web device_add 4", "web requested-size 2048"];
    assert_eq!(asked(world.trace()), grown);
    world.grant("web", 2, 2, "3Gi");
    pass(60).await;
    assert_eq!(asked(world.trace()), ["web device_del 4", "web device_del 3", "web device_del 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_keeps_its_vcpus_is_told_asked_ever_more_rarely_and_followed_when_it_gives_in() {
    let (world, vmm) = world();
    vmm.machine().keeps_vcpus = true;
    let _daemon = world.daemon();
    world.grant("web", 1, 1, "2Gi");
    pass(600).await;
    let trace = world.trace();
    let asked = trace.iter().filter(|entry| entry.starts_with("web device_del")).count();
    assert!((8..30).contains(&asked), "{asked} times: {trace:#?}");
    let told = "ack 1 q 2/2Gi a 2/2Gi CpuRemovalPending";
    assert_eq!(
        reports(trace),
        ["ack 1 q 2/2Gi a 2/2Gi", told, told],
        "and after three minutes that it may be given up"
    );
    assert_eq!(world.api.get("vm/web")["status"]["vmm"]["stuck"], serde_json::json!({ "vcpus": 2 }));
    vmm.machine().keeps_vcpus = false;
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 1/2Gi a 1/2Gi");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_mind_during_a_removal_is_taken_up_at_once() {
    let (world, vmm) = world();
    vmm.machine().follows_after = None;
    let _daemon = world.daemon();
    world.grant("web", 1, 1, "2Gi");
    pass(10).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 1/2Gi a 2/2Gi");
    world.grant("web", 2, 4, "2Gi");
    pass(10).await;
    let trace = world.trace();
    let expected = ["ack 2 q 1/2Gi a 2/2Gi", "web device_add 2", "web device_add 3", "ack 2 q 4/2Gi a 4/2Gi"];
    assert_eq!(trace, expected);
}

#[tokio::test(start_paused = true)]
async fn a_vcpu_that_leaves_late_is_put_back() {
    let (world, vmm) = world();
    vmm.machine().follows_after = None;
    let _daemon = world.daemon();
    world.grant("web", 1, 1, "2Gi");
    pass(10).await;
    world.grant("web", 2, 2, "2Gi");
    pass(10).await;
    assert_eq!(world.trace().last().unwrap(), "ack 2 q 2/2Gi a 2/2Gi");
    {
        let mut machine = vmm.machine();
        (machine.vcpus_present, machine.vcpus_requested) = (1, 1);
    }
    pass(60).await;
    assert_eq!(world.trace(), ["web device_add 1"]);
    assert_eq!(vmm.machine().vcpus_present, 2);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_the_guest_did_not_hear_of_is_asked_for_again() {
    let (world, vmm) = world();
    vmm.machine().is_deaf = true;
    let _daemon = world.daemon();
    world.grant("web", 1, 1, "2Gi");
    pass(25).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 1/2Gi a 2/2Gi");
    pass(15).await;
    let trace = world.trace();
    assert_eq!((trace[0].as_str(), trace.last().unwrap().as_str()), ("web device_del 1", "ack 1 q 1/2Gi a 1/2Gi"));
}

#[tokio::test(start_paused = true)]
async fn an_emulated_machine_that_lost_a_vcpu_gets_no_other_one_also_from_the_next_daemon() {
    let (world, vmm) = world();
    vmm.machine().emulated = true;
    let daemon = world.daemon();
    world.grant("web", 1, 3, "2Gi");
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 3/2Gi a 3/2Gi");
    world.grant("web", 2, 1, "2Gi");
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 2 q 1/2Gi a 1/2Gi");
    world.grant("web", 3, 2, "4Gi");
    pass(60).await;
    drop(daemon);
    let _daemon = world.daemon();
    pass(60).await;
    let trace = world.trace();
    assert_eq!(trace.last().unwrap(), "ack 3 q 1/4Gi a 1/4Gi RestartRequired");
    assert!(!trace.iter().any(|entry| entry.contains("device_add")), "{trace:#?}");
    assert!(!vmm.machine().gone);
}

#[tokio::test(start_paused = true)]
async fn vcpus_are_counted_by_slots_where_threads_have_no_names() {
    let (world, vmm) = world();
    vmm.machine().names_threads = false;
    let _daemon = world.daemon();
    world.grant("web", 1, 4, "2Gi");
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 4/2Gi a 4/2Gi");
}

#[tokio::test(start_paused = true)]
async fn the_guests_statistics_let_a_shrink_pass_that_its_page_cache_would_hold_up() {
    let (world, vmm) = world();
    {
        let mut machine = vmm.machine();
        (machine.used, machine.tells) = (2 * GIB, Some((2 * GIB, 3 * GIB / 2)));
    }
    let _daemon = world.daemon();
    world.grant("web", 1, 2, "1Gi");
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 2/1Gi a 2/1Gi");
}

#[tokio::test(start_paused = true)]
async fn pressure_is_told_by_the_guests_own_word_while_it_speaks() {
    let (world, vmm) = world();
    {
        let mut machine = vmm.machine();
        (machine.used, machine.tells) = (2 * GIB, Some((2 * GIB, GIB / 2)));
    }
    let _daemon = world.daemon();
    world.grant("web", 1, 2, "1Gi");
    pass(60).await;
    let used = |world: &World| world.api.get("vm/web")["status"]["vmm"]["used"].clone();
    assert_eq!(used(&world), json!({ "bytes": "1536Mi", "source": "GuestStatistics" }));
    vmm.machine().tells = None;
    pass(60).await;
    assert_eq!(used(&world), json!({ "bytes": "2Gi", "source": "Cgroup" }));
}

#[tokio::test(start_paused = true)]
async fn a_balloon_that_refuses_to_tell_holds_nothing_up() {
    let (world, vmm) = world();
    vmm.machine().refuses_statistics = true;
    let _daemon = world.daemon();
    world.grant("web", 1, 3, "2Gi");
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 3/2Gi a 3/2Gi");
}

/// The guest speaks every two seconds; what its container takes in between is seen at once.
#[tokio::test(start_paused = true)]
async fn a_guest_that_takes_memory_after_it_spoke_keeps_the_gate_shut() {
    let (world, vmm) = world();
    {
        let mut machine = vmm.machine();
        (machine.used, machine.tells) = (GIB / 2, Some((2 * GIB, 3 * GIB / 2)));
    }
    let _daemon = world.daemon();
    pass(61).await;
    vmm.machine().used = 2 * GIB;
    world.grant("web", 1, 2, "1Gi");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let trace = world.trace();
    assert_eq!(trace.last().unwrap(), "ack 1 q 2/2Gi a 2/2Gi GuestPressure", "{trace:#?}");
}

#[tokio::test]
async fn a_socket_that_serves_another_client_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qmp.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let limits = VmmLimits { connect: Duration::from_millis(200), ..VmmLimits::default() };
    let mut client = Qemu::new(Arc::new(VerifyingDial), socket.clone(), Peer::process(std::process::id()), limits);
    let error = client.observe().await.unwrap_err();
    assert!(matches!(error, VmmError::Occupied { .. }), "{error}");
    let mut wary = Qemu::new(Arc::new(VerifyingDial), socket, Peer::process(1), limits);
    let error = wary.set_vcpus(Vcpus(2)).await.unwrap_err();
    assert!(matches!(error, VmmError::WrongPeer { expected: 1, .. }), "{error}");
}
