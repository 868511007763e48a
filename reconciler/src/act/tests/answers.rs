//! Answers of a real API server, and what each is taken for.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::server::{Reply, Server, status};
use crate::act::{Outcome, Refused, Request, Verb};
use crate::decide::observed::RefusalKind;

fn resize() -> Request {
    Request { verb: Verb::Patch, uri: "/api/v1/namespaces/team/pods/web-0/resize".to_owned(), body: json!({}) }
}

async fn outcome(reply: Reply) -> Outcome<Bytes> {
    Server::answering([reply]).caller().call(&resize()).await
}

fn refused(kind: RefusalKind, message: &str) -> Outcome<Bytes> {
    Outcome::Refused(Refused { kind, message: message.to_owned() })
}

#[tokio::test]
async fn refusals_of_a_resize_are_told_apart() {
    let node = r#"node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000"#;
    let quota = r#"pods "web-0" is forbidden: exceeded quota: team, requested: limits.memory=2Gi, used: limits.memory=7Gi, limited: limits.memory=8Gi"#;
    let range = r#"pods "web-0" is forbidden: maximum memory usage per Container is 4Gi, but limit is 8Gi"#;
    let rights = r#"pods "web-0" is forbidden: User "system:serviceaccount:reef:reef" cannot patch resource "pods/resize" in API group "" in the namespace "team""#;
    let hook = r#"admission webhook "size.example.com" denied the request: too large"#;
    let vap = r#"pods "web-0" is forbidden: ValidatingAdmissionPolicy 'sizes' with binding 'all' denied request: no"#;
    let qos = r#"Pod "web-0" is invalid: spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing"#;
    let named = json!({"name": "web-0", "kind": "pods"});
    let causes = json!({"name": "web-0", "kind": "pods", "causes": [{"reason": "NodeCapacity", "message": node}]});
    let table = [
        (403, "Forbidden", node, causes, RefusalKind::NodeCapacity),
        (403, "Forbidden", quota, named.clone(), RefusalKind::Quota),
        (403, "Forbidden", range, named.clone(), RefusalKind::Quota),
        (403, "Forbidden", rights, named.clone(), RefusalKind::Forbidden),
        (403, "", hook, Value::Null, RefusalKind::Admission),
        (400, "BadRequest", hook, Value::Null, RefusalKind::Admission),
        (422, "Invalid", vap, named.clone(), RefusalKind::Admission),
        (422, "Invalid", qos, named, RefusalKind::Invalid),
        (404, "NotFound", "the server could not find the requested resource", json!({}), RefusalKind::Unsupported),
        (405, "MethodNotAllowed", "the server does not allow this method", json!({}), RefusalKind::Unsupported),
    ];
    for (code, reason, message, details, kind) in table {
        assert_eq!(outcome(status(code, reason, message, details)).await, refused(kind, message), "{message}");
    }
}

#[tokio::test]
async fn another_object_of_the_same_name_and_no_object_are_both_gone() {
    let gone = |text: &str| Outcome::Gone(text.to_owned());
    let missing = r#"pods "web-0" not found"#;
    let reply = status(404, "NotFound", missing, json!({"name": "web-0", "kind": "pods"}));
    assert_eq!(outcome(reply).await, gone(missing));
    let uid = r#"Pod "web-0" is invalid: metadata.uid: Invalid value: "a": field is immutable"#;
    let causes =
        json!({"name": "web-0", "causes": [{"reason": "FieldValueInvalid", "field": "metadata.uid", "message": "x"}]});
    assert_eq!(outcome(status(422, "Invalid", uid, causes)).await, gone(uid));
    let precondition = "Precondition failed: UID in precondition: a, UID in object meta: b";
    assert_eq!(outcome(status(409, "Conflict", precondition, json!({"name": "web-0"}))).await, gone(precondition));
}

#[tokio::test]
async fn a_newer_object_is_a_conflict() {
    let text = "Operation cannot be fulfilled on pods \"web-0\": the object has been modified";
    assert_eq!(
        outcome(status(409, "Conflict", text, json!({"name": "web-0"}))).await,
        Outcome::Conflict(text.to_owned())
    );
}

#[tokio::test]
async fn a_server_that_is_busy_says_for_how_long() {
    let body = json!({"kind": "Status", "message": "too many requests", "code": 429});
    let throttled = |seconds| Outcome::Throttled {
        retry_after: Some(Duration::from_secs(seconds)),
        message: "too many requests".to_owned(),
    };
    assert_eq!(outcome(Reply::Json(429, Some(7), body.clone())).await, throttled(7));
    let details = json!({"retryAfterSeconds": 3});
    assert_eq!(outcome(status(429, "TooManyRequests", "too many requests", details)).await, throttled(3));
}

#[tokio::test]
async fn a_server_that_does_not_know_who_asks_is_asked_again_soon() {
    let unknown = status(401, "Unauthorized", "Unauthorized", Value::Null);
    let pause = Outcome::Throttled { retry_after: None, message: "Unauthorized".to_owned() };
    assert_eq!(outcome(unknown).await, pause, "a refusal would be remembered for minutes");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_unknown() {
    let path = "patch /api/v1/namespaces/team/pods/web-0/resize";
    let webhook = "Internal error occurred: failed calling webhook";
    let table = [
        (status(500, "InternalError", webhook, Value::Null), webhook.to_owned()),
        (
            Reply::Json(503, None, json!("down")),
            "the server answered 503 to patch /api/v1/namespaces/team/pods/web-0/resize".to_owned(),
        ),
        (Reply::Silence, format!("{path}: no answer within 10 s")),
        (Reply::Cut, format!("{path}: ServiceError: connection reset by peer")),
    ];
    for (reply, message) in table {
        assert_eq!(outcome(reply).await, Outcome::Unknown(message));
    }
}

#[tokio::test]
async fn a_long_text_of_the_server_is_cut() {
    let text = "x".repeat(100_000);
    let Outcome::Refused(refused) = outcome(status(422, "Invalid", &text, Value::Null)).await else { panic!() };
    assert_eq!(refused.message.len(), 800);
}
