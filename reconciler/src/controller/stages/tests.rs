//! Histories as a status tells them one after the other, and what is counted of them.

use super::*;
use prometheus_client::registry::Registry;
use reef_api::vm::VmmStatus;
use reef_api::{MIB, Size, Vcpus};
use serde_json::json;

use crate::metrics::Metrics;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn size(vcpus: u32) -> Size {
    Size::new(Vcpus(vcpus), MIB)
}

fn entry(pod: &str, vcpus: u32, started: i64, outcome: Outcome) -> HistoryEntry {
    HistoryEntry {
        pod_uid: pod.to_owned(),
        generation: 1,
        revision: Some("c0ffee".to_owned()),
        target: size(vcpus),
        outcome,
        started_at: at(started),
        granted_at: (outcome == Outcome::Settled).then(|| at(started + 2)),
        finished_at: (outcome != Outcome::InProgress).then(|| at(started + 6)),
    }
}

fn report(pod: &str, requested: u32, actual: u32) -> VmmStatus {
    serde_json::from_value(json!({
        "podUID": pod, "process": { "pid": 1, "startTime": 1 }, "ackSeq": 1, "vcpusRequested": requested, "vcpusPresent": actual,
        "memoryRequested": "1Mi", "memoryActual": "1Mi",
        "boot": { "minVcpus": 1, "maxVcpus": 8, "minMemory": "1Mi", "maxMemory": "8Mi" }
    }))
    .unwrap()
}

fn status(history: &[HistoryEntry], vmm: Option<VmmStatus>) -> VirtualMachineStatus {
    VirtualMachineStatus { history: history.to_vec(), vmm, ..VirtualMachineStatus::default() }
}

/// The samples of resizes that are not zero, without buckets.
fn told(metrics: &Metrics) -> Vec<String> {
    let (mut registry, mut text) = (Registry::default(), String::new());
    metrics.register(&mut registry);
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let samples = text.lines().filter(|line| line.starts_with("reef_resize") && !line.contains("_bucket"));
    samples.filter(|line| !line.ends_with(" 0")).map(|line| line.trim_start_matches("reef_resize").to_owned()).collect()
}

struct Bench {
    stages: Stages,
    metrics: Metrics,
    vm: ObjectKey,
}

impl Bench {
    fn new() -> Self {
        Self { stages: Stages::default(), metrics: Metrics::default(), vm: ObjectKey::new("team", "web") }
    }

    fn see(&mut self, history: &[HistoryEntry], vmm: Option<VmmStatus>) {
        self.stages.see(&self.vm, &status(history, vmm), Instant::now(), &self.metrics.resizes);
    }
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_resize_is_measured_from_its_push_once_it_has_settled() {
    let mut bench = Bench::new();
    let before = entry("p", 2, 10, Outcome::Settled);
    bench.see(std::slice::from_ref(&before), Some(report("p", 2, 2)));
    bench.stages.pushed(&bench.vm.clone(), &Arc::from("c0ffee"), Instant::now());
    pass(1).await;
    bench.stages.applied(&bench.vm.clone(), Instant::now());
    pass(2).await;
    let going = entry("p", 4, 100, Outcome::InProgress);
    bench.see(&[before.clone(), going.clone()], Some(report("p", 2, 2)));
    pass(3).await;
    bench.see(&[before.clone(), going.clone()], Some(report("p", 4, 2)));
    pass(1).await;
    bench.see(&[before.clone(), going], Some(report("p", 4, 4)));
    assert_eq!(told(&bench.metrics), Vec::<String>::new(), "nothing is told before it has settled");
    let settled = [before, entry("p", 4, 100, Outcome::Settled)];
    for _ in 0..3 {
        bench.see(&settled, Some(report("p", 4, 4)));
    }
    let stages = [("applied", 1), ("asked", 6), ("granted", 5), ("guest", 7), ("settled", 9), ("taken", 3)];
    let samples = stages.iter().flat_map(|(stage, sum)| {
        let labels = format!(r#"{{direction="grow",stage="{stage}"}}"#);
        [format!("_duration_seconds_sum{labels} {sum}.0"), format!("_duration_seconds_count{labels} 1")]
    });
    let mut expected = vec![r#"s_total{direction="grow",outcome="Settled"} 1"#.to_owned()];
    expected.extend(samples);
    assert_eq!(told(&bench.metrics), expected);
}

#[tokio::test(start_paused = true)]
async fn what_had_ended_before_it_was_seen_first_is_not_counted_and_what_goes_on_then_is() {
    let mut bench = Bench::new();
    let (old, going) = (entry("p", 2, 10, Outcome::Settled), entry("p", 1, 100, Outcome::InProgress));
    bench.see(&[old.clone(), going], Some(report("p", 1, 1)));
    bench.see(&[old, entry("p", 1, 100, Outcome::Settled)], Some(report("p", 1, 1)));
    let labels = |stage| format!(r#"{{direction="shrink",stage="{stage}"}}"#);
    let expected = [
        r#"s_total{direction="shrink",outcome="Settled"} 1"#.to_owned(),
        format!("_duration_seconds_sum{} 2.0", labels("granted")),
        format!("_duration_seconds_count{} 1", labels("granted")),
        format!("_duration_seconds_sum{} 6.0", labels("settled")),
        format!("_duration_seconds_count{} 1", labels("settled")),
    ];
    assert_eq!(told(&bench.metrics), expected, "only what the history tells");
}

#[tokio::test(start_paused = true)]
async fn every_end_is_counted_by_its_outcome_and_another_pod_is_a_start() {
    let mut bench = Bench::new();
    bench.see(&[], None);
    let (first, second) = (entry("p", 2, 10, Outcome::Superseded), entry("p", 4, 20, Outcome::Ended));
    bench.see(&[entry("p", 2, 10, Outcome::InProgress)], None);
    bench.see(&[first.clone(), entry("p", 4, 20, Outcome::Deferred)], None);
    bench.see(&[first.clone(), entry("p", 4, 20, Outcome::InProgress)], None);
    bench.see(&[first.clone(), second.clone(), entry("q", 4, 30, Outcome::Infeasible)], None);
    let ended: Vec<String> = told(&bench.metrics);
    let expected = [
        r#"s_total{direction="grow",outcome="Deferred"} 1"#,
        r#"s_total{direction="grow",outcome="Ended"} 1"#,
        r#"s_total{direction="start",outcome="Infeasible"} 1"#,
        r#"s_total{direction="start",outcome="Superseded"} 1"#,
    ];
    assert_eq!(ended, expected);
}

#[test]
fn a_commit_that_had_nothing_to_apply_is_no_push() {
    let (mut stages, vm) = (Stages::default(), ObjectKey::new("team", "web"));
    let now = Instant::now();
    stages.pushed(&vm, &Arc::from("a"), now);
    stages.agreed(&vm);
    assert!(stages.pushes.is_empty());
    stages.pushed(&vm, &Arc::from("a"), now);
    stages.applied(&vm, now);
    stages.agreed(&vm);
    assert_eq!(stages.pushes.len(), 1, "it agrees because it was applied");
}
