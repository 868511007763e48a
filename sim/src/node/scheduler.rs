//! The scheduler: binds each new Pod to the node that has the most memory left, by what Pods are charged.
//!
//! [`place`] is pure. Priorities, preemption, what an affinity prefers and affinities between Pods are left out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::conditions::{Condition, merge};
use super::events::{Tone, record};
use super::pod::PodView;
use super::resources::Amounts;
use crate::store::{At, ObjectKey, ResourceId, Store};

/// Who writes.
const NAME: &str = "default-scheduler";

/// A node as the scheduler sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What Pods can have in all.
    pub allocatable: Amounts,
    /// What the Pods on it are charged.
    pub charged: Amounts,
    /// It is cordoned.
    pub unschedulable: bool,
    /// Its kubelet is there.
    pub ready: bool,
}

impl NodeView {
    /// Reads a node; `charged` is what the Pods on it are charged.
    #[must_use]
    pub fn parse(node: &Value, charged: Amounts) -> Self {
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let conditions = node.at("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let labels = node.at("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
        Self {
            name: node.at("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            labels: labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
            allocatable: Amounts::parse(node.at("/status/allocatable")),
            charged,
            unschedulable: node.at("/spec/unschedulable").and_then(Value::as_bool).unwrap_or(false),
            ready: conditions
                .filter(|condition| text(condition, "type") == "Ready")
                .any(|condition| text(condition, "status") == "True"),
        }
    }

    fn refuses(&self, pod: &PodView, wish: Amounts) -> Vec<&'static str> {
        if self.unschedulable {
            return vec!["node(s) were unschedulable"];
        }
        if !self.ready {
            return vec!["node(s) had untolerated taint {node.kubernetes.io/not-ready: }"];
        }
        let selected = pod.node_selector.iter().all(|(key, value)| self.labels.get(key) == Some(value));
        if !selected || !pod.node_affinity.matches(&self.name, &self.labels) {
            return vec!["node(s) didn't match Pod's node affinity/selector"];
        }
        let total = self.charged.plus(wish);
        let short = [
            (total.cpu() > self.allocatable.cpu(), "Insufficient cpu"),
            (total.memory() > self.allocatable.memory(), "Insufficient memory"),
        ];
        short.into_iter().filter_map(|(is_short, reason)| is_short.then_some(reason)).collect()
    }
}

/// Where a Pod goes, or why nowhere.
///
/// # Errors
/// The scheduler's own sentence, with how many nodes refuse for which reason.
pub fn place(pod: &PodView, nodes: &[NodeView]) -> Result<String, String> {
    let wish = pod.charged();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut best: Option<(u64, &NodeView)> = None;
    for node in nodes {
        let refused = node.refuses(pod, wish);
        for reason in &refused {
            *reasons.entry(reason).or_default() += 1;
        }
        let free = node.allocatable.memory().saturating_sub(node.charged.memory()).get();
        if refused.is_empty() && best.is_none_or(|(most, _)| free > most) {
            best = Some((free, node));
        }
    }
    let why = || {
        let mut list: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        list.sort();
        format!("0/{} nodes are available: {}.", nodes.len(), list.join(", "))
    };
    best.map(|(_, node)| node.name.clone()).ok_or_else(why)
}

/// The task that binds Pods.
pub struct Scheduler {
    store: Store,
    delay: Duration,
}

impl Scheduler {
    /// A scheduler that needs `delay` from a change until it binds.
    #[must_use]
    pub const fn new(store: Store, delay: Duration) -> Self {
        Self { store, delay }
    }

