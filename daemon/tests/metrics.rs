//! What a daemon counts of VMs that follow, VMs that do not, and sockets that are not used.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

mod support;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use reef_api::{Vcpus, VmmKind};
use reef_daemon::Metrics;
use reef_daemon::vmm::{CloudHypervisor, CountedVmm, Peer, VerifyingDial, Vmm, VmmLimits};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use support::socket::{Answer, ScriptedSocket};
use support::world::{World, pass};

/// The samples that are not zero, by name and labels.
fn samples(metrics: &Metrics) -> BTreeMap<String, f64> {
    let (mut registry, mut text) = (Registry::default(), String::new());
    metrics.register(&mut registry);
    encode(&mut text, &registry).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap());
    let all = lines.map(|(name, value)| (name.to_owned(), value.parse::<f64>().unwrap()));
    all.filter(|(_, value)| *value != 0.0).collect()
}

fn calls(vmm: &str, call: &str, result: &str) -> String {
    format!(r#"reef_vmm_calls_total{{vmm="{vmm}",call="{call}",result="{result}"}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_growth_is_counted_by_vmm_call_and_result() {
    for (kind, word) in [(VmmKind::CloudHypervisor, "cloud-hypervisor"), (VmmKind::Qemu, "qemu")] {
        let world = World::new();
        world.vm_of(kind, "web");
        let _daemon = world.daemon();
        pass(60).await;
        world.grant("web", 1, 4, "4Gi");
        pass(60).await;
        let told = samples(&world.metrics);
        assert_eq!((told[&calls(word, "set-vcpus", "done")], told[&calls(word, "set-memory", "done")]), (1.0, 1.0));
        assert_eq!(told[r#"reef_daemon_looks_total{result="done"}"#], told[&calls(word, "observe", "done")]);
        let asked = format!(r#"reef_vmm_call_duration_seconds_count{{vmm="{word}",call="set-memory"}}"#);
        assert_eq!((told[&asked], told["reef_daemon_vms"]), (1.0, 1.0));
        assert!(told[r#"reef_daemon_reports_total{result="done"}"#] >= 3.0, "{told:?}");
        assert_eq!(told[r#"reef_watch_lists_total{resource="virtualmachines"}"#], 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_cannot_be_looked_at_is_told_until_it_can() {
    let world = World::new();
    let vmm = world.vm("web");
    let _daemon = world.daemon();
    pass(60).await;
    world.node.remove("pod-web");
    pass(180).await;
    let told = samples(&world.metrics);
    assert_eq!(told["reef_daemon_vms_unobserved"], 1.0);
    assert!(told[r#"reef_daemon_looks_total{result="no-vmm"}"#] >= 5.0, "{told:?}");
    world.node.add("pod-web", vmm);
    pass(180).await;
    assert_eq!(samples(&world.metrics).get("reef_daemon_vms_unobserved"), None);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_stands_still_is_counted_once_and_told_until_its_task_ends() {
    let world = World::new();
    let vmm = world.vm("web");
    vmm.machine().follows_after = None;
    let daemon = world.daemon();
    pass(60).await;
    world.grant("web", 1, 4, "4Gi");
    pass(900).await;
    let told = samples(&world.metrics);
    assert_eq!((told["reef_daemon_vms_stalled"], told["reef_daemon_stalls_total"]), (1.0, 1.0));
    drop(daemon);
    pass(1).await;
    let told = samples(&world.metrics);
    assert_eq!((told.get("reef_daemon_vms_stalled"), told["reef_daemon_stalls_total"]), (None, 1.0));
}

/// Asks for something at a socket, of which `pid` is said to be the VMM.
async fn ask(socket: &Path, pid: u32, metrics: &Metrics) {
    let client =
        CloudHypervisor::new(Arc::new(VerifyingDial), socket.to_owned(), Peer::process(pid), VmmLimits::default());
    let mut counted = CountedVmm::new(Box::new(client), VmmKind::CloudHypervisor, metrics.clone());
    let _ = counted.set_vcpus(Vcpus(1)).await;
}

#[tokio::test]
async fn sockets_to_which_nothing_is_sent_are_counted_and_those_that_are_only_away_are_not() {
    let (metrics, socket, folder) =
        (Metrics::default(), ScriptedSocket::serve([Answer::status(204)]), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("file"), "").unwrap();
    ask(&folder.path().join("file"), std::process::id(), &metrics).await;
    ask(&folder.path().join("nothing"), std::process::id(), &metrics).await;
    ask(&socket.path(), 1, &metrics).await;
    let told = samples(&metrics);
    let refused: Vec<_> = told.iter().filter(|(name, _)| name.starts_with("reef_vmm_sockets_refused")).collect();
    let name = |reason| format!(r#"reef_vmm_sockets_refused_total{{reason="{reason}"}}"#);
    assert_eq!(refused, [(&name("unsafe"), &1.0), (&name("wrong-peer"), &1.0)]);
    assert_eq!(told[&calls("cloud-hypervisor", "set-vcpus", "unreachable")], 2.0);
}
