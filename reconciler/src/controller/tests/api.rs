//! The other party: an API server of a few objects. It stores what is written, counts versions, and answers otherwise where it is told to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Map, Value, json};

/// How the next request that fits is answered instead of being carried out.
pub enum Fault {
    /// With this status and body.
    Answer(u16, Value),
    /// Not at all, after it was carried out.
    LoseReply,
}

#[derive(Clone, Default)]
pub struct Api {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Value>,
    version: u64,
    log: Vec<String>,
    faults: VecDeque<(String, Fault)>,
    /// What was asked as somebody else: the user, method and path.
    as_others: Vec<(String, String)>,
    /// Where each of these users may write.
    rights: BTreeSet<(String, String)>,
    latency: Duration,
}

type Answer = Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>>;

impl Api {
    pub fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move {
                let line = format!("{} {}", request.method(), request.uri().path());
                let user = request.headers().get("impersonate-user").map(|user| user.to_str().unwrap().to_owned());
                let bytes = request.into_body().collect_bytes().await?;
                let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
                let latency = api.inner.lock().unwrap().latency;
                if !latency.is_zero() {
                    tokio::time::sleep(latency).await;
                }
                api.answer(user, &line, body)
            }
        });
        Client::new(service, "default")
    }

    /// Requests since the last time that this was asked, by method and last parts of the path.
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.lock().unwrap().log)
    }

    /// Writes that were asked for as somebody else: the user, method and path.
    pub fn as_others(&self) -> Vec<(String, String)> {
        self.inner.lock().unwrap().as_others.clone()
    }

    /// From now on a user may write in a namespace, or may not.
    pub fn may(&self, user: &str, namespace: &str, may: Option<()>) {
        let (mut inner, right) = (self.inner.lock().unwrap(), (user.to_owned(), namespace.to_owned()));
        match may {
            Some(()) => drop(inner.rights.insert(right)),
            None => drop(inner.rights.remove(&right)),
        }
    }

    pub fn object(&self, path: &str) -> Value {
        self.inner.lock().unwrap().objects.get(path).cloned().unwrap_or(Value::Null)
    }

    pub fn paths(&self, start: &str) -> Vec<String> {
        let inner = self.inner.lock().unwrap();
        inner.objects.keys().filter(|path| path.starts_with(start)).cloned().collect()
    }

    pub fn fault(&self, line: &str, fault: Fault) {
        self.inner.lock().unwrap().faults.push_back((line.to_owned(), fault));
    }

    /// How long each request takes from now on.
    pub fn latency(&self, latency: Duration) {
        self.inner.lock().unwrap().latency = latency;
    }

    /// Another hand deletes an object, which is handed back.
    pub fn remove(&self, path: &str) -> Value {
        self.inner.lock().unwrap().objects.remove(path).unwrap()
    }

    /// Another hand writes an object.
    pub fn put(&self, path: &str, object: Value) -> Value {
        self.inner.lock().unwrap().store(path, object)
    }

    fn answer(&self, user: Option<String>, line: &str, body: Value) -> Answer {
        let mut inner = self.inner.lock().unwrap();
        if let Some(user) = user {
            if line.ends_with("/selfsubjectaccessreviews") {
                return reply(201, &inner.review(&user, body));
            }
            inner.as_others.push((user, line.to_owned()));
        }
        inner.log.push(short(line));
        let fault = inner.faults.iter().position(|(start, _)| short(line).starts_with(start.as_str()));
        let fault = fault.and_then(|place| inner.faults.remove(place)).map(|(_, fault)| fault);
        if let Some(Fault::Answer(code, body)) = fault {
            return reply(code, &body);
        }
        let (code, body) = inner.handle(line, body);
        match fault {
            Some(Fault::LoseReply) => Err("connection reset by peer".into()),
            _ => reply(code, &body),
        }
    }
}

fn reply(code: u16, body: &Value) -> Answer {
    Ok(Response::builder().status(code).body(Body::from(serde_json::to_vec(body)?))?)
}

fn short(line: &str) -> String {
    let (method, path) = line.split_once(' ').unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    let from = parts.iter().position(|part| *part == "namespaces").map_or(0, |place| place + 2);
    format!("{method} {}", parts[from..].join("/"))
}

