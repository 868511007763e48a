//! The whole cluster through its API: a VM's Pod is created, resized by `pods/resize`, its VMM by `vm.resize` on the
//! socket, and cgroup, threads and guest follow.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use reef_api::MilliCpu;
use reef_sim::cluster::{Cluster, ClusterOptions, VirtualClock};
use reef_sim::node::PodView;
use reef_sim::node::host_tree::socket_path;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

const MIB: u64 = 1 << 20;

fn start(seed: u64) -> (Arc<Cluster>, DropGuard) {
    let base = Timestamp::from_second(1_800_000_000).unwrap();
    let cluster = Arc::new(Cluster::new(ClusterOptions::two_nodes(seed, Arc::new(VirtualClock::starting_at(base)))));
    let stop = CancellationToken::new();
    let (living, until) = (cluster.clone(), stop.clone());
    tokio::spawn(async move { living.run(until).await });
    (cluster, stop.drop_guard())
}

async fn wait(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn vm_pod(name: &str) -> Pod {
    let layout = json!({
        "vmm": "CloudHypervisor", "vcpus": 2, "minVcpus": 1, "maxVcpus": 8,
        "memory": "2Gi", "minMemory": "1Gi", "maxMemory": "8Gi",
    });
    let amounts = json!({ "cpu": "2", "memory": "2304Mi" });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": "default", "labels": { "reef.dev/vm": name } },
        "spec": { "restartPolicy": "Never", "containers": [{
            "name": "vm-manager", "image": "reef", "args": ["launch", "--layout", layout.to_string()],
            "resources": { "requests": amounts, "limits": amounts },
        }] },
    });
    serde_json::from_value(pod).unwrap()
}

