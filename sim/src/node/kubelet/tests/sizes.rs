//! Every row of the measured table of in-place resize.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_raise_that_fits_is_allocated_in_20_ms_and_in_effect_within_a_second() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    let pid = bench.facts("vm").unwrap().pid;
    bench.resize("vm", "2", 2304);
    wait(9).await;
    assert!(!bench.is_observed("vm"));
    assert_eq!(bench.sizes("vm"), texts(["1", "1280Mi", "1", "1280Mi"]));
    wait(12).await;
    assert!(bench.is_observed("vm"));
    assert_eq!(bench.sizes("vm"), texts(["2", "2304Mi", "1", "1280Mi"]));
    assert_eq!(bench.condition("vm", "PodResizeInProgress"), Some((String::new(), String::new())));
    assert_eq!(bench.facts("vm").unwrap().memory_limit, Some(Bytes(1280 * MIB)));
    wait(1_000).await;
    assert_eq!(bench.sizes("vm"), texts(["2", "2304Mi", "2", "2304Mi"]));
    assert_eq!(bench.condition("vm", "PodResizeInProgress"), None);
    let facts = bench.facts("vm").unwrap();
    assert_eq!((facts.pid, facts.memory_limit, facts.cpu_quota), (pid, Some(Bytes(2304 * MIB)), Some(MilliCpu(2000))));
    assert_eq!(bench.resize_events(), ["ResizeStarted", "ResizeCompleted"]);
}

#[tokio::test(start_paused = true)]
async fn more_than_the_node_has_is_infeasible_until_the_next_patch_and_an_instant_beyond() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.resize("vm", "3", 1280);
    wait(21).await;
    let message = "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000".to_owned();
    let expected = Some(("Infeasible".to_owned(), message));
    assert_eq!(bench.condition("vm", "PodResizePending"), expected);
    assert!(bench.is_observed("vm"));
    assert_eq!(bench.sizes("vm"), texts(["1", "1280Mi", "1", "1280Mi"]));
    wait(3_600_000).await;
    assert_eq!(bench.condition("vm", "PodResizePending"), expected, "never retried");
    bench.resize("vm", "1", 1280);
    wait(5).await;
    assert_eq!(bench.condition("vm", "PodResizePending"), expected, "an instant beyond");
    assert!(!bench.is_observed("vm"));
    wait(16).await;
    assert_eq!(bench.condition("vm", "PodResizePending"), None);
    assert_eq!(bench.resize_events(), ["ResizeInfeasible"]);
}

#[tokio::test(start_paused = true)]
async fn an_infeasible_wish_is_not_charged() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.resize("vm", "3", 1280);
    wait(100).await;
    bench.run_vm("other", 1, 1024).await;
}

#[tokio::test(start_paused = true)]
async fn more_than_is_free_now_is_deferred_and_allocated_when_another_pod_leaves() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.run_vm("other", 1, 512).await;
    bench.resize("vm", "2", 1280);
    wait(21).await;
    let message = "Node didn't have enough resource: cpu, requested: 2000, used: 1000, capacity: 2000".to_owned();
    assert_eq!(bench.condition("vm", "PodResizePending"), Some(("Deferred".to_owned(), message)));
    wait(3_600_000).await;
    assert_eq!(bench.sizes("vm"), texts(["1", "1280Mi", "1", "1280Mi"]));
    bench.delete("other");
    wait(1_000).await;
    assert!(bench.is_gone("other"));
    assert_eq!(bench.sizes("vm")[..2], texts(["2", "1280Mi"]));
    assert_eq!(bench.condition("vm", "PodResizePending"), None);
    wait(1_000).await;
    assert_eq!(bench.sizes("vm"), texts(["2", "1280Mi", "2", "1280Mi"]));
    assert_eq!(bench.resize_events(), ["ResizeDeferred", "ResizeStarted", "ResizeCompleted"]);
}

#[tokio::test(start_paused = true)]
async fn a_deferred_wish_is_allocated_when_another_pod_shrinks_and_can_be_taken_back() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.run_vm("other", 1, 2048).await;
    bench.resize("vm", "1", 2304);
    wait(100).await;
    assert_eq!(bench.condition("vm", "PodResizePending").unwrap().0, "Deferred");
    bench.resize("vm", "1", 1280);
    wait(100).await;
    assert_eq!(bench.condition("vm", "PodResizePending"), None);
    bench.resize("vm", "1", 2304);
    wait(100).await;
    bench.resize_vmm("other", 1, 1024).await;
    wait(10_000).await;
    bench.resize("other", "1", 1280);
    wait(100).await;
    assert_eq!(bench.sizes("vm")[1], "2304Mi");
}