    /// Schedules until `stop`. What could not be placed is tried again whenever a Pod or a node changes.
    pub async fn run(self, stop: CancellationToken) {
        let of = |plural: &str| self.store.subscribe_of(ResourceId::core(plural), self.store.version());
        let (mut pods, mut nodes) = (of("pods"), of("nodes"));
        let mut due = Some(Instant::now() + self.delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    due = None;
                    self.pass();
                }
                change = pods.next() => {
                    change.map_or_else(|lagged| pods.skip_to(lagged.oldest), drop);
                    due = due.or_else(|| Some(Instant::now() + self.delay));
                }
                change = nodes.next() => {
                    change.map_or_else(|lagged| nodes.skip_to(lagged.oldest), drop);
                    due = due.or_else(|| Some(Instant::now() + self.delay));
                }
            }
        }
    }

    fn pass(&self) {
        let all = self.store.list(&ResourceId::core("pods"), None);
        let waiting: Vec<PodView> =
            all.iter().filter(|pod| is_unbound(pod) && is_ours(pod)).map(|pod| PodView::parse(pod)).collect();
        let waiting: Vec<PodView> =
            waiting.into_iter().filter(|pod| pod.stopping.is_none() && !pod.is_over()).collect();
        if waiting.is_empty() {
            return;
        }
        let mut nodes = self.nodes(&all);
        for pod in waiting {
            match place(&pod, &nodes) {
                Ok(node) => {
                    self.bind(&pod, &node);
                    let taken = nodes.iter_mut().find(|view| view.name == node);
                    taken.into_iter().for_each(|view| view.charged = view.charged.plus(pod.charged()));
                }
                Err(why) => self.refuse(&pod, &why),
            }
        }
    }

    fn nodes(&self, pods: &[Arc<Value>]) -> Vec<NodeView> {
        let mut charged: BTreeMap<String, Amounts> = BTreeMap::new();
        for pod in pods.iter().filter(|pod| !is_unbound(pod)).map(|pod| PodView::parse(pod)) {
            if !pod.is_over() {
                let sum = charged.entry(pod.node.clone()).or_default();
                *sum = sum.plus(pod.charged());
            }
        }
        let nodes = self.store.list(&ResourceId::core("nodes"), None);
        let view = |node: &Arc<Value>| {
            let name = node.at("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            NodeView::parse(node, charged.get(name).copied().unwrap_or_default())
        };
        nodes.iter().map(view).collect()
    }

    fn bind(&self, pod: &PodView, node: &str) {
        let (generation, now) = (pod.generation, self.store.now());
        let bound = self.store.update(&pod.key, None, NAME, |object| {
            if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
                spec.insert("nodeName".to_owned(), json!(node));
            }
            set_condition(object, &Condition::plain("PodScheduled", true), generation, now);
        });
        match bound {
            Ok(_) => {
                let name = &pod.key.name;
                let namespace = pod.key.namespace.as_deref().unwrap_or_default();
                let message = format!("Successfully assigned {namespace}/{name} to {node}");
                record(&self.store, NAME, pod, Tone::Normal, "Scheduled", &message);
            }
            Err(error) => tracing::debug!(%error, pod = %pod.key, "not bound"),
        }
    }

    fn refuse(&self, pod: &PodView, why: &str) {
        let (generation, now) = (pod.generation, self.store.now());
        let condition = Condition {
            kind: "PodScheduled",
            holds: false,
            reason: "Unschedulable".to_owned(),
            message: why.to_owned(),
            generation: None,
        };
        let before = self.store.get(&pod.key);
        let after = self.store.update(&pod.key, Some("status"), NAME, |object| {
            set_condition(object, &condition, generation, now);
        });
        if after.ok() != before {
            record(&self.store, NAME, pod, Tone::Warning, "FailedScheduling", why);
        }
    }
}

/// Whether the Pod names no other scheduler.
fn is_ours(pod: &Arc<Value>) -> bool {
    pod.at("/spec/schedulerName").and_then(Value::as_str).is_none_or(|name| name == NAME)
}

fn is_unbound(pod: &Arc<Value>) -> bool {
    pod.at("/spec/nodeName").and_then(Value::as_str).is_none_or(str::is_empty)
}

