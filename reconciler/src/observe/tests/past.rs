//! Watches against a server that goes on, fails, or is restored from a backup between two of them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use kube::runtime::watcher::Event;
use reef_watch::Restored;
use serde_json::{Value, json};

use crate::observe::{Interruption, Kind, Seen, watch};

/// How long each watch lives.
const LIFE: Duration = Duration::from_secs(290);

/// The other party: it has no objects, and a version that is set from outside.
#[derive(Clone)]
struct Server {
    state: Arc<Mutex<State>>,
}

struct State {
    version: u64,
    fails: bool,
    log: Vec<String>,
}

fn answer(code: StatusCode, body: &Value) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let whole = http_body_util::Full::new(Bytes::from(body.to_string()));
    let mut response = Response::new(whole.boxed_unsync());
    *response.status_mut() = code;
    response
}

/// A bookmark, and the end after a while.
fn stream(version: u64) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let object = json!({ "kind": "x", "apiVersion": "v1", "metadata": { "resourceVersion": version.to_string() } });
    let line = format!("{}\n", json!({ "type": "BOOKMARK", "object": object }));
    let frames = futures::stream::once(async move { Ok(Frame::data(Bytes::from(line))) });
    let end = futures::stream::once(tokio::time::sleep(LIFE)).filter_map(|()| async { None });
    Response::new(StreamBody::new(frames.chain(end)).boxed_unsync())
}

impl Server {
    fn at(version: u64) -> Self {
        Self { state: Arc::new(Mutex::new(State { version, fails: false, log: Vec::new() })) }
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let answered = server.answer(&request);
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok::<_, Infallible>(answered)
            }
        });
        Client::new(service, "default")
    }

    fn answer(&self, request: &Request<Body>) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let mut state = self.state.lock().unwrap();
        let query = request.uri().query().unwrap_or_default();
        let of = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let told = match (of("watch"), of("limit")) {
            (Some(_), _) => format!("watch {}", of("resourceVersion").unwrap()),
            (None, Some("1")) => format!("look {}", of("labelSelector").unwrap_or("all")),
            (None, _) => "list".to_owned(),
        };
        state.log.push(format!("{} {told}", request.uri().path().rsplit('/').next().unwrap()));
        if state.fails {
            return answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "code": 500, "message": "broken" }));
        }
        match of("watch") {
            Some(_) => stream(state.version),
            None => answer(
                StatusCode::OK,
                &json!({ "metadata": { "resourceVersion": state.version.to_string() }, "items": [] }),
            ),
        }
    }

    /// What was asked for about one kind since the last time that this was called.
    fn log(&self, plural: &str) -> Vec<String> {
        let mut log = std::mem::take(&mut self.state.lock().unwrap().log);
        log.retain(|line| line.starts_with(plural));
        log
    }
}

/// What one kind tells within a time.
async fn told(watched: &mut BoxStream<'static, Seen>, of: Kind, within: Duration) -> Vec<String> {
    let mut told = Vec::new();
    let all = async {
        while let Some((kind, event)) = watched.next().await {
            let event = match event {
                Ok(Event::Init) => "begins".to_owned(),
                Ok(Event::InitDone) => "listed".to_owned(),
                Ok(other) => format!("{other:?}"),
                Err(Interruption::Failed(_)) => "failed".to_owned(),
                Err(Interruption::Restored(restored)) => restored.to_string(),
            };
            if kind == of {
                told.push(event);
            }
        }
    };
    let _ = tokio::time::timeout(within, all).await;
    told
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_after_one_look_at_the_version_and_costs_no_list() {
    let server = Server::at(100);
    let mut watched = watch(&server.client());
    assert_eq!(told(&mut watched, Kind::Pod, LIFE * 2 + Duration::from_secs(9)).await, ["begins", "listed"]);
    let marked = "pods look reef.dev%2Fvm";
    assert_eq!(server.log("pods"), ["pods list", "pods watch 100", marked, "pods watch 100", marked, "pods watch 100"]);
    told(&mut watched, Kind::Pod, Duration::from_secs(3600)).await;
    let looks = server.log("pods").iter().filter(|line| *line == marked).count();
    assert!(looks <= 13, "{looks} looks in an hour");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_would_go_on_from_the_future_tells_that_the_cluster_was_restored() {
    let server = Server::at(100);
    let mut watched = watch(&server.client());
    told(&mut watched, Kind::Node, Duration::from_secs(60)).await;
    server.log("nodes");
    server.state.lock().unwrap().version = 99;
    let restored = Restored { seen: 100, present: 99 }.to_string();
    assert_eq!(told(&mut watched, Kind::Node, LIFE).await.first(), Some(&restored));
    assert!(server.log("nodes").iter().all(|line| line == "nodes look all"), "nothing is watched from there");
    let mut anew = watch(&server.client());
    assert_eq!(told(&mut anew, Kind::Node, Duration::from_secs(60)).await, ["begins", "listed"]);
    assert_eq!(server.log("nodes"), ["nodes list", "nodes watch 99"]);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_is_made_again_and_nothing_is_listed_for_it() {
    let server = Server::at(100);
    let mut watched = watch(&server.client());
    told(&mut watched, Kind::Node, Duration::from_secs(60)).await;
    server.log("nodes");
    server.state.lock().unwrap().fails = true;
    let failed = told(&mut watched, Kind::Node, LIFE).await;
    assert!(failed.len() > 3 && failed.iter().all(|told| told == "failed"), "{failed:?}");
    assert!(server.log("nodes").iter().all(|line| line == "nodes look all"));
    server.state.lock().unwrap().fails = false;
    told(&mut watched, Kind::Node, Duration::from_secs(60)).await;
    assert_eq!(server.log("nodes"), ["nodes look all", "nodes watch 100"]);
}
