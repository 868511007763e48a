//! What roles send to the API server: every write names what it was computed from, and changes only what its role may change.

use super::facts::annotation;
use super::{Inspector, Invariant, State, shallow};
use reef_api::names::REVISION_ANNOTATION;
use reef_sim::api::request::{RequestFacts, Route, Target};
use reef_sim::store::At;
use serde_json::Value;

/// What a write is about that is about no VM, in the count of writes.
const NO_VM: &str = "the sources";

/// How deep a body is looked into: a label is three levels down.
const DEPTH: usize = 3;
/// Of a status the names of its parts count.
const NAMES: usize = 2;
/// Of a resize everything counts.
const WHOLE: usize = 64;

/// A request that a role sends.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// Who: `controller`, or a node's name for its daemon.
    pub role: &'a str,
    /// What it asks for.
    pub facts: &'a RequestFacts,
    /// Its body; empty for none.
    pub body: &'a [u8],
}

impl Inspector {
    /// A role sends a request.
    pub fn sent(&self, sent: Sent<'_>) {
        if sent.facts.method.as_str() != "GET" {
            self.look(|state| state.check_sent(sent));
        }
    }
}

impl State {
    fn check_sent(&mut self, sent: Sent<'_>) {
        let Route::Resource(target) = &sent.facts.route else { return };
        let levels = match target.subresource.as_deref() {
            Some("resize") => WHOLE,
            Some("status") => NAMES,
            Some(_) | None => DEPTH,
        };
        let body = shallow::read(sent.body, levels);
        let about = self.about(target, &body);
        let shown = || format!("{} {} by {}", sent.facts.method, sent.facts.path, sent.role);
        let at = self.now();
        self.record.line(at, about.as_deref(), shown);
        self.count_write(about.as_deref().unwrap_or(NO_VM), shown);
        let wrong = match (sent.facts.method.as_str(), target.plural.as_str(), target.subresource.as_deref()) {
            ("PATCH", "pods", Some("resize")) => self.wrong_resize(sent.role, &body),
            ("PATCH", "virtualmachines", Some("status")) => wrong_status(sent.role, &body),
            ("DELETE", "pods", None) => return self.check_delete(sent.role, target, &body),
            ("DELETE", _, _) => Some((Invariant::Absence, "it deletes an object".to_owned())),
            ("PATCH", "virtualmachines", None) if sent.role.starts_with("controller") => {
                self.creates(about.as_deref(), annotation(&body, REVISION_ANNOTATION));
                None
            }
            _ if sent.role.starts_with("node-") => {
                Some((Invariant::Writers, "a daemon writes more than its report".to_owned()))
            }
            _ => None,
        };
        if let Some((invariant, told)) = wrong {
            self.fail(invariant, about.as_deref(), format!("{}: {told}", shown()));
        }
    }

    /// The VM that a request is about.
    fn about(&self, target: &Target, body: &Value) -> Option<String> {
        let name = target.name.as_deref();
        match target.plural.as_str() {
            "virtualmachines" => name.map(str::to_owned),
            "pods" => match name {
                Some(name) => self.pods.values().find(|pod| pod.name == name)?.vm.clone(),
                None => body.at("/metadata/labels").and_then(|it| Some(it.get("reef.dev/vm")?.as_str()?.to_owned())),
            },
            "events" => body.at("/involvedObject/name").and_then(Value::as_str).map(str::to_owned),
            _ => None,
        }
    }

    fn wrong_resize(&self, role: &str, body: &Value) -> Option<(Invariant, String)> {
        if !role.starts_with("controller") {
            return Some((Invariant::Writers, "only the controller resizes Pods".to_owned()));
        }
        if let Some(missing) = unnamed(body) {
            return Some((Invariant::Identity, missing));
        }
        let keys = |value: Option<&Value>| -> Vec<String> {
            value.and_then(Value::as_object).map(|map| map.keys().cloned().collect()).unwrap_or_default()
        };
        let only =
            |value: Option<&Value>, allowed: &[&str]| keys(value).iter().all(|key| allowed.contains(&key.as_str()));
        let containers = body.at("/spec/containers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let ours = |it: &Value| {
            it.get("name").and_then(Value::as_str) == Some(reef_api::names::VMM_CONTAINER)
                && only(Some(it), &["name", "resources"])
                && only(it.get("resources"), &["requests", "limits"])
                && ["/resources/requests", "/resources/limits"]
                    .iter()
                    .all(|part| keys(it.at(part)) == ["cpu", "memory"])
        };
        let fits = only(Some(body), &["metadata", "spec"])
            && only(body.get("metadata"), &["uid", "resourceVersion"])
            && only(body.get("spec"), &["containers"])
            && containers.len() == 1
            && containers.iter().all(ours);
        (!fits).then(|| (Invariant::PodShape, format!("it changes more than resources: {body}")))
    }

    /// A Pod is deleted by its UID, and only where its VM has ended, is to be stopped or started anew; or at a version at which it had no node.
    fn check_delete(&mut self, role: &str, target: &Target, body: &Value) {
        let uid = body.at("/preconditions/uid").and_then(Value::as_str);
        let Some(uid) = uid else {
            return self.fail(
                Invariant::Identity,
                None,
                format!("{role} deletes Pod {:?} without naming its UID", target.name),
            );
        };
        let Some(pod) = self.pods.get(uid) else { return };
        let Some(vm) = pod.vm.clone() else { return };
        // A version that is not the present one is refused by the server.
        let version = body.at("/preconditions/resourceVersion").and_then(Value::as_str);
        let is_unplaced = version.is_some_and(|version| version != pod.version || pod.node.is_empty());
        let may_go = pod.deleting || is_unplaced || self.is_halted(&vm) || self.starts_anew(&vm, pod);
        if pod.is_alive() && !may_go {
            self.fail(Invariant::Life, Some(&vm), format!("{role} deletes Pod {}, which runs", pod.name));
        }
    }
}

fn unnamed(body: &Value) -> Option<String> {
    let stated = |field: &str| body.at(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let missing = ["/metadata/uid", "/metadata/resourceVersion"].into_iter().find(|field| !stated(field))?;
    Some(format!("it does not name {missing}"))
}

fn wrong_status(role: &str, body: &Value) -> Option<(Invariant, String)> {
    if let Some(missing) = unnamed(body) {
        return Some((Invariant::Identity, missing));
    }
    let fields = body.get("status").and_then(Value::as_object)?;
    let reports = |field: &String| field == "vmm";
    let foreign = if role.starts_with("controller") {
        fields.keys().find(|field| reports(field))
    } else {
        fields.keys().find(|field| !reports(field))
    };
    foreign.map(|field| (Invariant::Writers, format!("{role} writes status.{field}")))
}
