//! Golden text of what people see, made from objects as the API server gives them.

use super::source::sources;
use super::table::{Namespaces, vms};
use super::{Paint, SourceView, VmView, detail};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use reef_api::{GitSource, Reason, VirtualMachine};
use reef_reconciler::observe::KeptPod;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

mod after;

const COMMIT: &str = "1f0c2e9a77d15bb0e6b4b8f5d1a3f1f7a0c9d8e7";

fn parsed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn size(vcpus: u32, memory: &str) -> Value {
    json!({ "vcpus": vcpus, "memory": memory })
}

/// A VM whose guest has `actual` while its spec asks for `desired`.
fn machine(name: &str, desired: (u32, &str), actual: (u32, &str), ready: &Value) -> VirtualMachine {
    parsed(json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": format!("uid-{name}"), "generation": 2,
            "annotations": {
                "reef.dev/revision": COMMIT, "reef.dev/source": "default/platform",
                "reef.dev/origin": format!("teams/web/{name}.yaml:1")
            }
        },
        "spec": { "instance": { "cpu": { "coresPerSocket": desired.0 }, "memory": { "size": desired.1 } } },
        "status": {
            "phase": "Running", "nodeName": "node-1", "vmPodName": format!("{name}-1"), "vmPodUID": "pod-1",
            "resize": {
                "podUID": "pod-1", "generation": 2, "revision": COMMIT,
                "target": size(desired.0, desired.1), "aim": size(desired.0, desired.1),
                "grant": { "podUID": "pod-1", "seq": 3, "vcpus": desired.0, "memory": desired.1 },
                "reason": ready["reason"], "startedAt": at(0), "reasonSince": at(5)
            },
            "history": [
                { "podUID": "pod-1", "generation": 1, "target": size(2, "2Gi"), "outcome": "Settled",
                  "startedAt": at(-3_600), "finishedAt": at(-3_598) },
                { "podUID": "pod-1", "generation": 2, "revision": COMMIT, "target": size(desired.0, desired.1),
                  "outcome": "InProgress", "startedAt": at(0) }
            ],
            "vmm": {
                "podUID": "pod-1", "process": { "pid": 1000, "startTime": 42 }, "ackSeq": 3,
                "vcpusRequested": desired.0, "vcpusPresent": actual.0,
                "memoryRequested": desired.1, "memoryActual": actual.1,
                "boot": { "minVcpus": 1, "maxVcpus": 8, "minMemory": "1Gi", "maxMemory": "16Gi" }
            },
            "conditions": [ready]
        }
    }))
}

fn ready(status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": "Ready", "status": status, "reason": reason, "message": message,
        "observedGeneration": 2, "lastTransitionTime": at(5)
    })
}

fn pod(vm: &str, cpu: &str, memory: &str) -> KeptPod {
    let resources = json!({ "requests": { "cpu": cpu, "memory": memory }, "limits": { "cpu": cpu, "memory": memory } });
    let pod: Pod = parsed(json!({
        "metadata": {
            "name": format!("{vm}-1"), "uid": "pod-1", "resourceVersion": "7", "generation": 2,
            "ownerReferences": [{
                "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine", "name": vm,
                "uid": format!("uid-{vm}"), "controller": true
            }]
        },
        "spec": { "nodeName": "node-1", "containers": [{ "name": "vm-manager", "resources": resources }] },
        "status": {
            "phase": "Running", "observedGeneration": 2,
            "containerStatuses": [{
                "name": "vm-manager", "ready": true, "restartCount": 0, "image": "", "imageID": "",
                "allocatedResources": { "cpu": cpu, "memory": memory }, "resources": resources
            }]
        }
    }));
    KeptPod::from(&pod)
}

fn settled() -> VmView {
    let ready = ready("True", "Settled", "the guest has 2 vCPU, 2Gi, and the Pod agrees");
    VmView::of(&machine("web-1", (2, "2Gi"), (2, "2Gi"), &ready), &[pod("web-1", "2", "2304Mi")])
}

fn growing() -> VmView {
    let ready = ready("False", "WaitingForGuest", "the guest is following to 4 vCPU, 4Gi");
    VmView::of(&machine("web-2", (4, "4Gi"), (4, "2Gi"), &ready), &[pod("web-2", "4", "4352Mi")])
}

fn unseen() -> VmView {
    let spec = json!({ "instance": { "cpu": { "coresPerSocket": 1 }, "memory": { "size": "1Gi" } } });
    let metadata = json!({ "name": "new-1", "namespace": "default", "uid": "u", "generation": 1 });
    VmView::of(&parsed(json!({ "metadata": metadata, "spec": spec })), &[])
}