#[tokio::test(start_paused = true)]
async fn a_memory_limit_below_use_is_allocated_at_once_and_never_in_effect() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 2048).await;
    bench.use_memory("vm", 1500).await;
    bench.resize("vm", "1", 768);
    wait(21).await;
    assert_eq!(bench.sizes("vm"), texts(["1", "768Mi", "1", "2304Mi"]));
    wait(12_900).await;
    assert_eq!(bench.condition("vm", "PodResizeInProgress").unwrap().0, "");
    wait(200).await;
    let (reason, message) = bench.condition("vm", "PodResizeInProgress").unwrap();
    assert_eq!(reason, "Error");
    let start = "cannot decrease memory limits: [attempting to set pod memory limit (805306368) below current usage (";
    assert!(message.starts_with(start), "{message}");
    wait(100_000).await;
    assert_eq!(bench.sizes("vm"), texts(["1", "768Mi", "1", "2304Mi"]));
    bench.use_memory("vm", 100).await;
    wait(24_000).await;
    assert_eq!(bench.sizes("vm")[3], "768Mi", "tried again about every 15 s");
    assert_eq!(bench.condition("vm", "PodResizeInProgress"), None);
    assert_eq!(bench.resize_events().last().map(String::as_str), Some("ResizeCompleted"));
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_that_defers_refuses_or_flaps_does_so() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.control.set(Quirks { defers: true, ..Quirks::default() }).await;
    bench.resize("vm", "2", 1280);
    wait(60_000).await;
    assert_eq!(bench.condition("vm", "PodResizePending").unwrap().0, "Deferred");
    bench.control.set(Quirks { infeasible: Some("static CPU manager".to_owned()), ..Quirks::default() }).await;
    wait(1_000).await;
    let refused = Some(("Infeasible".to_owned(), "static CPU manager".to_owned()));
    assert_eq!(bench.condition("vm", "PodResizePending"), refused);
    bench.control.set(Quirks { flaps: true, ..Quirks::default() }).await;
    bench.resize("vm", "2", 1536);
    let mut seen = Vec::new();
    for _ in 0..2_000 {
        wait(1).await;
        let now = (bench.sizes("vm")[3].clone(), bench.condition("vm", "PodResizeInProgress").is_some());
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    let [old, new] = texts(["1280Mi", "1536Mi"]);
    let expected = [(old.clone(), false), (old.clone(), true), (new.clone(), false), (old, true), (new, false)];
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn the_vmm_may_grow_after_its_pod_and_the_checker_says_so_when_it_grows_before() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.resize("vm", "2", 2304);
    wait(2_000).await;
    bench.resize_vmm("vm", 2, 2048).await;
    wait(30_000).await;
    assert_eq!(bench.checker.breaches(), []);
    bench.resize_vmm("vm", 2, 2176).await;
    let breach = bench.checker.breaches().remove(0);
    assert_eq!((breach.resource, breach.held, breach.covered), ("memory", 2432 * MIB, 2304 * MIB));
}

#[tokio::test(start_paused = true)]
async fn lowering_the_pod_before_the_vm_is_a_breach() {
    let bench = Bench::new();
    bench.run_vm("vm", 2, 1024).await;
    bench.resize("vm", "1", 1280);
    wait(1).await;
    let breach = bench.checker.breaches().remove(0);
    assert_eq!((breach.resource, breach.held, breach.covered, breach.side), ("cpu", 2000, 1000, "spec"));
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_is_stuck_and_one_that_is_deferred_show_side_by_side_with_their_generations() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 2048).await;
    bench.run_vm("other", 1, 512).await;
    bench.use_memory("vm", 1500).await;
    bench.resize("vm", "1", 768);
    wait(14_000).await;
    let stuck = bench.pod("vm")["metadata"]["generation"].clone();
    bench.resize("vm", "1", 4000);
    wait(100).await;
    let pod = bench.pod("vm");
    let conditions = pod["status"]["conditions"].as_array().unwrap();
    let of = |kind: &str| conditions.iter().find(|condition| condition["type"] == kind).unwrap();
    assert_eq!(of("PodResizeInProgress")["reason"], "Error");
    assert_eq!(of("PodResizeInProgress")["observedGeneration"], stuck);
    assert_eq!(of("PodResizePending")["reason"], "Deferred");
    assert_eq!(of("PodResizePending")["observedGeneration"], pod["metadata"]["generation"]);
}

#[tokio::test(start_paused = true)]
async fn a_resize_can_be_under_way_for_hours_and_end_when_the_kubelet_recovers() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.control.set(Quirks { stalls: true, ..Quirks::default() }).await;
    bench.resize("vm", "2", 2304);
    wait(3 * 3_600_000).await;
    assert_eq!(bench.sizes("vm"), texts(["2", "2304Mi", "1", "1280Mi"]));
    assert_eq!(bench.condition("vm", "PodResizeInProgress"), Some((String::new(), String::new())));
    bench.control.set(Quirks::default()).await;
    wait(16_000).await;
    assert_eq!(bench.sizes("vm"), texts(["2", "2304Mi", "2", "2304Mi"]));
}
