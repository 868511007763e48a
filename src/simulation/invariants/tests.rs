//! Each rule is broken once, on a cluster without any role, and the inspector has to find just that.

use super::*;
use crate::wiring::crds;
use jiff::Timestamp;
use reef_api::size::DEFAULT_OVERHEAD;
use reef_sim::api::RequestFacts;
use reef_sim::cluster::{ClusterOptions, VirtualClock};
use reef_sim::store::{DeleteOptions, ObjectKey, ResourceId, meta};
use reef_sim::vmm::{Behaviour, Pressed, ResizeRequest};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

const GIB: u64 = 1 << 30;

/// A cluster in which one VM runs with 2 vCPUs and 2Gi, and its Pod carries 4 vCPUs and 4Gi.
struct Scene {
    cluster: Arc<Cluster>,
    inspector: Inspector,
    pod: ObjectKey,
    _stop: DropGuard,
}

fn vms() -> ResourceId {
    ResourceId::new(VM_GROUP, "virtualmachines")
}

fn vm_key() -> ObjectKey {
    ObjectKey::namespaced(vms(), "default", "web-1")
}

impl Scene {
    async fn new() -> Self {
        let clock = Arc::new(VirtualClock::starting_at(Timestamp::from_second(1_800_000_000).unwrap()));
        let cluster = Arc::new(Cluster::new(ClusterOptions::two_nodes(1, clock)));
        for crd in crds::all() {
            cluster.store().create(&reef_sim::store::definitions(), serde_json::to_value(crd).unwrap()).unwrap();
        }
        let inspector = Inspector::of(&cluster, DEFAULT_OVERHEAD, Recording::All);
        let stop = CancellationToken::new();
        let (living, until) = (cluster.clone(), stop.clone());
        tokio::spawn(async move { living.run(until).await });
        let pod = create_pod(&cluster, "web-1-a");
        tokio::time::sleep(Duration::from_secs(20)).await;
        let scene = Self { cluster, inspector, pod, _stop: stop.drop_guard() };
        let cpu = json!({ "coresPerSocket": 2 });
        let vm = json!({
            "metadata": { "name": "web-1", "namespace": "default" },
            "spec": { "runPolicy": "Always", "instance": { "cpu": cpu, "memory": { "size": "2Gi" } } },
        });
        scene.cluster.store().create(&vms(), vm).unwrap();
        scene.status(|_| ());
        assert_eq!(scene.inspector.failure(), None);
        scene
    }

    fn pod_uid(&self) -> String {
        meta::uid(&self.cluster.store().get(&self.pod).unwrap()).to_owned()
    }

    /// Writes the VM's status as the roles would: it holds 2 vCPUs and 2Gi by grant 1; `change` makes it otherwise.
    fn status(&self, change: impl FnOnce(&mut Value)) {
        let uid = self.pod_uid();
        let size = json!({ "vcpus": 2, "memory": "2Gi" });
        let mut status = json!({
            "phase": "Running", "vmPodUID": uid,
            "resize": { "podUID": uid, "generation": 1, "target": size, "aim": size,
                "grant": { "podUID": uid, "seq": 1, "vcpus": 2, "memory": "2Gi" } },
            "vmm": { "podUID": uid, "ackSeq": 1, "vcpusRequested": 2, "vcpusPresent": 2,
                "memoryRequested": "2Gi", "memoryActual": "2Gi" },
        });
        change(&mut status);
        self.cluster.store().update(&vm_key(), None, "test", |vm| vm["status"] = status.clone()).unwrap();
    }

    fn grant(&self, seq: u64, vcpus: u32, gib: u64) {
        self.status(|status| {
            status["resize"]["outstanding"] = json!([status["resize"]["grant"]]);
            status["resize"]["grant"] =
                json!({ "podUID": self.pod_uid(), "seq": seq, "vcpus": vcpus, "memory": format!("{gib}Gi") });
            status["vmm"]["ackSeq"] = json!(seq);
        });
    }

    async fn asks(&self, vcpus: Option<u32>, gib: Option<u64>) {
        let request =
            ResizeRequest { desired_vcpus: vcpus, desired_ram: gib.map(|gib| gib * GIB), ..ResizeRequest::default() };
        self.cluster.change_vmm(&self.pod, move |machine| machine.resize(request)).await.unwrap().unwrap();
    }

    fn lower_pod(&self, cpu: &str, memory: &str) {
        let amounts = json!({ "cpu": cpu, "memory": memory });
        let lowered = self.cluster.store().update(&self.pod, None, "reef-controller", |pod| {
            pod["spec"]["containers"][0]["resources"] = json!({ "requests": amounts, "limits": amounts });
        });
        lowered.unwrap();
    }

    fn sent(&self, role: &str, method: &str, path: &str, body: &Value) {
        let request = hyper::Request::builder().method(method).uri(path).body(()).unwrap();
        let facts = RequestFacts::read(&request.into_parts().0);
        self.inspector.sent(Sent { role, facts: &facts, body: body.to_string().as_bytes() });
    }

    fn found(&self) -> Option<Invariant> {
        self.inspector.failure().map(|failure| failure.invariant)
    }
}

