//! What holds for each VMM: its client by itself, and the whole daemon, which reports and settles the same way.
//!
//! Every test runs once for each VMM. What only one of them does is told in files of their own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

mod support;

use reef_api::vm::BootStatus;
use reef_api::{Bytes, Vcpus, VmmKind};
use reef_daemon::decide::accounting::ConnectionId;
use reef_daemon::decide::classify::RefusalKind;
use reef_daemon::decide::{MachineState, MemoryDevice};
use reef_daemon::vmm::{CloudHypervisor, Delivery, Peer, Qemu, Vmm as Client, VmmError, VmmLimits};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use support::node::Node;
use support::vmm::{GIB, Odd, Vmm};
use support::world::{World, pass, reports};

/// Makes a test of each function for each VMM.
macro_rules! each_vmm {
    ($($name:ident)*) => {
        mod cloud_hypervisor {
            $(#[tokio::test(start_paused = true)]
            async fn $name() {
                super::$name(super::VmmKind::CloudHypervisor).await;
            })*
        }
        mod qemu {
            $(#[tokio::test(start_paused = true)]
            async fn $name() {
                super::$name(super::VmmKind::Qemu).await;
            })*
        }
    };
}

each_vmm! {
    a_vm_is_read_with_its_sizes_and_what_it_booted_with
    what_was_asked_for_is_told_before_the_guest_follows
    a_machine_that_waits_or_has_not_booted_says_so
    sizes_that_cannot_be_are_refused_as_out_of_range_and_the_connection_stays
    one_connection_serves_until_it_is_given_up
    what_is_no_answer_leaves_the_outcome_unknown_and_the_next_look_is_on_a_new_connection
    nothing_is_sent_where_nobody_or_somebody_else_listens
    a_vm_is_reported_once_and_then_left_in_peace
    a_grant_is_acknowledged_and_both_resources_follow_up_and_down
    a_newer_grant_replaces_an_older_one_half_way
    after_a_lost_reply_nothing_is_acknowledged_before_the_request_is_accounted_for
    a_daemon_killed_at_any_moment_of_a_resize_comes_to_the_same_end
    another_process_begins_from_fresh
    memory_that_never_plugs_is_told_and_its_wish_withdrawn
    a_guest_under_pressure_is_asked_once_it_lets_go
    a_paused_vm_is_asked_and_one_that_has_not_booted_is_left_alone
    a_vmm_that_hangs_delays_no_other
    a_vmm_that_cannot_be_reached_is_told_with_its_last_numbers
}

const REQUEST: Duration = Duration::from_secs(10);

/// A client, and the VMM that it talks to: 2 vCPUs and 2 GiB of 8 and 8.
fn pair(kind: VmmKind, expected: u32) -> (Box<dyn Client>, Vmm) {
    let (node, vmm) = (Node::default(), Vmm::new(kind, "web", Arc::default()));
    node.add("pod-web", vmm.clone());
    let (dial, socket, limits) = (Arc::new(node), PathBuf::from("pod-web"), VmmLimits::default());
    let client: Box<dyn Client> = match kind {
        VmmKind::CloudHypervisor => Box::new(CloudHypervisor::new(dial, socket, Peer::process(expected), limits)),
        VmmKind::Qemu => Box::new(Qemu::new(dial, socket, Peer::process(expected), limits)),
    };
    (client, vmm)
}

async fn a_vm_is_read_with_its_sizes_and_what_it_booted_with(kind: VmmKind) {
    let (mut client, _vmm) = pair(kind, 70);
    let told = client.observe().await.unwrap();
    assert_eq!((told.state, told.memory_device), (MachineState::Running, MemoryDevice::VirtioMem));
    assert_eq!((told.vcpus_requested, told.memory_requested), (Vcpus(2), Bytes(2 * GIB)));
    assert_eq!(told.memory_actual, Bytes(2 * GIB));
    let (min_memory, max_memory) = (Bytes(GIB), Bytes(8 * GIB));
    assert_eq!(told.boot, BootStatus { min_vcpus: Vcpus(1), max_vcpus: Vcpus(8), min_memory, max_memory });
    assert_eq!(told.connection, ConnectionId(1));
    assert!(!told.version.is_empty());
}

