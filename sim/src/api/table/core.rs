//! The columns of built-in resources. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Cell, Column, age, object_age, text};
use crate::store::{At, ResourceKind, meta};

type Make = fn(&Value, Timestamp) -> Value;

/// The columns of a built-in resource, by its plural name.
pub(super) fn columns(kind: &ResourceKind) -> Vec<Column> {
    let mut all = match kind.plural.as_str() {
        "pods" => pods(),
        "nodes" => nodes(),
        "events" => return events(),
        "namespaces" => vec![column("Status", "string", 0, |object, _| json!(text(object, "/status/phase")))],
        "secrets" => vec![
            column("Type", "string", 0, |object, _| json!(text(object, "/type"))),
            column("Data", "string", 0, |object, _| json!(count(object, "/data"))),
        ],
        "configmaps" => vec![column("Data", "string", 0, |object, _| json!(count(object, "/data")))],
        "serviceaccounts" => vec![column("Secrets", "string", 0, |object, _| json!(count(object, "/secrets")))],
        "leases" => vec![column("Holder", "string", 0, |object, _| json!(text(object, "/spec/holderIdentity")))],
        "customresourcedefinitions" => {
            let created: Make = |object, _| json!(meta::text(object, "creationTimestamp"));
            return vec![name_column(), column("Created At", "date", 0, created)];
        }
        _ => Vec::new(),
    };
    all.insert(0, name_column());
    all.insert(age_position(&kind.plural, all.len()), age_column());
    all
}

/// Wide columns stand behind the age.
fn age_position(plural: &str, count: usize) -> usize {
    match plural {
        "pods" => 4,
        "nodes" => 3,
        _ => count,
    }
}

pub(super) fn name_column() -> Column {
    let mut column = column("Name", "string", 0, |object, _| json!(meta::name(object)));
    column.format = "name".to_owned();
    column
}

pub(super) fn age_column() -> Column {
    column("Age", "string", 0, object_age)
}

fn column(name: &str, kind: &str, priority: i64, make: Make) -> Column {
    Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        format: String::new(),
        description: String::new(),
        priority,
        cell: Cell::Core(make),
    }
}

fn count(object: &Value, pointer: &str) -> usize {
    match object.at(pointer) {
        Some(Value::Object(map)) => map.len(),
        Some(Value::Array(items)) => items.len(),
        _ => 0,
    }
}

fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { "<none>" } else { text })
}

fn pods() -> Vec<Column> {
    vec![
        column("Ready", "string", 0, |pod, _| json!(ready(pod))),
        column("Status", "string", 0, |pod, _| json!(pod_status(pod))),
        column("Restarts", "string", 0, |pod, _| json!(restarts(pod).to_string())),
        column("IP", "string", 1, |pod, _| or_none(text(pod, "/status/podIP"))),
        column("Node", "string", 1, |pod, _| or_none(text(pod, "/spec/nodeName"))),
        column("Nominated Node", "string", 1, |pod, _| or_none(text(pod, "/status/nominatedNodeName"))),
        column("Readiness Gates", "string", 1, |_, _| json!("<none>")),
    ]
}

fn container_statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    pod.at("/status/containerStatuses").and_then(Value::as_array).into_iter().flatten()
}

fn ready(pod: &Value) -> String {
    let ready = container_statuses(pod).filter(|status| status.get("ready").and_then(Value::as_bool) == Some(true));
    format!("{}/{}", ready.count(), count(pod, "/spec/containers"))
}

fn restarts(pod: &Value) -> i64 {
    container_statuses(pod).filter_map(|status| status.get("restartCount")?.as_i64()).sum()
}

fn pod_status(pod: &Value) -> String {
    if meta::is_terminating(pod) {
        return "Terminating".to_owned();
    }
    let whole = text(pod, "/status/reason");
    let one = container_statuses(pod).find_map(|status| {
        let state = status.get("state")?;
        let reason = |kind: &str| state.get(kind)?.get("reason")?.as_str();
        reason("waiting").or_else(|| reason("terminated"))
    });
    let phase = text(pod, "/status/phase");
    let status = [whole, one.unwrap_or_default(), phase].into_iter().find(|status| !status.is_empty());
    status.unwrap_or("Unknown").to_owned()
}

fn nodes() -> Vec<Column> {
    vec![
        column("Status", "string", 0, |node, _| json!(node_status(node))),
        column("Roles", "string", 0, |node, _| or_none(&roles(node))),
        column("Version", "string", 0, |node, _| json!(text(node, "/status/nodeInfo/kubeletVersion"))),
        column("Internal-IP", "string", 1, |node, _| or_none(address(node, "InternalIP"))),
        column("External-IP", "string", 1, |node, _| or_none(address(node, "ExternalIP"))),
        column("OS-Image", "string", 1, |node, _| json!(text(node, "/status/nodeInfo/osImage"))),
        column("Kernel-Version", "string", 1, |node, _| json!(text(node, "/status/nodeInfo/kernelVersion"))),
        column("Container-Runtime", "string", 1, |node, _| {
            json!(text(node, "/status/nodeInfo/containerRuntimeVersion"))
        }),
    ]
}

fn node_status(node: &Value) -> String {
    let conditions = node.at("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let ready = conditions
        .filter(|condition| text(condition, "/type") == "Ready")
        .map(|condition| text(condition, "/status"))
        .next();
    let word = match ready {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let cordoned = node.at("/spec/unschedulable").and_then(Value::as_bool) == Some(true);
    if cordoned { format!("{word},SchedulingDisabled") } else { word.to_owned() }
}

fn roles(node: &Value) -> String {
    let labels = node.at("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    labels.filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/")).collect::<Vec<_>>().join(",")
}

fn address<'a>(node: &'a Value, kind: &str) -> &'a str {
    let addresses = node.at("/status/addresses").and_then(Value::as_array).into_iter().flatten();
    addresses
        .filter(|address| text(address, "/type") == kind)
        .map(|address| text(address, "/address"))
        .next()
        .unwrap_or_default()
}

fn events() -> Vec<Column> {
    vec![
        column("Last Seen", "string", 0, last_seen),
        column("Type", "string", 0, |event, _| json!(text(event, "/type"))),
        column("Reason", "string", 0, |event, _| json!(text(event, "/reason"))),
        column("Object", "string", 0, |event, _| {
            json!(format!(
                "{}/{}",
                text(event, "/involvedObject/kind").to_lowercase(),
                text(event, "/involvedObject/name")
            ))
        }),
        column("Subobject", "string", 1, |event, _| json!(text(event, "/involvedObject/fieldPath"))),
        column("Source", "string", 1, |event, _| {
            let source = text(event, "/source/component");
            json!(if source.is_empty() { text(event, "/reportingComponent") } else { source })
        }),
        column("Message", "string", 0, |event, _| json!(text(event, "/message").trim())),
        column("First Seen", "string", 1, |event, now| {
            json!(age::since(first_of(event, &["/firstTimestamp", "/eventTime"]), now))
        }),
        column("Count", "integer", 1, |event, _| json!(event.at("/count").and_then(Value::as_i64).unwrap_or(1))),
        column("Name", "string", 1, |event, _| json!(meta::name(event))),
    ]
}

fn last_seen(event: &Value, now: Timestamp) -> Value {
    let at =
        first_of(event, &["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"]);
    json!(age::since(at, now))
}

fn first_of<'a>(object: &'a Value, pointers: &[&str]) -> &'a str {
    pointers.iter().map(|pointer| text(object, pointer)).find(|text| !text.is_empty()).unwrap_or_default()
}
