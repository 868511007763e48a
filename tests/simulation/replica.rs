//! API servers between the controller and the real one: a replica that is behind, one that changes what it is asked for, and one with a quota.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::fleet::size;
use crate::story::{Story, message};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use reef::simulation::deterministic;
use reef_api::Size;
use reef_sim::api::{ApiServer, ConnectionLost, Fault, WatchFailure};
use serde_json::{Value, json};
use tower::{Service, ServiceExt};

type Answered = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Lists as they were, by path.
type Lists = Arc<Mutex<BTreeMap<String, Bytes>>>;

/// The kinds that a controller lists.
const KINDS: [&str; 6] = [
    "/apis/cloudhypervisor.quill.today/v1beta1/virtualmachines",
    "/apis/reef.dev/v1alpha1/sizingpolicies",
    "/apis/reef.dev/v1alpha1/gitsources",
    "/apis/reef.dev/v1alpha1/capacitychecks",
    "/api/v1/pods",
    "/api/v1/nodes",
];

async fn answered(server: &ApiServer, request: Request<Body>) -> Result<Answered, ConnectionLost> {
    let mut service = server.service();
    service.ready().await?.call(request).await
}

/// What every list tells now.
async fn lists(server: &ApiServer) -> Lists {
    let lists = Lists::default();
    for path in KINDS {
        let query = if path.ends_with("pods") { "?labelSelector=reef.dev%2Fvm" } else { "" };
        let request = Request::get(format!("{path}{query}")).body(Body::empty()).unwrap();
        let answer = answered(server, request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        lists.lock().unwrap().insert(path.to_owned(), answer);
    }
    lists
}

/// A server that lists each kind once as it was, and then is as the other one is.
fn behind(server: &ApiServer, lists: Lists) -> Client {
    let server = server.clone();
    let service = tower::service_fn(move |mut request: Request<Body>| {
        let (server, lists) = (server.clone(), lists.clone());
        async move {
            request.headers_mut().insert(hyper::header::USER_AGENT, "controller".parse().unwrap());
            let query = request.uri().query().unwrap_or_default();
            let old = if request.method() == Method::GET && !query.contains("watch=") {
                lists.lock().unwrap().remove(request.uri().path())
            } else {
                None
            };
            match old {
                Some(old) => Ok(Response::new(Full::new(old).boxed_unsync())),
                None => answered(&server, request).await,
            }
        }
    });
    Client::new(service, "default")
}

/// The VM goes from one size to another; a new controller then begins with what was there before, and hears of the rest late.
async fn back_in_time(from: Size, to: Size, last: Size) {
    let mut story = Story::of(1, 2).await;
    story.resize("web-1", from);
    story.settles(120).await;
    let lists = lists(&story.world.server).await;
    story.resize("web-1", to);
    story.settles(120).await;
    story.world.kill("controller");
    story.state("web-1", last);
    story.push("while no controller runs");
    let late = WatchFailure::Late(Duration::from_secs(20));
    story.world.faults.set(move |facts| {
        let watch = if facts.user_agent == "controller" { late } else { WatchFailure::None };
        Fault { watch, ..Fault::default() }
    });
    let watches = behind(&story.world.server, lists.clone());
    story.world.start_controller_by(story.world.client_of("controller"), watches);
    story.wait(15).await;
    story.contained();
    assert_eq!(lists.lock().unwrap().len(), 0, "the old lists were taken");
    story.settles(300).await;
    story.world.faults.clear();
    story.rests().await;
}

#[test]
fn a_controller_that_is_shown_the_past_takes_nothing_from_a_vm_and_ends_where_git_is() {
    let (small, large, other) = (size(1, 1), size(4, 4), size(3, 2));
    for (from, to, last) in [
        (small, large, large),
        (large, small, small),
        (small, large, other),
        (large, small, other),
        (small, large, small),
        (large, small, large),
    ] {
        println!("{from} {to} {last}");
        deterministic(back_in_time(from, to, last)).unwrap();
    }
}

/// A server that looks at each wish for a Pod before it takes it: it may change the wish, or answer by itself.
fn looking(
    server: &ApiServer,
    look: impl Fn(&mut Value) -> Option<Answered> + Clone + Send + Sync + 'static,
) -> Client {
    let server = server.clone();
    let service = tower::service_fn(move |mut request: Request<Body>| {
        let (server, look) = (server.clone(), look.clone());
        async move {
            request.headers_mut().insert(hyper::header::USER_AGENT, "controller".parse().unwrap());
            if request.uri().path().ends_with("/resize") {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map_err(|_| ConnectionLost)?.to_bytes();
                let mut wish: Value = serde_json::from_slice(&body).unwrap();
                if let Some(answer) = look(&mut wish) {
                    return Ok(answer);
                }
                request = Request::from_parts(head, Body::from(serde_json::to_vec(&wish).unwrap()));
            }
            answered(&server, request).await
        }
    });
    Client::new(service, "default")
}

fn resources(wish: &mut Value) -> &mut Value {
    &mut wish["spec"]["containers"][0]["resources"]
}

/// A server with a policy of its own about how large a Pod may be wished.
fn meddling(server: &ApiServer, memory: &'static str) -> Client {
    looking(server, move |wish| {
        for part in ["requests", "limits"] {
            resources(wish)[part]["memory"] = json!(memory);
        }
        None
    })
}

/// A server whose quota has no room for a Pod of so many CPUs.
fn limited(server: &ApiServer, cpus: &'static str) -> Client {
    looking(server, move |wish| {
        let message = "pods \"web-1\" is forbidden: exceeded quota: team, requested: limits.cpu=2";
        let refusal =
            json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": message});
        let body = Full::new(Bytes::from(refusal.to_string())).boxed_unsync();
        let answer = Response::builder().status(403).body(body).unwrap();
        (resources(wish)["limits"]["cpu"] == cpus).then_some(answer)
    })
}

#[test]
fn a_wish_that_the_server_changes_is_told_and_not_fought_over() {
    for (wanted, made) in [(size(2, 4), "3Gi"), (size(2, 4), "6Gi"), (size(2, 1), "2Gi")] {
        deterministic(async {
            let mut story = Story::of(2, 1).await;
            let client = meddling(&story.world.server, made);
            story.world.start_controller_by(client, story.world.client_of("controller"));
            let asked = story.pod_resizes("web-1");
            story.resize("web-1", wanted);
            story.says("web-1", "AdmissionDenied", 120).await;
            let told = message(&story.vm("web-1"));
            assert!(told.contains(made) && told.contains("admission"), "{told}");
            let calls = story.world.faults.writes();
            story.wait(3600).await;
            let written = story.world.faults.writes() - calls;
            assert!(written <= 60 && story.pod_resizes("web-1") - asked <= 2, "{written} writes in an hour");
            story.contained();
            story.world.start_controller();
            story.settles(120).await;
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_pod_that_somebody_lowers_below_its_vm_is_put_back_while_a_quota_refuses_to_let_it_grow() {
    deterministic(async {
        let mut story = Story::of(3, 1).await;
        let client = limited(&story.world.server, "4");
        story.world.start_controller_by(client, story.world.client_of("controller"));
        story.resize("web-1", size(4, 2));
        story.says("web-1", "QuotaExceeded", 120).await;
        story.wait(600).await;
        let before = story.pod_sizes("web-1");
        story.resize_pod("web-1", "1", "1280Mi").await;
        story.wait(20).await;
        assert_eq!(story.pod_sizes("web-1"), before);
        story.says("web-1", "QuotaExceeded", 10).await;
        story.world.start_controller();
        story.settles(1200).await;
    })
    .unwrap();
}
