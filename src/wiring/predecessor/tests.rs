//! What is found of ch-vmm, on an API server that is a table of answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/ch-vmm-system/deployments/virtmanager-controller-manager";
const DAEMONS: &str = "/apis/apps/v1/namespaces/ch-vmm-system/daemonsets/ch-vmm-daemon";
const HOOKS: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/virtmanager-mutating-webhook-configuration";
const LEASES: &str = "/apis/coordination.k8s.io/v1/leases";
const ALL_PODS: &str = "/api/v1/pods";

/// What ch-vmm has in a cluster, by path; everything else is not found, and lists are empty.
type Objects = BTreeMap<&'static str, Value>;

/// A cluster in which the lease, where there is one, is renewed between two looks or not.
fn client(objects: Objects, renewed: bool) -> Client {
    let looks = Arc::new(AtomicU32::new(0));
    let service = tower::service_fn(move |request: Request<Body>| {
        let path = request.uri().path().to_owned();
        let list = path == LEASES || path == ALL_PODS;
        let mut found = objects.get(path.as_str()).cloned();
        if path == LEASES
            && let Some(lease) = found.as_mut().filter(|lease| lease["items"].is_array())
        {
            let look = looks.fetch_add(u32::from(renewed), Ordering::SeqCst);
            lease["items"][0]["spec"]["renewTime"] = json!(format!("2026-01-01T00:00:0{look}.000000Z"));
        }
        let none = || if list { (200, json!({ "items": [], "metadata": {} })) } else { (404, failure(404)) };
        let (code, body) = found.map_or_else(none, |object| {
            (object["code"].as_u64().map_or(200, |code| u16::try_from(code).unwrap()), object)
        });
        async move {
            Ok::<_, std::convert::Infallible>(
                Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap(),
            )
        }
    });
    Client::new(service, "default")
}

fn failure(code: u16) -> Value {
    json!({ "kind": "Status", "status": "Failure", "message": "no", "reason": "x", "code": code })
}

fn named_object(name: &str, spec: Value) -> Value {
    json!({ "metadata": { "name": name, "namespace": NAMESPACE }, "spec": spec })
}

fn deployment(replicas: u32) -> Value {
    let spec = json!({ "replicas": replicas, "selector": {}, "template": {} });
    named_object(CONTROLLER, spec)
}

fn lease(holder: &str) -> Value {
    json!({ "metadata": {}, "items": [named_object(LEASE, json!({ "holderIdentity": holder }))] })
}

async fn told(objects: impl IntoIterator<Item = (&'static str, Value)>, seen: Seen, renewed: bool) -> Vec<String> {
    at_work(&client(objects.into_iter().collect(), renewed), seen).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_has_only_reef_raises_no_alarm_and_takes_no_time() {
    let begun = tokio::time::Instant::now();
    assert_eq!(told([], Seen::All, true).await, Vec::<String>::new());
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn each_component_that_is_at_work_is_named_with_what_to_do() {
    let pod = json!({ "metadata": { "name": "vm-web-x1", "namespace": "shop" } });
    let there = [
        (DEPLOYMENT, deployment(1)),
        (DAEMONS, named_object(DAEMON, json!({ "selector": {}, "template": {} }))),
        (HOOKS, json!({ "metadata": { "name": MUTATING } })),
        (ALL_PODS, json!({ "metadata": { "continue": "more" }, "items": [pod] })),
    ];
    let found = told(there.clone(), Seen::All, false).await;
    let words = [
        "MutatingWebhookConfiguration virtmanager-mutating-webhook-configuration",
        "Deployment ch-vmm-system/virtmanager-controller-manager wants 1 of",
        "DaemonSet ch-vmm-system/ch-vmm-daemon",
        "(shop/vm-web-x1 and more)",
    ];
    assert_eq!(found.len(), words.len(), "{found:?}");
    for (sentence, word) in found.iter().zip(words) {
        assert!(sentence.contains(word), "{sentence}");
    }
    assert_eq!(told(there, Seen::Admission, false).await, found[..1]);
}

#[tokio::test(start_paused = true)]
async fn what_was_stopped_and_left_behind_holds_nothing_up() {
    let left = [(DEPLOYMENT, deployment(0)), (LEASES, lease("manager-1"))];
    assert_eq!(told(left, Seen::All, false).await, Vec::<String>::new());
    assert_eq!(told([(LEASES, lease(""))], Seen::All, true).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_controller_under_another_name_is_known_by_the_lease_that_it_renews() {
    let found = told([(LEASES, lease("manager-1"))], Seen::All, true).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("ch-vmm-system/4d5ad620.cloudhypervisor.quill.today as manager-1"), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_asked_stops_no_role_and_what_gets_no_answer_does() {
    let refused = [DEPLOYMENT, DAEMONS, HOOKS, LEASES, ALL_PODS].map(|path| (path, failure(403)));
    assert_eq!(told(refused, Seen::All, true).await, Vec::<String>::new());
    let broken = client([(DEPLOYMENT, failure(500))].into(), true);
    assert!(at_work(&broken, Seen::All).await.is_err());
}
