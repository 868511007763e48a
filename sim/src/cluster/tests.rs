//! The cluster as a whole: its controls, the same seed twice, and the tree that daemons of their own read.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reef_api::{Bytes, VmKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

use super::*;
use crate::node::Quirks;
use crate::node::host_tree::socket_path;
use crate::store::{ObjectKey, ResourceId, meta};
use crate::vmm::{Fault, FaultPlan, ResizeRequest};

const MIB: u64 = 1 << 20;

fn options(seed: u64) -> ClusterOptions {
    let base = Timestamp::from_second(1_800_000_000).unwrap();
    ClusterOptions::two_nodes(seed, Arc::new(VirtualClock::starting_at(base)))
}

fn run(options: ClusterOptions) -> (Arc<Cluster>, DropGuard) {
    let cluster = Arc::new(Cluster::new(options));
    let stop = CancellationToken::new();
    let (living, until) = (cluster.clone(), stop.clone());
    tokio::spawn(async move { living.run(until).await });
    (cluster, stop.drop_guard())
}

fn create_vm(cluster: &Cluster, name: &str) -> ObjectKey {
    let layout = json!({
        "vmm": "CloudHypervisor", "vcpus": 1, "minVcpus": 1, "maxVcpus": 4,
        "memory": "1Gi", "minMemory": "512Mi", "maxMemory": "4Gi",
    });
    let amounts = json!({ "cpu": "4", "memory": "5Gi" });
    let pod = json!({
        "metadata": { "name": name, "namespace": "default", "labels": { "reef.dev/vm": name } },
        "spec": { "restartPolicy": "Never", "containers": [{
            "name": "vm-manager", "image": "reef", "args": ["launch", "--layout", layout.to_string()],
            "resources": { "requests": amounts, "limits": amounts },
        }] },
    });
    cluster.store().create(&ResourceId::core("pods"), pod).unwrap();
    Cluster::pod("default", name)
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn every_control_reaches_its_vm() {
    let (cluster, _stop) = run(options(1));
    let pod = create_vm(&cluster, "web");
    wait(30).await;
    assert_eq!(cluster.pod_of(&VmKey::new("default", "web")), Some(pod.clone()));
    let before = cluster.guest_view(&pod).unwrap();
    assert_eq!((before.online_vcpus, before.memory_bytes, before.oom_kills), (1, 1024 * MIB, 0));
    cluster.set_guest_used(&pod, Bytes(700 * MIB)).await.unwrap();
    assert_eq!(cluster.guest_view(&pod).unwrap().used_bytes, 700 * MIB);
    assert!(cluster.host_facts(&pod).unwrap().memory_current >= Bytes(700 * MIB));
    cluster.reboot_guest(&pod).await.unwrap();
    assert_ne!(cluster.guest_view(&pod).unwrap().boot_id, before.boot_id);
    cluster.set_vmm_fault(&pod, Some(FaultPlan::every(Fault::Hang))).await.unwrap();
    cluster.kill_vmm(&pod).unwrap();
    wait(1).await;
    assert_eq!(cluster.store().get(&pod).unwrap()["status"]["phase"], "Failed");
    assert!(matches!(cluster.kill_vmm(&pod), Err(ControlError::NoVmm(_))));
    cluster.delete_pod(&pod).unwrap();
    wait(1).await;
    assert_eq!(cluster.store().get(&pod), None);
    assert!(matches!(cluster.set_quirks("nowhere", Quirks::default()).await, Err(ControlError::NoNode(_))));
}

#[tokio::test(start_paused = true)]
async fn pods_spread_over_nodes_and_avoid_one_that_is_closed() {
    let (cluster, _stop) = run(options(1));
    wait(1).await;
    let node_of = |pod: &ObjectKey| cluster.store().get(pod).unwrap()["spec"]["nodeName"].as_str().unwrap().to_owned();
    let first = ["a", "b", "c", "d"].map(|name| create_vm(&cluster, name));
    wait(5).await;
    assert_eq!(first.map(|pod| node_of(&pod)), ["node-1", "node-2", "node-1", "node-2"]);
    cluster.cordon("node-1", Cordon::Closed).unwrap();
    let second = ["e", "f"].map(|name| create_vm(&cluster, name));
    wait(5).await;
    assert_eq!(second.map(|pod| node_of(&pod)), ["node-2", "node-2"]);
    cluster.cordon("node-1", Cordon::Open).unwrap();
    let third = create_vm(&cluster, "g");
    wait(5).await;
    assert_eq!(node_of(&third), "node-1");
}

/// Every write of a life of ten minutes, as text.
fn life(seed: u64) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (cluster, _stop) = run(options(seed));
        let mut changes = cluster.store().subscribe_after(0);
        let pods = ["a", "b", "c"].map(|name| create_vm(&cluster, name));
        wait(20).await;
        for (pod, mib) in pods.iter().zip([2048, 3072, 512]) {
            let (vmm, _) = cluster.hosts().vmm_of(pod).unwrap();
            let request = ResizeRequest { desired_ram: Some(mib * MIB), ..ResizeRequest::default() };
            vmm.control(move |machine| machine.resize(request)).await.unwrap().unwrap();
            cluster.set_guest_used(pod, Bytes(600 * MIB)).await.unwrap();
        }
        cluster.kill_vmm(&pods[1]).unwrap();
        cluster.delete_pod(&pods[2]).unwrap();
        wait(600).await;
        let mut trace = Vec::new();
        while let Some(change) = changes.try_next().unwrap() {
            trace.push(format!("{:?} {} {}", change.kind, change.key, change.object));
        }
        trace
    })
}

