//! The whole daemon under virtual time, against an API server, a node and VMMs in memory.
//!
//! Each test compares the order of everything that was written and asked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

mod support;

use reef_daemon::Jitter;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::api::WriteFault;
use support::vmm::{Odd, Vmm};
use support::world::{World, pass};
use tokio::time::Instant;

const GIB: u64 = 1 << 30;
const FIRST: &str = "ack 0 q 2/2Gi a 2/2Gi";

#[tokio::test(start_paused = true)]
async fn a_grant_is_acknowledged_before_the_vmm_is_asked_and_both_resources_follow() {
    let world = World::new();
    world.vm("web");
    let _daemon = world.daemon();
    pass(60).await;
    world.trace();
    world.grant("web", 1, 4, "4Gi");
    pass(3600).await;
    let trace = world.trace();
    assert_eq!(
        trace[..3],
        ["ack 1 q 2/2Gi a 2/2Gi", r#"web {"desired_vcpus":4}"#, r#"web {"desired_ram":4294967296}"#]
    );
    assert_eq!(trace.last().unwrap(), "ack 1 q 4/4Gi a 4/4Gi");
    assert!(trace.len() <= 6, "{trace:#?}");
}

/// The request of the first grant is read by the VMM only after the next look at it. In the trace it stands where it is read.
async fn a_request_that_lingers(killed: bool) -> Vec<String> {
    let world = World::new();
    let vmm = world.vm("web");
    let mut daemon = world.daemon();
    pass(60).await;
    vmm.machine().next_resize_lingers = true;
    world.grant("web", 1, 4, "2Gi");
    pass(1).await;
    world.trace();
    world.grant("web", 2, 2, "2Gi");
    if killed {
        drop(std::mem::replace(&mut daemon, world.daemon()));
    }
    pass(60).await;
    world.trace()
}

#[tokio::test(start_paused = true)]
async fn one_answer_after_a_lost_reply_or_a_crash_is_not_enough_to_acknowledge() {
    for killed in [false, true] {
        let trace = a_request_that_lingers(killed).await;
        let expected = [r#"web {"desired_vcpus":4}"#, "ack 2 q 4/2Gi a 2/2Gi", r#"web {"desired_vcpus":2}"#];
        assert_eq!(trace[..3], expected, "killed: {killed}, {trace:#?}");
        assert_eq!(trace.last().unwrap(), "ack 2 q 2/2Gi a 2/2Gi");
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_whose_answer_is_lost_is_made_again_before_anything_is_asked() {
    for fault in [WriteFault::LostReply, WriteFault::Fails] {
        let world = World::new();
        world.vm("web");
        let _daemon = world.daemon();
        pass(60).await;
        world.trace();
        world.api.fault(fault);
        world.grant("web", 1, 4, "2Gi");
        pass(60).await;
        let trace = world.trace();
        let ack = "ack 1 q 2/2Gi a 2/2Gi";
        let expected = if fault == WriteFault::Fails { ["write fails", ack] } else { [ack, ack] };
        assert_eq!(trace[..3], [expected[0], expected[1], r#"web {"desired_vcpus":4}"#], "{trace:#?}");
        assert_eq!(trace.last().unwrap(), "ack 1 q 4/2Gi a 4/2Gi");
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_somebody_else_overtook_is_decided_anew() {
    let world = World::new();
    world.vm("web");
    let _daemon = world.daemon();
    pass(60).await;
    world.trace();
    world.api.fault(WriteFault::Raced);
    world.grant("web", 1, 4, "2Gi");
    pass(60).await;
    let trace = world.trace();
    assert_eq!(trace[..3], ["conflict", "ack 1 q 2/2Gi a 2/2Gi", r#"web {"desired_vcpus":4}"#], "{trace:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_was_replaced_while_it_was_acknowledged_is_never_asked_for() {
    let world = World::new();
    world.vm("web");
    let _daemon = world.daemon();
    pass(60).await;
    world.trace();
    world.api.fault(WriteFault::LostReply);
    world.grant("web", 1, 8, "8Gi");
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.grant("web", 2, 2, "2Gi");
    pass(60).await;
    assert_eq!(world.trace(), ["ack 1 q 2/2Gi a 2/2Gi", "ack 2 q 2/2Gi a 2/2Gi"]);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_was_killed_acknowledges_again_before_it_asks() {
    let world = World::new();
    let vmm = world.vm("web");
    vmm.machine().memory_limit = 3 * GIB;
    let daemon = world.daemon();
    world.grant("web", 1, 2, "4Gi");
    pass(60).await;
    drop(daemon);
    pass(1).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 2/2Gi a 2/2Gi RaisingPod");
    vmm.machine().memory_limit = 8 * GIB;
    let _daemon = world.daemon();
    pass(60).await;
    let trace = world.trace();
    assert_eq!(trace[..2], ["ack 1 q 2/2Gi a 2/2Gi", r#"web {"desired_ram":4294967296}"#], "{trace:#?}");
    assert_eq!(trace.last().unwrap(), "ack 1 q 2/4Gi a 2/4Gi");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_killed_at_any_millisecond_of_a_resize_comes_to_the_same_end() {
    for millis in (0..700).step_by(13) {
        let world = World::new();
        let vmm = world.vm("web");
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

#[tokio::test(start_paused = true)]
async fn a_second_daemon_waits_until_the_first_is_gone() {
    let world = World::new();
    world.vm("web");
    let first = world.daemon();
    pass(10).await;
    let _second = world.daemon();
    pass(60).await;
    assert_eq!(world.trace(), [FIRST]);
    drop(first);
    world.grant("web", 1, 4, "2Gi");
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 4/2Gi a 4/2Gi");
}

#[tokio::test(start_paused = true)]
async fn a_vmm_that_hangs_delays_no_other() {
    let world = World::new();
    let slow = world.vm("slow");
    world.vm("web");
    let _daemon = world.daemon();
    pass(10).await;
    world.trace();
    slow.machine().next_resize_takes = Some(Duration::from_secs(3600));
    world.grant("slow", 1, 4, "2Gi");
    pass(1).await;
    world.grant("web", 1, 4, "4Gi");
    pass(2).await;
    let trace = world.trace();
    assert_eq!(trace.last().unwrap(), "ack 1 q 4/4Gi a 4/4Gi", "{trace:#?}");
}

/// How long the VMs that are well need from the grants on, beside others that are not.
async fn time_of_the_well_beside(ill: usize) -> Duration {
    const WELL: usize = 40;
    let world = World::new();
    let others: Vec<_> = (0..ill).map(|number| world.vm(&format!("ill-{number}"))).collect();
    for number in 0..WELL {
        world.vm(&format!("well-{number}"));
    }
    let _daemon = world.daemon();
    pass(30).await;
    for (number, vmm) in others.iter().enumerate() {
        vmm.machine().next_resize_takes = Some(Duration::from_secs(3600));
        match number % 4 {
            0 => world.grant(&format!("ill-{number}"), 1, 4, "2Gi"),
            1 => falls_ill(vmm, Odd::Silence),
            2 => falls_ill(vmm, Odd::Huge),
            _ => vmm.machine().gone = true,
        }
    }
    // Long enough that each was looked at, and not so long that a silent one is given up.
    pass(12).await;
    world.trace();
    let begun = Instant::now();
    for number in 0..WELL {
        world.grant(&format!("well-{number}"), 1, 4, "4Gi");
    }
    let done = |world: &World| (0..WELL).all(|number| settled(&world.api.get(&format!("vm/well-{number}"))));
    while !done(&world) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    begun.elapsed()
}

/// The next look at it is on a new connection, and gets no answer.
fn falls_ill(vmm: &Vmm, odd: Odd) {
    let mut machine = vmm.machine();
    (machine.odd, machine.pid) = (Some(odd), 71);
}

fn settled(vm: &Value) -> bool {
    let vmm = &vm["status"]["vmm"];
    (&vmm["ackSeq"], &vmm["vcpusPresent"], &vmm["memoryActual"]) == (&json!(1), &json!(4), &json!("4Gi"))
}

#[tokio::test(start_paused = true)]
async fn two_hundred_vmms_that_hang_close_or_talk_nonsense_delay_no_other() {
    let alone = time_of_the_well_beside(0).await;
    let beside = time_of_the_well_beside(200).await;
    assert!(beside <= alone + Duration::from_millis(100), "alone {alone:?}, beside 200 ill ones {beside:?}");
}

#[tokio::test(start_paused = true)]
async fn a_vmm_that_cannot_be_reached_is_told_with_its_last_numbers() {
    let world = World::new();
    let vmm = world.vm("web");
    let _daemon = world.daemon();
    pass(60).await;
    vmm.machine().gone = true;
    vmm.machine().pid = 71;
    pass(60).await;
    assert_eq!(world.trace(), [FIRST]);
    vmm.machine().pid = 70;
    pass(60).await;
    assert_eq!(world.trace(), [format!("{FIRST} VmmUnreachable")]);
    vmm.machine().gone = false;
    pass(60).await;
    assert_eq!(world.trace(), [FIRST]);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_has_not_booted_is_neither_reported_nor_asked() {
    let world = World::new();
    let vmm = world.vm("web");
    vmm.machine().state = "Created";
    let _daemon = world.daemon();
    world.grant("web", 1, 4, "4Gi");
    pass(600).await;
    assert_eq!(world.trace(), [""; 0]);
    vmm.machine().state = "Running";
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 4/4Gi a 4/4Gi");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_leaves_takes_its_grants_with_it() {
    let world = World::new();
    world.vm("web");
    let _daemon = world.daemon();
    pass(60).await;
    world.trace();
    world.api.change("pod/web", |pod| pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
    pass(1).await;
    world.grant("web", 1, 8, "8Gi");
    pass(600).await;
    assert_eq!(world.trace(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_grant_for_another_pod_counts_as_none() {
    let world = World::new();
    world.vm("web");
    let _daemon = world.daemon();
    pass(60).await;
    world.grant("web", 1, 8, "8Gi");
    let world = World::new();
    world.vm("web");
    world.api.change("vm/web", |vm| {
        vm["status"]["resize"] = json!({ "grant": { "podUID": "pod-before", "seq": 9, "vcpus": 8, "memory": "8Gi" } });
    });
    let _daemon = world.daemon();
    pass(600).await;
    assert_eq!(world.trace(), [FIRST]);
}

#[tokio::test(start_paused = true)]
async fn odd_objects_stop_nothing_but_themselves() {
    let world = World::new();
    world.vm("odd");
    world.api.change("vm/odd", |vm| vm["status"]["resize"] = json!({ "grant": { "seq": "many" } }));
    world
        .api
        .put("pod/odd", json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "namespace": "shop", "name": "x" } }));
    let _daemon = world.daemon();
    pass(10).await;
    world.vm("web");
    world.grant("web", 1, 4, "2Gi");
    pass(60).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 4/2Gi a 4/2Gi");
}

/// Adds another part of a tenth each time, as chance does in production.
#[derive(Default)]
struct Spreading(AtomicU32);

impl Jitter for Spreading {
    fn spread(&self, delay: Duration) -> Duration {
        let part = self.0.fetch_add(7919, Ordering::Relaxed) % 1000;
        delay + delay / 10_000 * part
    }
}

#[tokio::test(start_paused = true)]
async fn vms_that_start_at_once_are_soon_looked_at_one_after_the_other() {
    let world = World::new();
    for number in 0..100 {
        world.vm(&format!("vm-{number}"));
    }
    let _daemon = world.daemon_with(Arc::new(Spreading::default()));
    pass(1_800).await;
    world.node.looks();
    let begun = Instant::now();
    pass(60).await;
    let mut in_a_tenth = [0; 10];
    for look in world.node.looks() {
        in_a_tenth[usize::try_from(((look - begun).as_secs() / 6).min(9)).unwrap()] += 1;
    }
    assert!(in_a_tenth.iter().sum::<i32>() >= 75, "{in_a_tenth:?}");
    assert!(in_a_tenth.iter().all(|looks| *looks <= 40), "{in_a_tenth:?}");
}

#[tokio::test(start_paused = true)]
async fn two_hundred_vms_that_start_at_once_are_all_reported() {
    let world = World::new();
    for number in 0..200 {
        world.vm(&format!("vm-{number}"));
    }
    let _daemon = world.daemon();
    pass(5).await;
    assert_eq!(world.trace(), [FIRST; 200]);
    assert_eq!(world.metrics.vms(), 200);
}

/// Two answers are lost, and then the VMM: what it was asked for stands in the report that arrived, not in the last one that was confirmed.
#[tokio::test(start_paused = true)]
async fn a_vmm_that_is_lost_keeps_the_numbers_and_the_acknowledgement_that_the_cluster_has() {
    let world = World::new();
    let vmm = world.vm("web");
    vmm.machine().follows_after = None;
    let _daemon = world.daemon();
    pass(60).await;
    world.grant("web", 1, 4, "4Gi");
    tokio::time::sleep(Duration::from_millis(3)).await;
    world.api.fault(WriteFault::LostReply);
    pass(10).await;
    assert_eq!(world.trace().last().unwrap(), "ack 1 q 4/4Gi a 2/2Gi");
    world.api.fault(WriteFault::LostReply);
    world.grant("web", 2, 2, "2Gi");
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.node.remove("pod-web");
    pass(60).await;
    assert_eq!(world.trace(), ["ack 2 q 4/4Gi a 2/2Gi", "ack 2 q 4/4Gi a 2/2Gi VmmUnreachable"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_restore_of_the_cluster_it_tells_what_the_vm_has_and_hears_of_the_next_grant() {
    let world = World::new();
    world.vm("web");
    let _daemon = world.daemon();
    pass(60).await;
    world.grant("web", 1, 2, "2Gi");
    pass(60).await;
    let backup = world.api.backup();
    for (seq, vcpus) in [(2, 3), (3, 4)] {
        world.grant("web", seq, vcpus, "4Gi");
        pass(60).await;
    }
    world.trace();
    world.api.restore(backup);
    pass(5).await;
    assert_eq!(world.trace(), ["ack 3 q 4/4Gi a 4/4Gi"], "nothing is written on top of what was before");
    world.grant("web", 4, 2, "2Gi");
    pass(600).await;
    let trace = world.trace();
    assert_eq!(trace.first().unwrap(), "ack 4 q 4/4Gi a 4/4Gi");
    assert_eq!(trace.last().unwrap(), "ack 4 q 2/2Gi a 2/2Gi");
}
