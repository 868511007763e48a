//! Pods, nodes and VMs as a Kubernetes 1.35 writes them.

use k8s_openapi::api::core::v1::{Node, Pod};
use reef_api::{Bytes, MIB, MilliCpu, PodSize, VirtualMachine};
use serde_json::{Value, json};

use crate::decide::observed::{
    NodeObserved, PendingReason, PodObserved, PodPhase, Reads, ResizeInProgress, ResizePending,
};
use crate::observe::{KeptPod, PodOdd, Pods, node_observed, pod_observed, vm_observed};

const UID: &str = "8a6e0804-2bd0-4672-b79d-d97027f9071a";

fn sized(cpu: u64, mib: u64) -> PodSize {
    PodSize { cpu_request: MilliCpu(cpu), cpu_limit: MilliCpu(cpu), memory: Bytes(MIB.0 * mib) }
}

fn running() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web-1-0", "namespace": "default", "uid": "p1", "resourceVersion": "41", "generation": 3,
            "creationTimestamp": "2026-11-01T10:00:00Z",
            "labels": {"reef.dev/vm": "web-1"},
            "ownerReferences": [{"apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
                "name": "web-1", "uid": UID, "controller": true, "blockOwnerDeletion": true}]
        },
        "spec": {
            "nodeName": "node-a", "restartPolicy": "Never",
            "containers": [
                {"name": "sidecar", "image": "s", "resources": {"limits": {"cpu": "10m", "memory": "16Mi"}}},
                {"name": "vm-manager", "image": "reef", "resources": {
                    "requests": {"cpu": "2", "memory": "2304Mi"}, "limits": {"cpu": "2", "memory": "2304Mi"}}}
            ]
        },
        "status": {
            "phase": "Running", "observedGeneration": 3, "qosClass": "Guaranteed",
            "conditions": [
                {"type": "PodScheduled", "status": "True", "observedGeneration": 3},
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T10:00:05Z"}
            ],
            "containerStatuses": [
                {"name": "sidecar", "image": "s", "imageID": "", "ready": true, "restartCount": 0},
                {"name": "vm-manager", "image": "reef", "imageID": "", "ready": true, "restartCount": 0,
                 "allocatedResources": {"cpu": "2", "memory": "2304Mi"},
                 "resources": {"limits": {"cpu": "2", "memory": "2304Mi"}, "requests": {"cpu": "2", "memory": "2304Mi"}},
                 "state": {"running": {"startedAt": "2026-11-01T10:00:04Z"}}}
            ]
        }
    })
}

fn settled() -> PodObserved {
    PodObserved {
        name: "web-1-0".to_owned(),
        uid: "p1".to_owned(),
        resource_version: "41".to_owned(),
        phase: PodPhase::Running,
        deleting: false,
        node: Some("node-a".to_owned()),
        unschedulable: None,
        trouble: None,
        unbooted: false,
        made_for: None,
        restarted: None,
        generation: 3,
        observed_generation: 3,
        spec: sized(2000, 2304),
        allocated: Some(sized(2000, 2304)),
        actual: Some(sized(2000, 2304)),
        pending: None,
        in_progress: None,
        reads: Reads::Once,
    }
}

fn read(value: Value) -> Result<PodObserved, PodOdd> {
    pod_observed(&serde_json::from_value::<Pod>(value).unwrap())
}

fn with(change: impl FnOnce(&mut Value)) -> PodObserved {
    let mut pod = running();
    change(&mut pod);
    read(pod).unwrap()
}

#[test]
fn a_running_pod_is_read_by_the_name_of_its_container() {
    assert_eq!(read(running()), Ok(settled()));
}

#[test]
fn the_four_states_of_a_raise_on_its_way_are_told_apart() {
    let seen = with(|pod| {
        pod["metadata"]["generation"] = json!(4);
        pod["spec"]["containers"][1]["resources"] =
            json!({"requests": {"cpu": "4", "memory": "4352Mi"}, "limits": {"cpu": "4", "memory": "4352Mi"}});
        pod["status"]["containerStatuses"][1]["allocatedResources"] = json!({"cpu": "4", "memory": "4352Mi"});
        pod["status"]["conditions"] =
            json!([{"type": "PodResizeInProgress", "status": "True", "observedGeneration": 4}]);
    });
    let expected = PodObserved {
        generation: 4,
        spec: sized(4000, 4352),
        allocated: Some(sized(4000, 4352)),
        in_progress: Some(ResizeInProgress { error: None }),
        ..settled()
    };
    assert_eq!(seen, expected);
    assert!(!seen.caught_up());
}

