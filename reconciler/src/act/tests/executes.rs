//! Each action as the requests that it becomes, and the object that comes back.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use reef_api::vm::Grant;
use reef_api::{Bytes, EventName, MIB, MilliCpu, Phase, PodSize, ShrinkGate, Vcpus, VmKey};
use serde_json::{Value, json};

use super::server::{Reply, Server, ok, status};
use crate::act::{Effect, Outcome, Refused, VmRef, execute, made_otherwise};
use crate::decide::action::{Action, ControllerStatus, PlannedEvent};
use crate::decide::observed::RefusalKind;
use crate::observe::{Kind, ObjectKey};

const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

fn vm() -> VmRef {
    VmRef { key: VmKey::new("team", "web"), uid: "vm-uid".to_owned(), resource_version: "12".to_owned() }
}

fn pod(uid: &str, owner: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "namespace": "team", "uid": uid,
        "resourceVersion": "30", "ownerReferences": [{"apiVersion": "x/v1", "kind": "VirtualMachine", "name": "web", "uid": owner}]}})
}

async fn run(server: &Server, action: Action) -> Option<Effect> {
    execute(&server.caller(), &vm(), &action).await
}

fn on_pod(outcome: Outcome<Option<Box<crate::observe::Object>>>) -> Option<Effect> {
    Some(Effect { kind: Kind::Pod, key: ObjectKey::new("team", "web-0"), outcome })
}

fn done(object: Value) -> Outcome<Option<Box<crate::observe::Object>>> {
    Outcome::Done(Some(serde_json::from_value(object).unwrap()))
}

fn creation() -> Action {
    Action::CreatePod(Box::new(serde_json::from_value::<Pod>(pod("", "vm-uid")).unwrap()))
}

#[tokio::test]
async fn rest_calls_nothing() {
    let server = Server::default();
    assert_eq!(run(&server, Action::Rest).await, None);
    assert_eq!(server.metrics.counts().all_calls(), 0);
}

#[tokio::test]
async fn a_resize_is_a_strategic_patch_of_one_container_bound_to_the_view() {
    let server = Server::answering([ok(pod("p", "vm-uid"))]);
    let wish = PodSize { cpu_request: MilliCpu(2000), cpu_limit: MilliCpu(4000), memory: Bytes(MIB.0 * 2304) };
    let action =
        Action::ResizePod { name: "web-0".to_owned(), uid: "p".to_owned(), resource_version: "29".to_owned(), wish };
    assert_eq!(run(&server, action).await, on_pod(done(pod("p", "vm-uid"))));
    let arrived = server.arrived();
    assert_eq!(arrived[0].line, "PATCH /api/v1/namespaces/team/pods/web-0/resize?fieldManager=reef-controller");
    assert_eq!(arrived[0].content_type, STRATEGIC);
    let expected = json!({
        "metadata": {"uid": "p", "resourceVersion": "29"},
        "spec": {"containers": [{"name": "vm-manager", "resources": {
            "requests": {"cpu": "2", "memory": "2304Mi"}, "limits": {"cpu": "4", "memory": "2304Mi"}}}]},
    });
    assert_eq!(arrived[0].body, expected);
}

fn made(cpu: &str, memory: &str) -> Value {
    let amounts = json!({"cpu": cpu, "memory": memory});
    let mut pod = pod("p", "vm-uid");
    let others = json!({"name": "logs", "resources": {"limits": {"cpu": "9", "memory": "9Gi"}}});
    let own = json!({"name": "vm-manager", "resources": {"requests": amounts, "limits": amounts}});
    pod["spec"] = json!({"containers": [others, own]});
    pod
}

#[tokio::test]
async fn a_wish_that_the_server_took_and_changed_counts_as_refused() {
    let wish = PodSize { cpu_request: MilliCpu(2000), cpu_limit: MilliCpu(2000), memory: Bytes(MIB.0 * 2304) };
    let action =
        Action::ResizePod { name: "web-0".to_owned(), uid: "p".to_owned(), resource_version: "29".to_owned(), wish };
    for (cpu, memory, told) in
        [("2", "2304Mi", ""), ("2000m", "2415919104", ""), ("2", "1Gi", "1Gi"), ("3", "2304Mi", "3")]
    {
        let server = Server::answering([ok(made(cpu, memory))]);
        let effect = run(&server, action.clone()).await.unwrap();
        let refused = made_otherwise(&action, &effect);
        assert_eq!(refused.as_ref().map(|refused| refused.kind), (!told.is_empty()).then_some(RefusalKind::Admission));
        assert!(refused.is_none_or(|refused| refused.message.contains(told) && refused.message.contains("2304Mi")));
    }
    let effect =
        Effect { kind: Kind::Pod, key: ObjectKey::new("team", "web-0"), outcome: Outcome::Gone("no".to_owned()) };
    assert_eq!(made_otherwise(&action, &effect), None);
}