async fn what_was_asked_for_is_told_before_the_guest_follows(kind: VmmKind) {
    let (mut client, vmm) = pair(kind, 70);
    vmm.machine().vcpus_present = 4;
    vmm.machine().vcpus_requested = 4;
    client.set_memory(Bytes(4 * GIB)).await.unwrap();
    client.set_vcpus(Vcpus(3)).await.unwrap();
    let asked = client.observe().await.unwrap();
    assert_eq!((asked.vcpus_requested, asked.memory_requested), (Vcpus(3), Bytes(4 * GIB)));
    assert_eq!((vmm.machine().vcpus_present, asked.memory_actual), (4, Bytes(2 * GIB)));
    pass(1).await;
    let followed = client.observe().await.unwrap();
    assert_eq!((followed.vcpus_requested, followed.memory_actual), (Vcpus(3), Bytes(4 * GIB)));
    assert_eq!(vmm.machine().vcpus_present, 3);
}

async fn a_machine_that_waits_or_has_not_booted_says_so(kind: VmmKind) {
    let (mut client, vmm) = pair(kind, 70);
    for (state, expected) in [("Paused", MachineState::Paused), ("Created", MachineState::NotRunning)] {
        vmm.machine().state = state;
        assert_eq!(client.observe().await.unwrap().state, expected);
    }
}

async fn sizes_that_cannot_be_are_refused_as_out_of_range_and_the_connection_stays(kind: VmmKind) {
    let (mut client, _vmm) = pair(kind, 70);
    for bytes in [9 * GIB, 2 * GIB + 4096] {
        let error = client.set_memory(Bytes(bytes)).await.unwrap_err();
        assert_eq!((error.category(), error.delivery()), (RefusalKind::OutOfRange.as_str(), Delivery::Answered));
    }
    assert_eq!(client.observe().await.unwrap().connection, ConnectionId(1));
}

async fn one_connection_serves_until_it_is_given_up(kind: VmmKind) {
    let (mut client, _vmm) = pair(kind, 70);
    for expected in [1, 1] {
        assert_eq!(client.observe().await.unwrap().connection, ConnectionId(expected));
    }
    client.disconnect();
    for expected in [2, 2] {
        assert_eq!(client.observe().await.unwrap().connection, ConnectionId(expected));
    }
}

async fn what_is_no_answer_leaves_the_outcome_unknown_and_the_next_look_is_on_a_new_connection(kind: VmmKind) {
    for odd in [Odd::Half, Odd::Garbage, Odd::Closes, Odd::Silence, Odd::Huge] {
        let (mut client, vmm) = pair(kind, 70);
        vmm.machine().odd = Some(odd);
        let error = client.observe().await.unwrap_err();
        assert_eq!(error.delivery(), Delivery::Unknown, "{odd:?}: {error}");
        if odd == Odd::Silence {
            assert!(matches!(error, VmmError::TimedOut { within: REQUEST, .. }), "{error}");
        }
        if odd == Odd::Huge {
            assert!(matches!(error, VmmError::TooLarge { limit: 262_144, .. }), "{error}");
        }
        assert_eq!(client.observe().await.unwrap().connection, ConnectionId(2), "{odd:?}");
    }
}

async fn nothing_is_sent_where_nobody_or_somebody_else_listens(kind: VmmKind) {
    let (mut client, vmm) = pair(kind, 71);
    let error = client.set_vcpus(Vcpus(4)).await.unwrap_err();
    assert!(matches!(error, VmmError::WrongPeer { expected: 71, found: 70, .. }), "{error}");
    assert_eq!((error.delivery(), vmm.machine().vcpus_requested), (Delivery::NotSent, 2));
    let (mut client, vmm) = pair(kind, 70);
    vmm.machine().gone = true;
    let error = client.set_vcpus(Vcpus(4)).await.unwrap_err();
    assert_eq!((error.category(), error.delivery()), ("unreachable", Delivery::NotSent));
}

async fn a_vm_is_reported_once_and_then_left_in_peace(kind: VmmKind) {
    let world = World::new();
    world.vm_of(kind, "web");
    let _daemon = world.daemon();
    pass(3600).await;
    assert_eq!(world.trace(), ["ack 0 q 2/2Gi a 2/2Gi"]);
    assert!(world.health.is_ready() && world.health.idle_for() < Duration::from_secs(16));
}