#[test]
fn a_pending_condition_counts_only_for_the_present_generation() {
    let text = "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000";
    let condition = |generation: i64| {
        json!([{"type": "PodResizePending", "status": "True", "reason": "Infeasible", "message": text,
            "observedGeneration": generation, "lastTransitionTime": "2026-11-01T10:05:00Z"}])
    };
    let present = with(|pod| pod["status"]["conditions"] = condition(3));
    let expected = ResizePending { reason: PendingReason::Infeasible, message: text.to_owned() };
    assert_eq!(present.pending, Some(expected));
    assert_eq!(with(|pod| pod["status"]["conditions"] = condition(2)).pending, None);
}

#[test]
fn an_error_of_the_kubelet_while_it_lowers_a_limit_is_kept_in_its_words() {
    let seen = with(|pod| {
        pod["status"]["conditions"] = json!([{"type": "PodResizeInProgress", "status": "True", "reason": "Error",
            "message": "cannot decrease memory limits"}]);
    });
    let error = Some("cannot decrease memory limits".to_owned());
    assert_eq!(seen.in_progress, Some(ResizeInProgress { error }));
}

#[test]
fn rounding_of_a_cpu_request_by_the_runtime_is_taken_back_and_more_is_not() {
    let overcommitted = |told: &str| {
        with(|pod| {
            pod["spec"]["containers"][1]["resources"]["requests"]["cpu"] = json!("667m");
            let status = &mut pod["status"]["containerStatuses"][1];
            status["allocatedResources"]["cpu"] = json!("667m");
            status["resources"]["requests"]["cpu"] = json!(told);
        })
    };
    let request = |told: &str| overcommitted(told).actual.unwrap().cpu_request;
    assert_eq!(request("664m"), MilliCpu(667));
    assert_eq!(request("691m"), MilliCpu(667));
    assert_eq!(request("500m"), MilliCpu(500));
}

#[test]
fn a_pod_of_a_scheduler_and_kubelet_that_have_not_acted_has_no_allocated_and_actual() {
    let seen = with(|pod| {
        pod["spec"]["nodeName"] = Value::Null;
        pod["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/2 nodes are available: 2 Insufficient memory."}]});
    });
    let expected = PodObserved {
        phase: PodPhase::Pending,
        node: None,
        unschedulable: Some("0/2 nodes are available: 2 Insufficient memory.".to_owned()),
        observed_generation: 0,
        allocated: None,
        actual: None,
        ..settled()
    };
    assert_eq!(seen, expected);
}

#[test]
fn the_end_of_a_container_is_told_in_the_kubelets_words() {
    let trouble = |status: Value| {
        with(|pod| {
            pod["status"]["containerStatuses"][1]["state"] = status;
        })
        .trouble
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        trouble(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})),
        some("OOMKilled: exit code 137")
    );
    assert_eq!(
        trouble(json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}})),
        some("ErrImagePull: no such image")
    );
    assert_eq!(trouble(json!({"waiting": {"reason": "ContainerCreating"}})), None);
    let evicted = with(|pod| {
        pod["status"]["phase"] = json!("Failed");
        pod["status"]["reason"] = json!("Evicted");
        pod["status"]["message"] = json!("The node was low on resource: memory.");
    });
    assert_eq!(
        (evicted.phase, evicted.trouble),
        (PodPhase::Failed, some("Evicted: The node was low on resource: memory."))
    );
}

#[test]
fn an_init_container_that_failed_or_waits_is_why_the_vm_does_not_boot() {
    let init = |state: Value| {
        let seen = with(|pod| {
            pod["status"]["phase"] = json!("Failed");
            pod["status"]["containerStatuses"][1]["state"] = json!({"waiting": {"reason": "PodInitializing"}});
            pod["status"]["initContainerStatuses"] = json!([
                {"name": "init-kernel", "image": "k", "imageID": "", "ready": true, "restartCount": 0,
                 "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                {"name": "init-volume-root", "image": "r", "imageID": "", "ready": false, "restartCount": 0, "state": state}]);
        });
        (seen.trouble.unwrap(), seen.unbooted)
    };
    let full = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "cp: No space left on device"}});
    assert_eq!(init(full), ("init-volume-root: Error: cp: No space left on device".to_owned(), true));
    let waits = json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}});
    assert_eq!(init(waits), ("init-volume-root: ErrImagePull: no such image".to_owned(), true));
}

#[test]
fn a_pod_that_ended_before_its_vm_ran_is_told_from_one_that_ended_later() {
    let unbooted = |code: i32, reason: &str| {
        with(|pod| {
            pod["status"]["phase"] = json!("Failed");
            pod["status"]["containerStatuses"][1]["state"] =
                json!({"terminated": {"exitCode": code, "reason": reason}});
        })
        .unbooted
    };
    assert!(unbooted(68, "Error") && unbooted(128, "StartError"));
    assert!(!unbooted(1, "Error") && !unbooted(137, "OOMKilled"));
}