#[test]
fn the_same_seed_gives_the_same_writes() {
    let first = life(5);
    assert!(first.len() > 60, "{}", first.len());
    assert_eq!(first, life(5));
    assert_ne!(first, life(6));
}

#[tokio::test]
async fn a_daemon_of_its_own_finds_process_cgroup_and_socket_below_the_host_root() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(1);
    options.host_dir = Some(folder.path().to_owned());
    options.timings = options.timings.scaled(1, 100);
    let (cluster, _stop) = run(options);
    let pod = create_vm(&cluster, "web");
    let found = || cluster.store().get(&pod).filter(|_| cluster.guest_view(&pod).is_some());
    let object = loop {
        tokio::time::sleep(Duration::from_millis(2)).await;
        if let Some(object) = found() {
            break object;
        }
    };
    let (uid, node) = (meta::uid(&object).to_owned(), object["spec"]["nodeName"].as_str().unwrap().to_owned());
    let root = folder.path().join(node);
    let facts = cluster.host_facts(&pod).unwrap();
    let cgroup = root.join("sys/fs/cgroup").join(format!("kubepods/pod{uid}/{}", facts.container_id));
    assert_eq!(std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap(), format!("{}\n", facts.pid));
    assert_eq!(std::fs::read_to_string(cgroup.join("memory.max")).unwrap(), format!("{}\n", 5u64 << 30));
    let socket = root.join(socket_path(&uid).trim_start_matches('/'));
    while !socket.exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let said = ask(&socket).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("v53.0"), "{said}");
    cluster.delete_pod(&pod).unwrap();
    while socket.exists() || cgroup.exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Asks for the version; the path is longer than a socket's address, so the folder is opened first.
async fn ask(socket: &std::path::Path) -> String {
    use std::os::fd::AsRawFd;
    let folder = std::fs::File::open(socket.parent().unwrap()).unwrap();
    let short = format!("/proc/self/fd/{}/ch.sock", folder.as_raw_fd());
    let mut stream = tokio::net::UnixStream::connect(short).await.unwrap();
    stream.write_all(b"GET /api/v1/vmm.ping HTTP/1.1\r\nhost: vmm\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

#[test]
fn the_status_of_a_pod_is_a_kubernetes_status() {
    let trace = life(5);
    let last = trace.iter().rev().find(|line| line.contains("pods default/a ")).unwrap();
    let object: Value = serde_json::from_str(last.split_once("default/a ").unwrap().1).unwrap();
    let pod: k8s_openapi::api::core::v1::Pod = serde_json::from_value(object).unwrap();
    let status = pod.status.unwrap();
    let container = status.container_statuses.unwrap().remove(0);
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert_eq!(container.allocated_resources.unwrap()["memory"].0, "5Gi");
    assert_eq!(container.resources.unwrap().limits.unwrap()["cpu"].0, "4");
}