fn create_pod(cluster: &Cluster, name: &str) -> ObjectKey {
    let layout = json!({
        "vmm": "CloudHypervisor", "vcpus": 2, "minVcpus": 1, "maxVcpus": 8,
        "memory": "2Gi", "minMemory": "1Gi", "maxMemory": "8Gi",
    });
    let amounts = json!({ "cpu": "4", "memory": "4352Mi" });
    let pod = json!({
        "metadata": { "name": name, "namespace": "default", "labels": { "reef.dev/vm": "web-1" } },
        "spec": { "restartPolicy": "Never", "containers": [{
            "name": "vm-manager", "image": "reef", "args": ["launch", "--layout", layout.to_string()],
            "resources": { "requests": amounts, "limits": amounts },
        }] },
    });
    cluster.store().create(&ResourceId::core("pods"), pod).unwrap();
    Cluster::pod("default", name)
}

const STATUS: &str = "/apis/cloudhypervisor.quill.today/v1beta1/namespaces/default/virtualmachines/web-1/status";
const RESIZE: &str = "/api/v1/namespaces/default/pods/web-1-a/resize";

fn resize_body() -> Value {
    let amounts = json!({ "cpu": "4", "memory": "4352Mi" });
    json!({
        "metadata": { "uid": "u", "resourceVersion": "7" },
        "spec": { "containers": [{ "name": "vm-manager", "resources": { "requests": amounts, "limits": amounts } }] },
    })
}