fn set_condition(object: &mut Value, condition: &Condition, generation: i64, now: jiff::Timestamp) {
    let before = object.at("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let merged = merge(&before, std::slice::from_ref(condition), &[], generation, now);
    if let Some(map) = object.as_object_mut() {
        let status = map.entry("status").or_insert_with(|| json!({ "phase": "Pending" }));
        if let Some(status) = status.as_object_mut() {
            status.insert("conditions".to_owned(), Value::Array(merged));
        }
    }
}

/// The key of a node.
#[must_use]
pub fn node_key(name: &str) -> ObjectKey {
    ObjectKey::cluster(ResourceId::core("nodes"), name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reef_api::{Bytes, MilliCpu};

    fn node(name: &str, cpu: u64, charged: u64) -> NodeView {
        let amounts = |cpu: u64| Amounts { cpu: Some(MilliCpu(cpu)), memory: Some(Bytes(cpu << 20)) };
        NodeView {
            name: name.to_owned(),
            labels: BTreeMap::from([("zone".to_owned(), name.to_owned())]),
            allocatable: amounts(cpu),
            charged: amounts(charged),
            unschedulable: false,
            ready: true,
        }
    }

    fn pod(spec: Value) -> PodView {
        PodView::parse(&json!({ "metadata": { "name": "p", "namespace": "default" }, "spec": spec }))
    }

    fn wish(cpu: &str) -> Value {
        json!({ "containers": [{ "name": "c", "resources": { "requests": { "cpu": cpu, "memory": "1Mi" } } }] })
    }

    #[test]
    fn the_node_with_the_most_memory_left_is_taken_and_the_first_of_equals() {
        let nodes = [node("a", 4000, 3000), node("b", 4000, 1000), node("c", 4000, 1000)];
        assert_eq!(place(&pod(wish("500m")), &nodes), Ok("b".to_owned()));
    }

    #[test]
    fn refusals_are_counted_by_reason() {
        let mut nodes = [node("a", 1000, 900), node("b", 1000, 0), node("c", 1000, 0), node("d", 100, 100)];
        nodes[1].unschedulable = true;
        nodes[2].ready = false;
        let said = "0/4 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint \
                    {node.kubernetes.io/not-ready: }, 1 node(s) were unschedulable, 2 Insufficient cpu.";
        assert_eq!(place(&pod(wish("500m")), &nodes), Err(said.to_owned()));
    }

    #[test]
    fn a_selector_is_obeyed() {
        let mut spec = wish("100m");
        spec["nodeSelector"] = json!({ "zone": "b" });
        let nodes = [node("a", 1000, 0), node("b", 1000, 500)];
        assert_eq!(place(&pod(spec), &nodes), Ok("b".to_owned()));
    }

    #[test]
    fn an_affinity_is_obeyed_and_what_it_leaves_is_told_as_the_scheduler_tells_it() {
        let requiring = |zone: &str| {
            let mut spec = wish("100m");
            let term = json!({ "matchExpressions": [{ "key": "zone", "operator": "In", "values": [zone] }] });
            let terms = json!({ "nodeSelectorTerms": [term] });
            spec["affinity"] = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": terms } });
            pod(spec)
        };
        let nodes = [node("a", 1000, 0), node("b", 1000, 500)];
        assert_eq!(place(&requiring("b"), &nodes), Ok("b".to_owned()));
        let said = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
        assert_eq!(place(&requiring("c"), &nodes), Err(said.to_owned()));
    }

    #[test]
    fn an_init_container_that_carries_the_size_is_charged() {
        let mut spec = wish("100m");
        spec["initContainers"] = json!([{ "name": "i", "resources": { "requests": { "cpu": "2" } } }]);
        assert_eq!(pod(spec).charged().cpu, Some(MilliCpu(2000)));
    }

    #[test]
    fn the_charge_is_the_largest_of_spec_allocated_and_actual() {
        let charged = |spec: &str, allocated: &str, actual: &str, reason: &str| {
            let pod = json!({
                "spec": wish(spec),
                "status": {
                    "containerStatuses": [{
                        "name": "c", "allocatedResources": { "cpu": allocated },
                        "resources": { "requests": { "cpu": actual } },
                    }],
                    "conditions": [{ "type": "PodResizePending", "status": "True", "reason": reason }],
                },
            });
            PodView::parse(&pod).charged().cpu.map(MilliCpu::get)
        };
        assert_eq!(charged("3", "1", "2", "Deferred"), Some(3000));
        assert_eq!(charged("1", "1", "2", "Deferred"), Some(2000));
        assert_eq!(charged("9", "1", "2", "Infeasible"), Some(2000));
    }
}
