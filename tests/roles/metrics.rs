//! What processes tell at `/metrics` of a resize, from the push to the guest, and what their logs name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::WEB;
use super::cluster::{Cluster, Process, SERVED, size};

const STAGES: [&str; 6] = ["applied", "asked", "granted", "guest", "settled", "taken"];

/// The samples of a scrape, by name and labels.
fn scrape(role: &Process) -> BTreeMap<String, f64> {
    let answer = role.get("/metrics");
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

fn stages(samples: &BTreeMap<String, f64>, direction: &str, part: &str) -> Vec<f64> {
    let name = |stage| format!(r#"reef_resize_duration_seconds_{part}{{direction="{direction}",stage="{stage}"}}"#);
    STAGES.iter().filter_map(|stage| samples.get(&name(stage)).copied()).collect()
}

#[test]
fn a_resize_is_told_by_both_roles_and_another_process_does_not_count_it_again() {
    let cluster = Cluster::start();
    let controller = cluster.controller();
    let daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    cluster.until_settled("web-1", size(2, 2048));
    let commit = cluster.push_size(WEB, "web-1", size(4, 4096));
    cluster.until_settled("web-1", size(4, 4096));

    let grown = r#"reef_resizes_total{direction="grow",outcome="Settled"}"#;
    let told = cluster.until("the resize is counted", || Some(scrape(&controller)).filter(|told| told[grown] == 1.0));
    assert_eq!(stages(&told, "grow", "count"), [1.0; 6]);
    let sums = stages(&told, "grow", "sum");
    let [applied, asked, granted, guest, settled, taken] = sums[..] else { panic!("{sums:?}") };
    assert!(0.0 < applied && applied <= taken && taken <= granted && granted <= asked, "{sums:?}");
    assert!(asked <= guest && guest <= settled + 1.0 && settled < 60.0, "{sums:?}");
    assert!(told[r#"reef_apiserver_requests_total{verb="patch",resource="pods/resize",code="2xx"}"#] >= 1.0);
    assert!(told[r#"reef_git_fetches_total{result="Changed"}"#] >= 2.0);
    assert_eq!(told[r#"reef_build_info{role="controller",version="0.1.0"}"#], 1.0);
    let settled = |told: &BTreeMap<String, f64>| {
        told[r#"reef_vms_by_reason{reason="Settled"}"#] == told[r#"reef_vms{phase="Running"}"#]
    };
    let told = cluster.until("all VMs are settled", || Some(scrape(&controller)).filter(|told| settled(told)));
    assert_eq!((told["reef_ready"], told[r#"reef_vms_held{mode="Deferred"}"#]), (1.0, 0.0));

    let of_nodes: Vec<BTreeMap<String, f64>> = daemons.iter().map(scrape).collect();
    let sum = |name: &str| of_nodes.iter().filter_map(|told| told.get(name)).sum::<f64>();
    assert_eq!(sum("reef_daemon_vms"), told[r#"reef_vms{phase="Running"}"#]);
    for call in ["set-vcpus", "set-memory"] {
        let done = format!(r#"reef_vmm_calls_total{{vmm="cloud-hypervisor",call="{call}",result="done"}}"#);
        assert!(sum(&done) >= 1.0, "{done}");
    }
    let told_by =
        |role: &Process| role.told().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let waits = |line: &Value| line["message"] == "a VM waits" && line["vm"] == "default/web-1";
    let waited = told_by(&controller).into_iter().rfind(waits).unwrap();
    assert_eq!(waited["span"]["revision"], Value::from(commit.clone()), "{waited}");
    let lines = daemons.iter().flat_map(told_by);
    let asked: Vec<Value> =
        lines.filter(|line| line["message"] == "VMM is asked for memory" && line["vm"] == "default/web-1").collect();
    assert_eq!(asked.last().unwrap()["span"]["revision"], Value::from(commit), "{asked:?}");

    controller.kill();
    let controller = cluster.controller();
    let serves = || (controller.told().matches(SERVED).count() == 2).then_some(());
    cluster.until("the next one serves", serves);
    let told = cluster.until("all VMs are seen again", || {
        let told = scrape(&controller);
        (told["reef_ready"] == 1.0 && told["reef_controller_passes_total"] >= 8.0 && settled(&told)).then_some(told)
    });
    assert_eq!((told[grown], stages(&told, "grow", "count").len()), (0.0, 0), "it ended before this process began");
    assert_eq!(cluster.end(), Some(0), "no VM held more than its Pod");
}
