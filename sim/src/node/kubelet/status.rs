//! A Pod's status as the kubelet writes it, from what it holds of the Pod. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::worker::{Container, Exit, Stage, Worker};
use crate::node::conditions::{Condition, merge};
use crate::store::meta;

const PENDING: &str = "PodResizePending";
const PROGRESS: &str = "PodResizeInProgress";

/// The status of a Pod, on top of what is stored.
#[must_use]
pub fn render(worker: &Worker, before: Option<&Value>, now: Timestamp) -> Value {
    let mut status = before.and_then(Value::as_object).cloned().unwrap_or_default();
    let conditions = before.and_then(|status| status.get("conditions")).and_then(Value::as_array);
    let (wanted, gone) = conditions_of(worker);
    let merged = merge(conditions.map_or(&[], Vec::as_slice), &wanted, &gone, worker.observed, now);
    status.insert("phase".to_owned(), json!(phase(worker)));
    status.insert("observedGeneration".to_owned(), json!(worker.observed));
    status.insert("conditions".to_owned(), Value::Array(merged));
    status.entry("startTime").or_insert_with(|| meta::time(now));
    status.entry("qosClass").or_insert_with(|| json!(qos_class(worker)));
    status.insert("hostIP".to_owned(), json!("127.0.0.1"));
    let containers = worker.containers.iter().map(|container| container_status(worker, container));
    status.insert("containerStatuses".to_owned(), containers.collect());
    if let Stage::Ended(exit) = &worker.stage
        && worker.started.is_none()
    {
        status.insert("reason".to_owned(), json!(exit.reason));
        status.insert("message".to_owned(), json!(exit.message));
    }
    Value::Object(status)
}

fn phase(worker: &Worker) -> &'static str {
    match &worker.stage {
        Stage::Starting(_) if worker.restarts == 0 => "Pending",
        Stage::Starting(_) | Stage::Running => "Running",
        Stage::Stopping(_) if worker.started.is_none() => "Pending",
        Stage::Stopping(_) => "Running",
        Stage::Ended(exit) if exit.code == 0 => "Succeeded",
        Stage::Ended(_) => "Failed",
    }
}

/// Whether the Pod is of the class Guaranteed.
#[must_use]
pub fn is_guaranteed(worker: &Worker) -> bool {
    let stated = |it: &Container| it.allocated.limits.cpu.is_some() && it.allocated.limits.memory.is_some();
    worker.containers.iter().all(|it| stated(it) && it.allocated.requests == it.allocated.limits)
}

fn qos_class(worker: &Worker) -> &'static str {
    let states_nothing = |it: &Container| it.allocated == crate::node::resources::ContainerResources::default();
    if worker.containers.iter().all(states_nothing) {
        "BestEffort"
    } else if is_guaranteed(worker) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn conditions_of(worker: &Worker) -> (Vec<Condition>, Vec<&'static str>) {
    let running = worker.stage == Stage::Running;
    let over = matches!(worker.stage, Stage::Ended(_));
    let ready = |kind| Condition {
        kind,
        holds: running,
        reason: match (running, over) {
            (true, _) => String::new(),
            (false, true) => "PodCompleted".to_owned(),
            (false, false) => "ContainersNotReady".to_owned(),
        },
        message: String::new(),
        generation: None,
    };
    let mut wanted = vec![
        Condition::plain("PodReadyToStartContainers", running),
        Condition::plain("Initialized", true),
        ready("Ready"),
        ready("ContainersReady"),
    ];
    let mut gone = Vec::new();
    match &worker.pending {
        Some(pending) if !over => wanted.push(Condition {
            kind: PENDING,
            holds: true,
            reason: pending.reason.to_owned(),
            message: pending.message.clone(),
            generation: Some(pending.generation),
        }),
        Some(_) | None => gone.push(PENDING),
    }
    let progress = worker.progress.as_ref().map(|progress| (progress.generation, progress.error.clone()));
    let flap = || worker.flap.as_ref().and_then(|flap| Some((flap.shown()?, None)));
    match progress.or_else(flap) {
        Some((generation, error)) if !over => wanted.push(Condition {
            kind: PROGRESS,
            holds: true,
            reason: error.as_ref().map(|_| "Error".to_owned()).unwrap_or_default(),
            message: error.unwrap_or_default(),
            generation: Some(generation),
        }),
        Some(_) | None => gone.push(PROGRESS),
    }
    (wanted, gone)
}

fn container_status(worker: &Worker, container: &Container) -> Value {
    let running = worker.stage == Stage::Running;
    let mut status = json!({
        "name": container.name, "image": container.image, "imageID": container.image, "lastState": {},
        "ready": running, "started": running, "restartCount": worker.restarts, "state": state(worker, container),
    });
    let Some(map) = status.as_object_mut() else { return status };
    if !container.id.is_empty() {
        map.insert("containerID".to_owned(), json!(format!("containerd://{}", container.id)));
    }
    if !matches!(&worker.stage, Stage::Ended(_) if worker.started.is_none()) {
        insert_resources(map, worker, container);
    }
    status
}

fn insert_resources(map: &mut Map<String, Value>, worker: &Worker, container: &Container) {
    map.insert("allocatedResources".to_owned(), container.allocated.requests.to_json());
    if worker.started.is_some() {
        let old = worker.flap.as_ref().and_then(|flap| flap.old_of(&container.name));
        map.insert("resources".to_owned(), old.unwrap_or(container.actual).to_json());
    }
}

fn state(worker: &Worker, container: &Container) -> Value {
    let started = worker.started.map(meta::time);
    match &worker.stage {
        Stage::Running | Stage::Stopping(_) if started.is_some() => json!({ "running": { "startedAt": started } }),
        Stage::Starting(_) | Stage::Running | Stage::Stopping(_) => {
            json!({ "waiting": { "reason": "ContainerCreating" } })
        }
        Stage::Ended(exit) => json!({ "terminated": terminated(exit, started, container) }),
    }
}

fn terminated(exit: &Exit, started: Option<Value>, container: &Container) -> Value {
    let mut state = json!({
        "exitCode": exit.code, "reason": exit.reason, "startedAt": started, "finishedAt": meta::time(exit.at),
    });
    if let Some(map) = state.as_object_mut() {
        if !exit.message.is_empty() {
            map.insert("message".to_owned(), json!(exit.message));
        }
        if !container.id.is_empty() {
            map.insert("containerID".to_owned(), json!(format!("containerd://{}", container.id)));
        }
    }
    state
}