async fn a_grant_is_acknowledged_and_both_resources_follow_up_and_down(kind: VmmKind) {
    let world = World::new();
    let vmm = world.vm_of(kind, "web");
    let _daemon = world.daemon();
    pass(60).await;
    world.trace();
    world.grant("web", 1, 4, "4Gi");
    pass(60).await;
    let trace = world.trace();
    assert_eq!(trace[0], "ack 1 q 2/2Gi a 2/2Gi", "{trace:#?}");
    assert!(!trace[1].starts_with("ack"), "{trace:#?}");
    assert_eq!(trace.last().unwrap(), "ack 1 q 4/4Gi a 4/4Gi");
    for (seq, vcpus, memory, end) in [
        (2, 1, "1Gi", "ack 2 q 1/1Gi a 1/1Gi"),
        (3, 8, "1Gi", "ack 3 q 8/1Gi a 8/1Gi"),
        (4, 3, "8Gi", "ack 4 q 3/8Gi a 3/8Gi"),
    ] {
        world.grant("web", seq, vcpus, memory);
        vmm.machine().used = GIB / 2;
        pass(60).await;
        let reports = reports(world.trace());
        assert_eq!(reports.last().unwrap(), end);
        assert!(reports.len() <= 12, "{reports:#?}");
    }
}

async fn a_newer_grant_replaces_an_older_one_half_way(kind: VmmKind) {
    let world = World::new();
    let vmm = world.vm_of(kind, "web");
    vmm.machine().follows_after = None;
    let _daemon = world.daemon();
    world.grant("web", 1, 2, "4Gi");
    pass(10).await;
    assert_eq!(reports(world.trace()).last().unwrap(), "ack 1 q 2/4Gi a 2/2Gi");
    vmm.machine().follows_after = Some(Duration::from_millis(300));
    world.grant("web", 2, 3, "2Gi");
    pass(10).await;
    let trace = world.trace();
    assert_eq!(trace[0], "ack 2 q 2/4Gi a 2/2Gi", "it is acknowledged before anything is asked: {trace:#?}");
    assert_eq!(reports(trace).last().unwrap(), "ack 2 q 3/2Gi a 3/2Gi");
}

async fn after_a_lost_reply_nothing_is_acknowledged_before_the_request_is_accounted_for(kind: VmmKind) {
    let world = World::new();
    let vmm = world.vm_of(kind, "web");
    let _daemon = world.daemon();
    pass(60).await;
    vmm.machine().next_resize_takes = Some(Duration::from_secs(25));
    world.grant("web", 1, 4, "2Gi");
    pass(12).await;
    world.grant("web", 2, 2, "2Gi");
    pass(120).await;
    let trace = world.trace();
    let at = |text: &str| trace.iter().position(|entry| entry.starts_with(text)).unwrap();
    assert!(at("ack 2") > at("web takes effect"), "{trace:#?}");
    // One vCPU after the other with QEMU: the reply that was lost was the first one's.
    let asked = if kind == VmmKind::Qemu { "ack 2 q 3/2Gi" } else { "ack 2 q 4/2Gi" };
    assert!(trace[at("ack 2")].starts_with(asked), "{trace:#?}");
    assert_eq!(trace.last().unwrap(), "ack 2 q 2/2Gi a 2/2Gi");
}

async fn a_daemon_killed_at_any_moment_of_a_resize_comes_to_the_same_end(kind: VmmKind) {
    for millis in (0..700).step_by(29) {
        let world = World::new();
        let vmm = world.vm_of(kind, "web");
        vmm.machine().next_resize_takes = Some(Duration::from_millis(150));
        let daemon = world.daemon();
        world.grant("web", 1, 4, "4Gi");
        tokio::time::sleep(Duration::from_millis(millis)).await;
        drop(daemon);
        world.grant("web", 2, 1, "3Gi");
        let _daemon = world.daemon();
        pass(60).await;
        assert_eq!(world.trace().last().unwrap(), "ack 2 q 1/3Gi a 1/3Gi", "killed after {millis} ms");
        let machine = vmm.machine().clone();
        assert_eq!((machine.vcpus_present, machine.memory_actual), (1, 3 * GIB));
    }
}