#[test]
fn a_pod_that_cannot_be_resized_is_an_error_and_not_a_pod_of_size_zero() {
    let mut unlimited = running();
    unlimited["spec"]["containers"][1]["resources"] = json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}});
    assert_eq!(read(unlimited), Err(PodOdd::NoLimit { name: "web-1-0".to_owned(), resource: "memory" }));
    let mut foreign = running();
    foreign["spec"]["containers"][1]["name"] = json!("other");
    assert_eq!(read(foreign), Err(PodOdd::NoContainer { name: "web-1-0".to_owned() }));
    let mut broken = running();
    broken["spec"]["containers"][1]["resources"]["limits"]["cpu"] = json!("lots");
    let expected = PodOdd::Quantity { name: "web-1-0".to_owned(), resource: "cpu", text: "lots".to_owned() };
    assert_eq!(read(broken), Err(expected));
}

fn node(ready: &str) -> Node {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"},
        "status": {
            "allocatable": {"cpu": "15800m", "memory": "64Gi", "pods": "110"},
            "capacity": {"cpu": "16", "memory": "66Gi"},
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": ready}]
        }
    }))
    .unwrap()
}

#[test]
fn a_vm_is_put_together_from_the_pods_that_it_owns_and_the_node_of_the_living_one() {
    let vm: VirtualMachine = serde_json::from_value(json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": {"name": "web-1", "namespace": "default", "uid": UID, "resourceVersion": "40", "generation": 2},
        "spec": {"instance": {}}
    }))
    .unwrap();
    let own: Pod = serde_json::from_value(running()).unwrap();
    let mut older = own.clone();
    older.metadata.name = Some("web-1-9".to_owned());
    older.metadata.creation_timestamp.as_mut().unwrap().0 = "2026-10-01T10:00:00Z".parse().unwrap();
    older.status.as_mut().unwrap().phase = Some("Failed".to_owned());
    let mut earlier_vm = own.clone();
    earlier_vm.metadata.owner_references.as_mut().unwrap()[0].uid = "another".to_owned();
    let pods = Pods::of(UID, &[&own, &older, &earlier_vm].map(KeptPod::from));
    let names: Vec<&str> = pods.read.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(names, ["web-1-9", "web-1-0"]);
    assert_eq!(pods.leftovers, ["web-1-0"]);
    let node = node_observed(&node("True"));
    let observed = vm_observed(&vm, pods.read, |name| node.filter(|_| name == "node-a"), None).unwrap();
    assert_eq!((observed.uid.as_str(), observed.resource_version.as_str(), observed.generation), (UID, "40", 2));
    let expected =
        NodeObserved { name: "node-a".to_owned(), ready: true, cpu: MilliCpu(15800), memory: Bytes(MIB.0 * 65536) };
    assert_eq!(observed.node, Some(expected));
}

#[test]
fn a_pod_that_an_earlier_vm_left_counts_until_it_has_ended_and_a_strangers_never() {
    let left = |change: fn(&mut Pod)| {
        let mut pod: Pod = serde_json::from_value(running()).unwrap();
        change(&mut pod);
        Pods::of("later", &[KeptPod::from(&pod)]).leftovers.len()
    };
    assert_eq!(left(|_| {}), 1);
    assert_eq!(left(|pod| pod.metadata.owner_references = None), 1, "orphaned by its deletion");
    assert_eq!(left(|pod| pod.status.as_mut().unwrap().phase = Some("Failed".to_owned())), 0);
    assert_eq!(left(|pod| pod.metadata.owner_references.as_mut().unwrap()[0].kind = "ReplicaSet".to_owned()), 0);
    assert_eq!(left(|pod| pod.spec.as_mut().unwrap().containers.clear()), 0);
}

#[test]
fn conditions_of_a_vm_are_read_in_our_order_whatever_the_server_keeps() {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": "Settled", "message": "", "lastTransitionTime": "2026-11-01T10:00:00Z"});
    let vm: VirtualMachine = serde_json::from_value(json!({
        "metadata": {"name": "web-1", "uid": UID, "resourceVersion": "40"}, "spec": {"instance": {}},
        "status": {"conditions": [condition("Resized"), condition("Other"), condition("Reconciling"), condition("Ready")]}
    }))
    .unwrap();
    let observed = vm_observed(&vm, Vec::new(), |_| None, None).unwrap();
    let kinds: Vec<&str> = observed.status.conditions.iter().map(|found| found.type_.as_str()).collect();
    assert_eq!(kinds, ["Ready", "Reconciling", "Resized", "Other"]);
}

#[test]
fn a_node_that_has_not_been_heard_of_is_not_ready() {
    assert!(!node_observed(&node("Unknown")).unwrap().ready);
    assert_eq!(node_observed(&Node::default()), None);
}