#[tokio::test]
async fn a_deletion_is_of_one_uid_only() {
    let server = Server::answering([ok(json!({"kind": "Status", "status": "Success"}))]);
    let action = Action::DeletePod { name: "web-0".to_owned(), uid: "p".to_owned(), resource_version: None };
    assert_eq!(run(&server, action).await, on_pod(Outcome::Done(None)));
    let arrived = server.arrived();
    assert_eq!(arrived[0].line, "DELETE /api/v1/namespaces/team/pods/web-0");
    assert_eq!(arrived[0].body["preconditions"], json!({"uid": "p"}));
    let server = Server::answering([ok(json!({"kind": "Status", "status": "Success"}))]);
    let resource_version = Some("7".to_owned());
    run(&server, Action::DeletePod { name: "web-0".to_owned(), uid: "p".to_owned(), resource_version }).await;
    assert_eq!(server.arrived()[0].body["preconditions"], json!({"uid": "p", "resourceVersion": "7"}));
}

#[tokio::test]
async fn a_creation_that_was_done_before_is_adopted() {
    let exists = status(409, "AlreadyExists", "pods \"web-0\" already exists", json!({"name": "web-0"}));
    let server = Server::answering([exists, ok(pod("p", "vm-uid"))]);
    assert_eq!(run(&server, creation()).await, on_pod(done(pod("p", "vm-uid"))));
    let lines =
        ["POST /api/v1/namespaces/team/pods?fieldManager=reef-controller", "GET /api/v1/namespaces/team/pods/web-0"];
    assert_eq!(server.lines(), lines);
}

#[tokio::test]
async fn a_creation_that_meets_somebody_elses_pod_is_refused_and_says_so() {
    let exists = status(409, "AlreadyExists", "pods \"web-0\" already exists", json!({"name": "web-0"}));
    let server = Server::answering([exists, ok(pod("p", "earlier-vm"))]);
    let message = "a Pod web-0 is there already and belongs to somebody else; delete or rename it".to_owned();
    let refused = Outcome::Refused(Refused { kind: RefusalKind::Invalid, message });
    assert_eq!(run(&server, creation()).await, on_pod(refused));
}

fn written() -> Action {
    let status = ControllerStatus {
        phase: Phase::Running,
        node_name: Some("node-a".to_owned()),
        resize: Some(reef_api::vm::ResizeStatus {
            pod_uid: "p".to_owned(),
            generation: 2,
            revision: None,
            target: reef_api::Size::new(Vcpus(2), Bytes(MIB.0 * 2048)),
            aim: reef_api::Size::new(Vcpus(2), Bytes(MIB.0 * 2048)),
            grant: Some(Grant {
                pod_uid: "p".to_owned(),
                seq: 4,
                vcpus: Vcpus(2),
                memory: Bytes(MIB.0 * 2048),
                gate: ShrinkGate::Guard,
            }),
            outstanding: Vec::new(),
            reason: None,
            started_at: None,
            reason_since: None,
            refused: None,
            stalled: None,
            partial: None,
            retry_handled: None,
            settle_handled: None,
        }),
        ..ControllerStatus::default()
    };
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    let message = "resize from 1 vCPU, 1Gi to 2 vCPU, 2Gi".to_owned();
    let events = vec![PlannedEvent { name: EventName::VMResizeInitiated, generation: 2, message, at }];
    Action::WriteStatus { status: Box::new(status), events }
}

fn stored() -> Value {
    json!({"apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "team", "uid": "vm-uid", "resourceVersion": "13"}})
}

#[tokio::test]
async fn a_status_follows_its_events_and_states_every_field_of_ours_and_none_of_the_daemons() {
    let server = Server::answering([Reply::Json(201, None, json!({})), ok(stored())]);
    let effect = run(&server, written()).await.unwrap();
    assert_eq!(effect, Effect { kind: Kind::Vm, key: ObjectKey::new("team", "web"), outcome: done(stored()) });
    let [event, status] = server.arrived().try_into().unwrap();
    assert_eq!(event.line, "POST /api/v1/namespaces/team/events");
    assert_eq!(event.body["metadata"]["name"], "web.vmuid.2.vmresizeinitiated");
    assert_eq!((&event.body["reason"], &event.body["type"]), (&json!("VMResizeInitiated"), &json!("Normal")));
    assert_eq!(event.body["firstTimestamp"], "2027-01-15T08:00:00Z");
    let line = "PATCH /apis/cloudhypervisor.quill.today/v1beta1/namespaces/team/virtualmachines/web/status?fieldManager=reef-controller&force=true";
    assert_eq!((status.line.as_str(), status.content_type.as_str()), (line, APPLY));
    let size = json!({"vcpus": 2, "memory": "2Gi"});
    let expected = json!({
        "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "team", "uid": "vm-uid", "resourceVersion": "12"},
        "status": {"phase": "Running", "nodeName": "node-a", "resize": {"podUID": "p", "generation": 2, "target": size, "aim": size,
            "grant": {"podUID": "p", "seq": 4, "vcpus": 2, "memory": "2Gi"}}},
    });
    assert_eq!(status.body, expected);
}

#[tokio::test]
async fn an_event_that_is_there_already_or_is_refused_does_not_hold_up_the_status() {
    let there = status(409, "AlreadyExists", "events \"x\" already exists", json!({"name": "x"}));
    let refused = status(403, "Forbidden", "namespace team is being terminated", json!({}));
    for first in [there, refused, Reply::Cut] {
        let server = Server::answering([first, ok(stored())]);
        assert_eq!(run(&server, written()).await.unwrap().outcome, done(stored()));
        assert_eq!(server.lines().len(), 2);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_object_leaves_the_outcome_unknown() {
    let server = Server::answering([ok(json!({})), ok(json!("fine"))]);
    let outcome = run(&server, written()).await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
}