async fn another_process_begins_from_fresh(kind: VmmKind) {
    let world = World::new();
    let vmm = world.vm_of(kind, "web");
    let _daemon = world.daemon();
    world.grant("web", 1, 4, "4Gi");
    pass(60).await;
    world.trace();
    {
        let mut machine = vmm.machine();
        (machine.pid, machine.vcpus_requested, machine.vcpus_present) = (71, 2, 2);
    }
    pass(60).await;
    let reports = reports(world.trace());
    let ends = (reports[0].as_str(), reports.last().unwrap().as_str());
    assert_eq!(ends, ("ack 1 q 2/4Gi a 2/4Gi", "ack 1 q 4/4Gi a 4/4Gi"));
    assert_eq!(world.api.get("vm/web")["status"]["vmm"]["process"]["pid"], serde_json::json!(71));
}

async fn memory_that_never_plugs_is_told_and_its_wish_withdrawn(kind: VmmKind) {
    let world = World::new();
    let vmm = world.vm_of(kind, "web");
    vmm.machine().follows_after = None;
    vmm.machine().used = 2 * GIB;
    let _daemon = world.daemon();
    world.grant("web", 1, 2, "4Gi");
    pass(170).await;
    assert_eq!(reports(world.trace()).last().unwrap(), "ack 1 q 2/4Gi a 2/2Gi");
    pass(430).await;
    assert_eq!(reports(world.trace()).last().unwrap(), "ack 1 q 2/4Gi a 2/2Gi Stalled");
    assert_eq!(world.api.get("vm/web")["status"]["vmm"]["stuck"], serde_json::json!({ "memory": "2Gi" }));
    world.grant("web", 2, 2, "2Gi");
    pass(60).await;
    assert_eq!(reports(world.trace()).last().unwrap(), "ack 2 q 2/2Gi a 2/2Gi");
    assert_eq!(world.api.get("vm/web")["status"]["vmm"]["stuck"], serde_json::json!(null));
}

async fn a_guest_under_pressure_is_asked_once_it_lets_go(kind: VmmKind) {
    let world = World::new();
    let vmm = world.vm_of(kind, "web");
    vmm.machine().used = 2 * GIB;
    let _daemon = world.daemon();
    world.grant("web", 1, 2, "1Gi");
    pass(600).await;
    let trace = world.trace();
    assert_eq!(trace.last().unwrap(), "ack 1 q 2/2Gi a 2/2Gi GuestPressure");
    assert_eq!((reports(trace.clone()), trace.len() <= 3), (trace, true));
    let used = || world.api.get("vm/web")["status"]["vmm"]["used"].clone();
    assert_eq!(used(), serde_json::json!({ "bytes": "2Gi", "source": "Cgroup" }));
    vmm.machine().used = GIB / 2;
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 2/1Gi a 2/1Gi");
    assert_eq!(used(), serde_json::Value::Null);
}

async fn a_paused_vm_is_asked_and_one_that_has_not_booted_is_left_alone(kind: VmmKind) {
    let world = World::new();
    let vmm = world.vm_of(kind, "web");
    vmm.machine().state = "Created";
    let _daemon = world.daemon();
    world.grant("web", 1, 4, "4Gi");
    pass(600).await;
    assert_eq!(world.trace(), [""; 0]);
    vmm.machine().state = "Paused";
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 4/4Gi a 4/4Gi");
    assert_eq!(world.api.get("vm/web")["status"]["vmm"]["paused"], serde_json::json!(true));
}

async fn a_vmm_that_hangs_delays_no_other(kind: VmmKind) {
    let world = World::new();
    let slow = world.vm_of(kind, "slow");
    world.vm_of(kind, "web");
    let _daemon = world.daemon();
    pass(10).await;
    slow.machine().next_resize_takes = Some(Duration::from_secs(3600));
    world.grant("slow", 1, 4, "2Gi");
    pass(1).await;
    world.grant("web", 1, 4, "4Gi");
    pass(2).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 4/4Gi a 4/4Gi");
}

async fn a_vmm_that_cannot_be_reached_is_told_with_its_last_numbers(kind: VmmKind) {
    let world = World::new();
    let vmm = world.vm_of(kind, "web");
    let _daemon = world.daemon();
    pass(60).await;
    // What is kept about another process goes with its connection.
    (vmm.machine().gone, vmm.machine().pid) = (true, 71);
    pass(60).await;
    vmm.machine().pid = 70;
    pass(60).await;
    vmm.machine().gone = false;
    pass(60).await;
    let first = "ack 0 q 2/2Gi a 2/2Gi".to_owned();
    assert_eq!(world.trace(), [first.clone(), format!("{first} VmmUnreachable"), first]);
}