#[tokio::test(start_paused = true)]
async fn a_resize_in_the_right_order_breaks_nothing() {
    let scene = Scene::new().await;
    scene.grant(2, 4, 4);
    scene.asks(Some(4), None).await;
    scene.asks(None, Some(4)).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    scene.grant(3, 1, 1);
    scene.asks(None, Some(1)).await;
    scene.asks(Some(1), None).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    scene.lower_pod("1", "1280Mi");
    scene.sent("controller", "PATCH", RESIZE, &resize_body());
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(scene.inspector.failure(), None);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_lowered_below_a_live_grant_is_found() {
    let scene = Scene::new().await;
    scene.lower_pod("1", "4352Mi");
    assert_eq!(scene.found(), Some(Invariant::ShrinkOrder));
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_nobody_deleted_and_that_is_gone_is_found() {
    let scene = Scene::new().await;
    scene.cluster.store().delete(&vm_key(), &DeleteOptions::default()).unwrap();
    assert_eq!(scene.found(), Some(Invariant::Absence));
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_a_vm_object_still_has_to_cover_its_vmm() {
    let scene = Scene::new().await;
    scene.inspector.deletes_vm("web-1");
    scene.cluster.store().delete(&vm_key(), &DeleteOptions::default()).unwrap();
    scene.lower_pod("4", "2Gi");
    assert_eq!(scene.found(), Some(Invariant::Containment));
}

#[tokio::test(start_paused = true)]
async fn a_hand_on_the_pod_is_no_failure_of_reef() {
    let scene = Scene::new().await;
    scene.inspector.meddles("web-1");
    scene.lower_pod("1", "4352Mi");
    assert_eq!(scene.inspector.failure(), None);
}

#[tokio::test(start_paused = true)]
async fn a_grant_beyond_the_pod_is_found() {
    let scene = Scene::new().await;
    scene.grant(2, 2, 5);
    assert_eq!(scene.found(), Some(Invariant::GrowOrder));
}

#[tokio::test(start_paused = true)]
async fn a_grant_beyond_what_the_vm_has_booted_with_is_found() {
    for (vcpus, gib) in [(2, 9), (9, 2), (0, 2), (2, 0)] {
        let scene = Scene::new().await;
        scene.grant(2, vcpus, gib);
        assert_eq!(scene.found(), Some(Invariant::Bounds), "{vcpus} and {gib}Gi");
    }
}

#[tokio::test(start_paused = true)]
async fn a_size_that_the_vmm_can_never_give_is_found_though_it_refuses_it() {
    let scene = Scene::new().await;
    let request = ResizeRequest { desired_ram: Some(9 * GIB), ..ResizeRequest::default() };
    scene.cluster.change_vmm(&scene.pod, move |machine| machine.resize(request)).await.unwrap().unwrap_err();
    assert_eq!(scene.found(), Some(Invariant::Bounds));
}

#[tokio::test(start_paused = true)]
async fn a_vmm_that_is_asked_for_more_than_was_granted_is_found() {
    let scene = Scene::new().await;
    scene.asks(Some(3), None).await;
    assert_eq!(scene.found(), Some(Invariant::GrowOrder));
}

#[tokio::test(start_paused = true)]
async fn a_vmm_that_is_asked_without_an_acknowledged_grant_is_found() {
    let scene = Scene::new().await;
    scene.status(|status| {
        status["vmm"]["podUID"] = json!("another");
        status["vmm"]["ackSeq"] = json!(0);
    });
    scene.asks(Some(1), None).await;
    assert_eq!(scene.found(), Some(Invariant::Identity));
}

#[tokio::test(start_paused = true)]
async fn both_resources_in_one_request_are_found() {
    let scene = Scene::new().await;
    scene.grant(2, 4, 4);
    scene.asks(Some(4), Some(4)).await;
    assert_eq!(scene.found(), Some(Invariant::SingleFlight));
}

#[tokio::test(start_paused = true)]
async fn memory_that_the_guest_uses_and_that_is_asked_back_is_found() {
    let scene = Scene::new().await;
    let stalls = Behaviour { pressed: Pressed::Stall, ..Behaviour::default() };
    scene.cluster.set_guest_behaviour(&scene.pod, stalls).await.unwrap();
    scene.cluster.set_guest_used(&scene.pod, Bytes(1_500 << 20)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
    scene.cluster.set_guest_used(&scene.pod, Bytes(1_501 << 20)).await.unwrap();
    scene.grant(2, 2, 1);
    scene.asks(None, Some(1)).await;
    assert_eq!(scene.found(), Some(Invariant::ShrinkOrder));
}

#[tokio::test(start_paused = true)]
async fn a_second_process_of_a_vm_is_found() {
    let scene = Scene::new().await;
    create_pod(&scene.cluster, "web-1-b");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(scene.found(), Some(Invariant::Life));
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_goes_back_is_found() {
    let scene = Scene::new().await;
    scene.grant(2, 2, 2);
    scene.status(|status| {
        status["resize"]["grant"]["seq"] = json!(2);
        status["vmm"]["ackSeq"] = json!(1);
    });
    assert_eq!(scene.found(), Some(Invariant::Identity));
}

#[tokio::test(start_paused = true)]
async fn a_status_that_says_settled_too_early_is_found() {
    let scene = Scene::new().await;
    let ready = json!([{ "type": "Ready", "status": "True", "reason": "Settled", "observedGeneration": 1 }]);
    scene.status(|status| {
        status["conditions"] = ready;
        status["vmm"]["memoryActual"] = json!("1Gi");
    });
    assert_eq!(scene.found(), Some(Invariant::Truth));
}

#[tokio::test(start_paused = true)]
async fn writes_without_what_they_were_computed_from_are_found() {
    let scene = Scene::new().await;
    scene.sent("controller", "PATCH", RESIZE, &json!({ "metadata": { "uid": "u" }, "spec": {} }));
    assert_eq!(scene.found(), Some(Invariant::Identity));
    let other = Scene::new().await;
    other.sent("node-1", "PATCH", STATUS, &json!({ "metadata": { "uid": "u" }, "status": { "vmm": {} } }));
    assert_eq!(other.found(), Some(Invariant::Identity));
}

#[tokio::test(start_paused = true)]
async fn a_patch_of_more_than_resources_is_found() {
    let scene = Scene::new().await;
    let mut body = resize_body();
    body["spec"]["nodeName"] = json!("node-2");
    scene.sent("controller", "PATCH", RESIZE, &body);
    assert_eq!(scene.found(), Some(Invariant::PodShape));
}

#[tokio::test(start_paused = true)]
async fn a_field_with_a_second_writer_is_found() {
    let named = json!({ "uid": "u", "resourceVersion": "7" });
    let scene = Scene::new().await;
    scene.sent("node-1", "PATCH", STATUS, &json!({ "metadata": named, "status": { "phase": "Running" } }));
    assert_eq!(scene.found(), Some(Invariant::Writers));
    let other = Scene::new().await;
    other.sent("controller", "PATCH", STATUS, &json!({ "metadata": named, "status": { "vmm": {} } }));
    assert_eq!(other.found(), Some(Invariant::Writers));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_runs_and_is_deleted_by_a_role_is_found() {
    let scene = Scene::new().await;
    let body = json!({ "preconditions": { "uid": scene.pod_uid() } });
    scene.sent("controller", "DELETE", "/api/v1/namespaces/default/pods/web-1-a", &body);
    assert_eq!(scene.found(), Some(Invariant::Life));
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_writes_is_found() {
    let scene = Scene::new().await;
    let named = json!({ "uid": "u", "resourceVersion": "7" });
    for _ in 0..400 {
        scene.sent("controller", "PATCH", STATUS, &json!({ "metadata": named, "status": {} }));
    }
    assert_eq!(scene.found(), Some(Invariant::Economy));
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_neither_settles_nor_says_why_not_is_found() {
    let scene = Scene::new().await;
    let tip = Statement::default();
    let unsettled = |scene: &Scene| scene.inspector.unsettled(&tip, &Default::default()).map(|(vm, _)| vm);
    assert_eq!(unsettled(&scene).as_deref(), Some("web-1"), "it says nothing");
    let says =
        |reason: &str| json!([{ "type": "Ready", "status": "False", "reason": reason, "observedGeneration": 1 }]);
    scene.status(|status| status["conditions"] = says("WaitingForGuest"));
    assert_eq!(unsettled(&scene).as_deref(), Some("web-1"), "it still waits");
    scene.status(|status| status["conditions"] = says("GuestPressure"));
    assert_eq!(unsettled(&scene), None);
}