#[test]
fn a_wait_that_is_none_of_the_resize_is_counted_from_its_own_beginning() {
    let suspended = ready("False", "Suspended", "suspended by ops until it is resumed");
    let mut vm = machine("web-1", (2, "2Gi"), (2, "2Gi"), &suspended);
    let since = |vm: &VirtualMachine| VmView::of(vm, &[]).waiting.and_then(|waiting| waiting.since);
    let resize = vm.status.as_mut().and_then(|status| status.resize.as_mut()).unwrap();
    (resize.reason, resize.reason_since) = (Some(Reason::Settled), Some(at(-3_600)));
    assert_eq!(since(&vm), Some(at(5)));
    let resize = vm.status.as_mut().and_then(|status| status.resize.as_mut()).unwrap();
    (resize.reason, resize.reason_since) = (Some(Reason::Suspended), Some(at(3)));
    assert_eq!(since(&vm), Some(at(3)));
}

#[test]
fn a_table_shows_what_differs_and_what_is_waited_for() {
    let text = vms(&[settled(), growing(), unseen()], Namespaces::Shown, Paint::Plain, None);
    insta::assert_snapshot!(text);
}

#[test]
fn a_vm_that_left_git_is_told_beside_its_sizes() {
    let source = json!({
        "metadata": { "name": "platform", "namespace": "default" }, "spec": { "url": "https://git.example.com/vms.git" },
        "status": { "removed": [{ "kind": "VirtualMachine", "name": "web-1", "path": "a.yaml"}] }
    });
    let sources = [SourceView::of(&parsed(source))];
    let (left, stays) = (settled().beside(&sources), growing().beside(&sources));
    assert_eq!((left.removed_from_git, stays.removed_from_git), (true, false));
    let elsewhere = json!({
        "metadata": { "name": "platform", "namespace": "default" }, "spec": { "url": "https://git.example.com/vms.git" },
        "status": { "removed": [{ "kind": "VirtualMachine", "name": "web-1", "namespace": "other", "path": "a.yaml"}] }
    });
    assert!(!settled().beside(&[SourceView::of(&parsed(elsewhere))]).removed_from_git);
    insta::assert_snapshot!(detail::vm(&left, at(12), Paint::Plain, None));
}

#[test]
fn colours_are_there_only_where_they_are_wanted() {
    let plain = vms(&[settled(), growing()], Namespaces::Hidden, Paint::Plain, None);
    let coloured = vms(&[settled(), growing()], Namespaces::Hidden, Paint::Colours, None);
    assert!(!plain.contains('\u{1b}'));
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string().replace(' ', ""), plain.replace(' ', ""));
}

#[test]
fn a_vm_in_full_names_file_commit_and_what_to_do() {
    insta::assert_snapshot!(detail::vm(&growing(), at(12), Paint::Plain, None));
}

#[test]
fn a_vm_that_nobody_has_seen_yet_says_so() {
    insta::assert_snapshot!(detail::vm(&unseen(), at(12), Paint::Plain, None));
}

#[test]
fn a_source_names_its_problems_by_file_and_line() {
    let source: GitSource = parsed(json!({
        "metadata": { "name": "platform", "namespace": "default", "generation": 1 },
        "spec": { "url": "https://git.example.com/vms.git" },
        "status": {
            "observedCommit": COMMIT,
            "removed": [{ "kind": "VirtualMachine", "name": "ci-2", "path": "teams/ci/ci-2.yaml"}],
            "problems": [{ "path": "teams/db/db-1.yaml", "line": 12, "message": "found a tab\n12 | \tcpu: 1\n   | ^" }],
            "conditions": [{
                "type": "Ready", "status": "False", "reason": "Problems", "message": "1 problem",
                "lastTransitionTime": at(0)
            }]
        }
    }));
    insta::assert_snapshot!(sources(&[SourceView::of(&source)], Paint::Plain, None));
}

#[test]
fn a_password_in_an_address_is_not_shown() {
    let source: GitSource = parsed(json!({
        "metadata": { "name": "platform", "namespace": "default" },
        "spec": { "url": "https://reef:canary@git.example.com/vms.git" }
    }));
    let view = SourceView::of(&source);
    assert!(!serde_json::to_string(&view).unwrap().contains("canary"), "{view:?}");
}

#[test]
fn every_reason_that_is_no_end_says_what_to_do() {
    let silent: Vec<Reason> =
        Reason::ALL.iter().copied().filter(|reason| super::hint::hint(*reason).is_none()).collect();
    assert_eq!(silent, [Reason::Settled, Reason::Halted, Reason::Applied, Reason::PlanOnly, Reason::CapacityOk]);
}