async fn resize_pod(pods: &Api<Pod>, name: &str, cpu: &str, memory: &str) -> Pod {
    let amounts = json!({ "cpu": cpu, "memory": memory });
    let patch = json!({ "spec": { "containers": [{
        "name": "vm-manager", "resources": { "requests": amounts, "limits": amounts },
    }] } });
    pods.patch_resize(name, &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap()
}

async fn ask(cluster: &Cluster, uid: &str, method: &str, name: &str, body: Value) -> (u16, Value) {
    let stream = cluster.net().connect(Path::new(&socket_path(uid))).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let body = Full::new(Bytes::from(body.to_string()));
    let request = http::Request::builder().method(method).uri(format!("/api/v1/{name}")).header("host", "vmm");
    let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    driver.abort();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn resize_vmm(cluster: &Cluster, uid: &str, vcpus: u32, mib: u64) {
    assert_eq!(ask(cluster, uid, "PUT", "vm.resize", json!({ "desired_vcpus": vcpus })).await.0, 204);
    assert_eq!(ask(cluster, uid, "PUT", "vm.resize", json!({ "desired_ram": mib * MIB })).await.0, 204);
}

fn actual(cluster: &Cluster, name: &str) -> (Option<MilliCpu>, Option<reef_api::Bytes>) {
    let pod = cluster.store().get(&Cluster::pod("default", name)).unwrap();
    let limits = PodView::parse(&pod).vmm_container().unwrap().actual.unwrap().limits;
    (limits.cpu, limits.memory)
}

#[tokio::test(start_paused = true)]
async fn a_vm_grows_and_shrinks_through_pod_and_socket() {
    let (cluster, _stop) = start(1);
    let client: Client = cluster.client();
    let pods: Api<Pod> = Api::namespaced(client, "default");
    let uid = pods.create(&PostParams::default(), &vm_pod("web")).await.unwrap().metadata.uid.unwrap();
    let key = Cluster::pod("default", "web");
    wait(30_000).await;
    let guest = cluster.guest_view(&key).unwrap();
    assert_eq!((guest.online_vcpus, guest.memory_bytes), (2, 2048 * MIB));

    let patched = resize_pod(&pods, "web", "4", "4352Mi").await;
    wait(2_000).await;
    let seen = pods.get("web").await.unwrap();
    assert_eq!(seen.status.unwrap().observed_generation, patched.metadata.generation);
    assert_eq!(actual(&cluster, "web"), (Some(MilliCpu(4_000)), Some(reef_api::Bytes(4352 * MIB))));
    let facts = cluster.host_facts(&key).unwrap();
    assert_eq!((facts.memory_limit, facts.cpu_quota), (Some(reef_api::Bytes(4352 * MIB)), Some(MilliCpu(4_000))));
    resize_vmm(&cluster, &uid, 4, 4096).await;
    wait(10_000).await;
    let guest = cluster.guest_view(&key).unwrap();
    assert_eq!((guest.online_vcpus, guest.memory_bytes), (4, 4096 * MIB));
    assert_eq!(cluster.host_facts(&key).unwrap().vcpu_threads().len(), 4);

    resize_vmm(&cluster, &uid, 1, 1024).await;
    wait(10_000).await;
    let (_, info) = ask(&cluster, &uid, "GET", "vm.info", Value::Null).await;
    assert_eq!(info["memory_actual_size"], 1024 * MIB);
    resize_pod(&pods, "web", "1", "1280Mi").await;
    wait(2_000).await;
    assert_eq!(actual(&cluster, "web"), (Some(MilliCpu(1_000)), Some(reef_api::Bytes(1280 * MIB))));
    let guest = cluster.guest_view(&key).unwrap();
    assert_eq!((guest.online_vcpus, guest.memory_bytes, guest.oom_kills), (1, 1024 * MIB, 0));
    assert_eq!(cluster.breaches(), []);
}

#[tokio::test(start_paused = true)]
async fn a_pod_beyond_its_node_is_infeasible_and_its_vm_stays_as_it_was() {
    let (cluster, _stop) = start(2);
    let pods: Api<Pod> = Api::namespaced(cluster.client(), "default");
    pods.create(&PostParams::default(), &vm_pod("web")).await.unwrap();
    wait(30_000).await;
    let before = cluster.vmm_view(&Cluster::pod("default", "web"));
    resize_pod(&pods, "web", "17", "2304Mi").await;
    wait(1_000).await;
    let conditions = pods.get("web").await.unwrap().status.unwrap().conditions.unwrap();
    let pending = conditions.iter().find(|condition| condition.type_ == "PodResizePending").unwrap();
    assert_eq!(pending.reason.as_deref(), Some("Infeasible"));
    let message = "Node didn't have enough capacity: cpu, requested: 17000, capacity: 16000";
    assert_eq!(pending.message.as_deref(), Some(message));
    assert_eq!(cluster.vmm_view(&Cluster::pod("default", "web")), before);
    assert_eq!(cluster.breaches(), []);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_takes_its_socket_with_it() {
    let (cluster, _stop) = start(3);
    let pods: Api<Pod> = Api::namespaced(cluster.client(), "default");
    let uid = pods.create(&PostParams::default(), &vm_pod("web")).await.unwrap().metadata.uid.unwrap();
    wait(5_000).await;
    pods.delete("web", &kube::api::DeleteParams::default()).await.unwrap();
    wait(2_000).await;
    assert!(pods.get_opt("web").await.unwrap().is_none());
    let gone = cluster.net().connect(Path::new(&socket_path(&uid))).unwrap_err();
    assert_eq!(gone.kind(), std::io::ErrorKind::NotFound);
}

/// Every write of a life in which three clients resize three VMs at once, as text.
fn life(seed: u64) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (cluster, _stop) = start(seed);
        let mut changes = cluster.store().subscribe_after(0);
        let lives = ["a", "b", "c"].map(|name| one_life(&cluster, name));
        futures::future::join_all(lives).await;
        wait(60_000).await;
        let mut trace = Vec::new();
        while let Some(change) = changes.try_next().unwrap() {
            trace.push(format!("{:?} {} {}", change.kind, change.key, change.object));
        }
        assert_eq!(cluster.breaches(), []);
        trace
    })
}

async fn one_life(cluster: &Cluster, name: &str) {
    let pods: Api<Pod> = Api::namespaced(cluster.client(), "default");
    let uid = pods.create(&PostParams::default(), &vm_pod(name)).await.unwrap().metadata.uid.unwrap();
    wait(20_000).await;
    resize_pod(&pods, name, "4", "3328Mi").await;
    wait(2_000).await;
    resize_vmm(cluster, &uid, 4, 3072).await;
    wait(5_000).await;
    cluster.set_guest_used(&Cluster::pod("default", name), reef_api::Bytes(1500 * MIB)).await.unwrap();
    resize_vmm(cluster, &uid, 2, 1024).await;
    wait(30_000).await;
    pods.delete(name, &kube::api::DeleteParams::default()).await.unwrap();
}

#[test]
fn the_same_seed_gives_the_same_writes_over_api_and_sockets() {
    let first = life(11);
    assert_eq!(first, life(11));
    assert_ne!(first, life(12));
}
