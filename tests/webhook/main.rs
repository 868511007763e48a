//! The webhook's server over TLS on loopback, beside an embedded cluster: what is no review, what is too much, and who is slow.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod client;
mod stand;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use serde_json::{Value, json};
use stand::Stand;

/// A review of a VM that is created.
fn review(spec: &Value) -> Value {
    let group = "cloudhypervisor.quill.today";
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u-1", "name": "web-1", "namespace": "vms", "operation": "CREATE", "dryRun": false,
            "kind": { "group": group, "version": "v1beta1", "kind": "VirtualMachine" },
            "resource": { "group": group, "version": "v1beta1", "resource": "virtualmachines" },
            "userInfo": { "username": "somebody" },
            "object": {
                "apiVersion": format!("{group}/v1beta1"), "kind": "VirtualMachine",
                "metadata": { "name": "web-1", "namespace": "vms" }, "spec": spec,
            },
        },
    })
}

fn good() -> Value {
    review(&json!({ "instance": { "memory": { "size": "2Gi" } } }))
}

#[tokio::test]
async fn a_vm_is_filled_in_and_one_that_cannot_work_is_refused() {
    let stand = Stand::start().await;
    let mut client = stand.client().await;
    let filled = client.post("/mutate", &good()).await;
    assert_eq!((filled.status, &filled.json()["response"]["uid"]), (200, &json!("u-1")));
    assert_eq!(filled.json()["response"]["patchType"], "JSONPatch");
    // An API server takes no answer that does not name itself.
    let named = |field: &str| filled.json()[field].clone();
    assert_eq!((named("apiVersion"), named("kind")), (json!("admission.k8s.io/v1"), json!("AdmissionReview")));
    let refused = client.post("/validate", &review(&json!({ "instance": { "memory": { "size": "1" } } }))).await;
    let response = &refused.json()["response"];
    assert_eq!((refused.status, &response["allowed"], &response["status"]["code"]), (200, &json!(false), &json!(422)));
    assert!(response["status"]["message"].as_str().unwrap().contains("blocks of 128Mi"), "{response}");
    assert_eq!(client.post("/validate", &good()).await.json()["response"]["allowed"], true);
}

