//! An API server in memory with what the daemon needs of one: list and watch of two kinds, and apply on `status`.
//!
//! Every write needs the newest resourceVersion and the right uid. Faults are taken from a queue, one for each write.

use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

/// Every call takes some time, or virtual time would stand still in a loop of failures.
const LATENCY: Duration = Duration::from_millis(2);

type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What goes wrong with one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// It is applied, and the answer is lost.
    LostReply,
    /// It is not applied, and the answer is 500.
    Fails,
    /// Somebody else writes an instant before it.
    Raced,
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<String, Value>,
    events: Vec<(u64, String, Value)>,
    faults: VecDeque<WriteFault>,
    /// Grows when the server comes back with the past: no watch outlives that.
    restores: u64,
}

/// The state at one moment.
pub struct Backup {
    version: u64,
    objects: BTreeMap<String, Value>,
}

/// The API server; clones share it.
#[derive(Clone)]
pub struct Api {
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<u64>>,
    trace: Arc<Mutex<Vec<String>>>,
}

impl Api {
    pub fn new(trace: Arc<Mutex<Vec<String>>>) -> Self {
        Self { state: Arc::default(), changed: Arc::new(watch::channel(0).0), trace }
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            let handled = tokio::spawn(async move { api.handle(request).await });
            async move { handled.await.map_err(std::io::Error::other) }
        });
        Client::new(service, "default")
    }

    /// Creates or changes an object, as somebody else would.
    pub fn put(&self, key: &str, mut object: Value) {
        let mut state = self.lock();
        state.version += 1;
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        let kind = if state.objects.contains_key(key) { "MODIFIED" } else { "ADDED" };
        let event = (state.version, key.to_owned(), json!({ "type": kind, "object": object.clone() }));
        state.events.push(event);
        state.objects.insert(key.to_owned(), object);
        self.changed.send_replace(state.version);
    }

    /// Changes an object in place.
    pub fn change(&self, key: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(key);
        change(&mut object);
        self.put(key, object);
    }

    /// Removes an object.
    pub fn remove(&self, key: &str) {
        let mut state = self.lock();
        state.version += 1;
        let mut object = state.objects.remove(key).unwrap();
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        let event = (state.version, key.to_owned(), json!({ "type": "DELETED", "object": object }));
        state.events.push(event);
        self.changed.send_replace(state.version);
    }

    /// Everything as it is now.
    pub fn backup(&self) -> Backup {
        let state = self.lock();
        Backup { version: state.version, objects: state.objects.clone() }
    }

    /// Everything is as it was, and versions are counted from there.
    pub fn restore(&self, backup: Backup) {
        let mut state = self.lock();
        state.events.retain(|(at, ..)| *at <= backup.version);
        (state.version, state.objects) = (backup.version, backup.objects);
        state.restores += 1;
        self.changed.send_replace(state.version);
    }

    /// Waits until something holds of the objects.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        while !holds(self) {
            changed.changed().await.unwrap();
        }
    }

    pub fn get(&self, key: &str) -> Value {
        self.lock().objects[key].clone()
    }

    pub fn fault(&self, fault: WriteFault) {
        self.lock().faults.push_back(fault);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn handle(self, request: Request<Body>) -> Reply {
        tokio::time::sleep(LATENCY).await;
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let prefix = if parts.uri.path().contains("virtualmachines") { "vm/" } else { "pod/" };
        if parts.method == Method::PATCH {
            let body = body.collect().await.unwrap().to_bytes();
            return self.apply(parts.uri.path(), &query, &serde_json::from_slice(&body).unwrap()).await;
        }
        let selector = if prefix == "vm/" { "status.nodeName%3Dn1" } else { "spec.nodeName%3Dn1" };
        assert!(query.contains(selector), "{query}");
        if query.contains("watch=true") { self.watch(prefix, &query) } else { self.list(prefix) }
    }

    fn list(&self, prefix: &str) -> Reply {
        let state = self.lock();
        let items: Vec<&Value> =
            state.objects.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, it)| it).collect();
        let meta = json!({ "resourceVersion": state.version.to_string() });
        reply(200, &json!({ "apiVersion": "v1", "kind": "List", "metadata": meta, "items": items }))
    }

    fn watch(&self, prefix: &'static str, query: &str) -> Reply {
        let from = query.split("resourceVersion=").nth(1).unwrap().split('&').next().unwrap();
        let cursor: u64 = from.parse().unwrap();
        let restores = self.lock().restores;
        let stream = futures::stream::unfold(
            (self.clone(), self.changed.subscribe(), cursor),
            move |(api, mut changed, cursor)| async move {
                loop {
                    if api.lock().restores != restores {
                        return None;
                    }
                    let next =
                        api.lock().events.iter().find(|(at, key, _)| *at > cursor && key.starts_with(prefix)).cloned();
                    if let Some((at, _, event)) = next {
                        let line = Bytes::from(format!("{event}\n"));
                        return Some((Ok(Frame::data(line)), (api, changed, at)));
                    }
                    changed.changed().await.ok()?;
                }
            },
        );
        Response::new(StreamBody::new(stream.boxed()).boxed_unsync())
    }

    async fn apply(&self, path: &str, query: &str, patch: &Value) -> Reply {
        assert!(path.ends_with("/status") && query.contains("fieldManager=reef-daemon"), "{path}?{query}");
        let key = format!("vm/{}", patch["metadata"]["name"].as_str().unwrap());
        let fault = self.lock().faults.pop_front();
        if fault == Some(WriteFault::Raced) {
            self.change(&key, |vm| vm["metadata"]["annotations"] = json!({ "touched": "yes" }));
        }
        let mut object = self.get(&key);
        let same = |field: &str| object["metadata"][field] == patch["metadata"][field];
        if !same("resourceVersion") || !same("uid") {
            self.note("conflict".to_owned());
            return status(409, "Conflict");
        }
        if fault == Some(WriteFault::Fails) {
            self.note("write fails".to_owned());
            return status(500, "InternalError");
        }
        self.note(report(&patch["status"]["vmm"]));
        if object["status"]["vmm"] != patch["status"]["vmm"] {
            object["status"]["vmm"] = patch["status"]["vmm"].clone();
            self.put(&key, object);
        }
        if fault == Some(WriteFault::LostReply) {
            return status(504, "Timeout");
        }
        reply(200, &self.get(&key))
    }

    fn note(&self, text: String) {
        self.trace.lock().unwrap().push(text);
    }
}

/// A report in one line: number of the acknowledged grant, requested and actual.
fn report(vmm: &Value) -> String {
    let text = |field: &str| vmm[field].to_string().replace('"', "");
    let waiting = vmm["waiting"]["reason"].as_str().map(|reason| format!(" {reason}")).unwrap_or_default();
    let (requested, present) = (text("vcpusRequested"), text("vcpusPresent"));
    let (memory, actual) = (text("memoryRequested"), text("memoryActual"));
    format!("ack {} q {requested}/{memory} a {present}/{actual}{waiting}", vmm["ackSeq"])
}

fn status(code: u16, reason: &str) -> Reply {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": reason });
    reply(code, &body)
}

fn reply(code: u16, body: &Value) -> Reply {
    let body = Full::new(Bytes::from(body.to_string())).boxed_unsync();
    Response::builder().status(code).header("content-type", "application/json").body(body).unwrap()
}