impl Inner {
    fn review(&self, user: &str, mut review: Value) -> Value {
        let asked = &review["spec"]["resourceAttributes"];
        assert!(["create", "patch"].contains(&asked["verb"].as_str().unwrap()), "{asked}");
        let right = (user.to_owned(), asked["namespace"].as_str().unwrap().to_owned());
        review["status"] = json!({ "allowed": self.rights.contains(&right) });
        review
    }

    fn store(&mut self, path: &str, mut object: Value) -> Value {
        let before = self.objects.get(path).cloned().unwrap_or(Value::Null);
        object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
        if object == before {
            return before;
        }
        self.version += 1;
        let changed = before["spec"] != object["spec"];
        let generation = before["metadata"]["generation"].as_i64().unwrap_or(0) + i64::from(changed);
        object["metadata"]["generation"] = json!(generation);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn handle(&mut self, line: &str, body: Value) -> (u16, Value) {
        let (method, path) = line.split_once(' ').unwrap();
        match method {
            "GET" => match self.objects.get(path) {
                Some(object) => (200, object.clone()),
                None => self.listed(path).unwrap_or_else(|| missing(path)),
            },
            "POST" => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
                if self.objects.contains_key(&path) {
                    return (409, status(409, "AlreadyExists", "already exists", &path));
                }
                let mut made = body;
                if path.contains("/pods/") {
                    // There is a scheduler.
                    made["spec"]["nodeName"] = json!("node-1");
                }
                (201, self.store(&path, made))
            }
            "PATCH" => self.patch(path, body),
            other => panic!("{other} {path}"),
        }
    }

    /// All objects of a kind, of all namespaces.
    fn listed(&self, path: &str) -> Option<(u16, Value)> {
        let (root, plural) = path.rsplit_once('/')?;
        if path.contains("/namespaces/") || ["quotas", "ranges"].iter().any(|kind| plural.ends_with(kind)) {
            return None;
        }
        let mark = format!("/{plural}/");
        let of = |(at, _): &(&String, &Value)| at.starts_with(root) && at.contains(&mark);
        let items: Vec<&Value> = self.objects.iter().filter(of).map(|(_, object)| object).collect();
        Some((200, json!({"kind": "List", "metadata": {}, "items": items})))
    }

    fn patch(&mut self, path: &str, body: Value) -> (u16, Value) {
        if let Some(path) = path.strip_suffix("/status") {
            let Some(mut object) = self.objects.get(path).cloned() else { return missing(path) };
            let stated = &body["metadata"]["resourceVersion"];
            if !stated.is_null() && *stated != object["metadata"]["resourceVersion"] {
                return (409, status(409, "Conflict", "the object has been modified", path));
            }
            let vmm = object["status"]["vmm"].take();
            object["status"] = body["status"].clone();
            if !vmm.is_null() {
                object["status"]["vmm"] = vmm;
            }
            return (200, self.store(path, object));
        }
        if let Some(path) = path.strip_suffix("/resize") {
            let Some(mut pod) = self.objects.get(path).cloned() else { return missing(path) };
            pod["spec"]["containers"][0]["resources"] = body["spec"]["containers"][0]["resources"].clone();
            return (200, self.store(path, pod));
        }
        let mut object = self.objects.get(path).cloned().unwrap_or_else(|| json!({}));
        merge(&mut object, body.clone());
        let fields = json!({"f:metadata": {}, "f:spec": owned(&body["spec"])});
        object["metadata"]["managedFields"] =
            json!([{"manager": "reef-controller", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields}]);
        (200, self.store(path, object))
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn owned(value: &Value) -> Value {
    let Some(fields) = value.as_object() else { return json!({}) };
    Value::Object(fields.iter().map(|(key, value)| (format!("f:{key}"), owned(value))).collect::<Map<_, _>>())
}

fn missing(path: &str) -> (u16, Value) {
    (404, status(404, "NotFound", "not found", path))
}

pub fn status(code: u16, reason: &str, message: &str, path: &str) -> Value {
    let name = path.rsplit('/').next();
    json!({"kind": "Status", "code": code, "reason": reason, "message": message, "details": {"name": name}})
}
