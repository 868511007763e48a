//! Objects of every shape become views or errors, never panics.

use super::*;
use serde_json::{Value, json};

fn object(json: Value) -> Object {
    serde_json::from_value(json).unwrap()
}

fn vm() -> Value {
    json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": { "namespace": "shop", "name": "web", "uid": "vm-1", "resourceVersion": "41" },
        "spec": { "instance": {} },
        "status": {
            "nodeName": "n1", "vmPodUID": "pod-1",
            "resize": { "generation": 1, "grant": { "podUID": "pod-1", "seq": 3, "vcpus": 4, "memory": "4Gi" } }
        }
    })
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "namespace": "shop", "name": "web-abc", "uid": "pod-1", "labels": { "reef.dev/vm": "web" } },
        "spec": { "nodeName": "n1", "containers": [] },
        "status": { "containerStatuses": [
            { "name": "sidecar", "image": "", "imageID": "", "ready": true, "restartCount": 0, "containerID": "containerd://x" },
            { "name": "vm-manager", "image": "", "imageID": "", "ready": true, "restartCount": 0,
              "containerID": "containerd://abc", "state": { "running": {} } }
        ] }
    })
}

#[test]
fn a_vm_is_read_with_its_grant() {
    let view = VmView::read(&object(vm())).unwrap();
    let grant: Grant = serde_json::from_value(vm()["status"]["resize"]["grant"].clone()).unwrap();
    assert_eq!(view.grant_for("pod-1"), Some(&grant));
    assert_eq!(view.grant_for("pod-2"), None);
    assert_eq!((view.node.as_deref(), view.pod_uid.as_deref()), (Some("n1"), Some("pod-1")));
}

#[test]
fn a_report_of_another_version_counts_as_none() {
    let mut odd = vm();
    odd["status"]["vmm"] = json!({ "podUID": 7, "novelty": [] });
    assert_eq!(VmView::read(&object(odd)).unwrap().reported, None);
}

#[test]
fn a_grant_that_cannot_be_read_is_an_error_and_never_a_guess() {
    let mut odd = vm();
    odd["status"]["resize"]["grant"]["memory"] = json!("4GB");
    let error = VmView::read(&object(odd)).unwrap_err();
    assert_eq!(error.to_string(), "VirtualMachine shop/web: status cannot be read");
}

#[test]
fn a_vm_without_status_has_no_grant_and_one_without_a_uid_is_odd() {
    let mut bare = vm();
    bare.as_object_mut().unwrap().remove("status");
    assert_eq!(VmView::read(&object(bare.clone())).unwrap().grant, None);
    bare["metadata"].as_object_mut().unwrap().remove("uid");
    assert_eq!(VmView::read(&object(bare)).unwrap_err().to_string(), "VirtualMachine shop/web has no metadata.uid");
}

#[test]
fn a_pod_is_known_by_its_running_vmm_container() {
    let view = PodView::read(&object(pod())).unwrap();
    assert_eq!(view.vm, VmKey::new("shop", "web"));
    let expected = PodRef { pod_uid: "pod-1".to_owned(), container_id: "abc".to_owned() };
    assert_eq!(view.on("n1"), Some(expected));
}

#[test]
fn a_pod_of_another_node_or_on_its_way_out_or_not_running_is_none_of_ours() {
    assert_eq!(PodView::read(&object(pod())).unwrap().on("n2"), None);
    let mut leaving = pod();
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(PodView::read(&object(leaving)).unwrap().on("n1"), None);
    let mut ended = pod();
    ended["status"]["containerStatuses"][1]["state"] = json!({ "terminated": { "exitCode": 1 } });
    assert_eq!(PodView::read(&object(ended)).unwrap().on("n1"), None);
}

#[test]
fn odd_pods_are_errors() {
    let mut unlabelled = pod();
    unlabelled["metadata"].as_object_mut().unwrap().remove("labels");
    assert!(PodView::read(&object(unlabelled)).is_err());
    let mut odd = pod();
    odd["status"] = json!({ "containerStatuses": 7 });
    assert!(matches!(PodView::read(&object(odd)), Err(OddObject::Unreadable { field: "status", .. })));
}

#[test]
fn versions_compare_as_numbers() {
    let newer =
        |this: &str, other: &str| ResourceVersion(this.to_owned()).is_newer_than(&ResourceVersion(other.to_owned()));
    assert!(newer("10", "9"));
    assert!(!newer("9", "10"));
    assert!(!newer("9", "9"));
    assert!(newer("abc", "9"));
    assert!(!newer("abc", "abc"));
}