#[tokio::test]
async fn what_is_no_review_is_told_so_and_never_allowed() {
    let stand = Stand::start().await;
    let mut older = good();
    older["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let mut other = good();
    other["kind"] = json!("TokenReview");
    let mut nameless = good();
    nameless["request"]["uid"] = json!("");
    let mut empty = good();
    empty.as_object_mut().unwrap().remove("request");
    let mut odd = good();
    odd["request"]["object"] = json!(3);
    let deep = "[".repeat(100_000);
    let bodies = [older, other, nameless, empty, odd, json!([]), json!(null)].map(|body| body.to_string());
    let texts = ["", "{", "\u{0}\u{1}", deep.as_str()].map(str::to_owned);
    for path in ["/mutate", "/validate"] {
        for body in bodies.iter().chain(&texts) {
            let answer = stand.client().await.send("POST", path, "application/json", body.as_bytes()).await;
            assert_eq!(answer.status, 400, "{} for {:.80}", answer.body, body);
        }
        let text = good().to_string();
        assert_eq!(stand.client().await.send("POST", path, "text/plain", text.as_bytes()).await.status, 400);
        assert_eq!(
            stand.client().await.send("POST", path, "application/json; charset=utf-8", text.as_bytes()).await.status,
            200
        );
    }
    assert_eq!(stand.client().await.send("GET", "/mutate", "application/json", b"").await.status, 405);
    assert_eq!(stand.client().await.send("POST", "/other", "application/json", b"{}").await.status, 404);
}

#[tokio::test]
async fn objects_of_any_legal_size_are_read_and_no_larger_ones() {
    let stand = Stand::start().await;
    let padded = |mebibytes: usize| {
        let mut review = good();
        let half = "x".repeat(mebibytes << 19);
        review["request"]["object"]["metadata"]["annotations"] = json!({ "a": half });
        review["request"]["oldObject"] = review["request"]["object"].clone();
        review
    };
    let mut client = stand.client().await;
    assert_eq!(client.post("/validate", &padded(7)).await.status, 200);
    assert_eq!(client.post("/validate", &padded(9)).await.status, 413);
    assert_eq!(stand.client().await.post("/validate", &good()).await.status, 200);
}

#[tokio::test]
async fn what_is_not_judged_here_and_what_goes_away_is_allowed() {
    let stand = Stand::start().await;
    let mut client = stand.client().await;
    let bad = review(&json!({ "instance": { "memory": { "size": "1" } } }));
    let mut pods = bad.clone();
    pods["request"]["resource"] = json!({ "group": "", "version": "v1", "resource": "pods" });
    let mut status = bad.clone();
    status["request"]["subResource"] = json!("status");
    let mut deleted = bad.clone();
    deleted["request"]["operation"] = json!("DELETE");
    deleted["request"]["oldObject"] = deleted["request"]["object"].take();
    let mut ending = bad.clone();
    ending["request"]["object"]["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    for allowed in [pods, status, deleted, ending] {
        let answer = client.post("/validate", &allowed).await;
        assert_eq!(answer.json()["response"]["allowed"], true, "{}", answer.body);
        assert_eq!(client.post("/mutate", &allowed).await.json()["response"]["patch"], Value::Null);
    }
    let mut generated = good();
    let metadata = json!({ "generateName": "web-" });
    generated["request"]["object"]["metadata"] = metadata;
    generated["request"]["name"] = json!("");
    assert_eq!(client.post("/validate", &generated).await.json()["response"]["allowed"], true);
    assert_eq!(client.post("/validate", &bad).await.json()["response"]["allowed"], false);
}

#[tokio::test]
async fn clients_that_never_come_to_an_end_hold_up_nobody() {
    let stand = Stand::start().await;
    let mut slow = Vec::new();
    for number in 0..80 {
        let mut client = stand.client().await;
        let head = if number % 2 == 0 {
            "POST /validate HTT"
        } else {
            "POST /validate HTTP/1.1\r\nhost: reef\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"
        };
        client.begin(head.as_bytes()).await;
        slow.push(client);
    }
    let silent: Vec<_> = futures::future::join_all((0..50).map(|_| stand.connect())).await;
    assert_eq!(stand.client().await.post("/validate", &good()).await.status, 200);
    drop((slow, silent));
}

#[tokio::test]
async fn many_at_once_get_each_their_own_answer() {
    let stand = Stand::start().await;
    let clients = (0..64).map(async |number| {
        let mut client = stand.client().await;
        for round in 0..10 {
            let mut review = good();
            let uid = format!("{number}-{round}");
            review["request"]["uid"] = json!(uid);
            let answer = client.post("/validate", &review).await;
            assert_eq!(answer.json()["response"]["uid"], json!(uid), "{}", answer.body);
        }
    });
    futures::future::join_all(clients).await;
}

#[tokio::test]
async fn without_its_api_server_it_judges_by_what_it_knows_and_refuses_what_it_would_have_to_look_up() {
    let stand = Stand::start().await;
    stand.end_cluster();
    let mut client = stand.client().await;
    assert_eq!(client.post("/validate", &good()).await.json()["response"]["allowed"], true);
    let bad = review(&json!({ "instance": { "memory": { "size": "1" } } }));
    assert_eq!(client.post("/validate", &bad).await.json()["response"]["allowed"], false);
    let pod = |memory: &str| {
        let amounts = json!({ "cpu": "1", "memory": memory });
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "web-1-x", "namespace": "vms", "uid": "p", "labels": { "reef.dev/vm": "web-1" } },
            "spec": { "containers": [{ "name": "vm-manager", "resources": { "requests": amounts, "limits": amounts } }] },
        })
    };
    let mut resize = good();
    let request = &mut resize["request"];
    request["resource"] = json!({ "group": "", "version": "v1", "resource": "pods" });
    request["kind"] = json!({ "group": "", "version": "v1", "kind": "Pod" });
    request["subResource"] = json!("resize");
    request["operation"] = json!("UPDATE");
    request["object"] = pod("1Gi");
    request["oldObject"] = pod("2Gi");
    let answer = client.post("/validate", &resize).await.json()["response"].clone();
    let message = answer["status"]["message"].as_str().unwrap();
    assert_eq!(answer["allowed"], false);
    assert!(message.contains("what VM vms/web-1 holds cannot be read at present"), "{message}");
    assert!(message.ends_with("try again"), "{message}");
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn where_callers_are_known_by_their_authority_others_are_not_answered() {
    let (ours, others) = (authority(), authority());
    let stand = Stand::for_callers(Some(ours.as_ref())).await;
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let (known, foreign) = (params.signed_by(&key, &ours).unwrap(), params.signed_by(&key, &others).unwrap());
    assert_eq!(stand.client_with(&known, &key).await.post("/validate", &good()).await.status, 200);
    // In TLS 1.3 the client has done its part before the server refuses.
    assert!(stand.client().await.is_hung_up_on().await);
    assert!(stand.client_with(&foreign, &key).await.is_hung_up_on().await);
}
