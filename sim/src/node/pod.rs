//! A Pod as scheduler and kubelet read it. A Pod that lacks a part reads as one without it; nothing is refused here.

use std::collections::BTreeMap;

use reef_api::BootLayout;
use reef_api::names::VMM_CONTAINER;
use serde_json::Value;

use super::affinity::NodeAffinity;
use super::resources::{Amounts, ContainerResources};
use crate::store::{At, ObjectKey, ResourceId, meta};

/// What becomes of a Pod whose container has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// It is started again.
    Always,
    /// It is started again where it failed.
    OnFailure,
    /// The Pod has ended.
    Never,
}

/// One container of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerView {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What the spec asks for.
    pub desired: ContainerResources,
    /// What the kubelet has promised, where it has.
    pub allocated: Option<Amounts>,
    /// What is in effect, where it runs.
    pub actual: Option<ContainerResources>,
}

/// A Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// Its place in the store.
    pub key: ObjectKey,
    /// Its incarnation.
    pub uid: String,
    /// The generation of its spec.
    pub generation: i64,
    /// The node that it is bound to; empty where it is not.
    pub node: String,
    /// `status.phase`.
    pub phase: String,
    /// Seconds that it is given to stop, once it is deleted.
    pub stopping: Option<i64>,
    /// Its containers, in order.
    pub containers: Vec<ContainerView>,
    /// The largest request of an init container.
    pub init: Amounts,
    /// `spec.nodeSelector`.
    pub node_selector: BTreeMap<String, String>,
    /// What its affinity requires of nodes.
    pub node_affinity: NodeAffinity,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// `spec.restartPolicy`.
    pub restart: RestartPolicy,
    /// A resize is pending as infeasible.
    pub infeasible: bool,
}

impl PodView {
    /// Reads a Pod.
    #[must_use]
    pub fn parse(pod: &Value) -> Self {
        let text = |pointer: &str| pod.at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let grace = || pod.at("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
        Self {
            key: ObjectKey::of(&ResourceId::core("pods"), pod),
            uid: meta::uid(pod).to_owned(),
            generation: meta::generation(pod),
            node: text("/spec/nodeName"),
            phase: text("/status/phase"),
            stopping: meta::is_terminating(pod).then(grace),
            containers: items(pod, "/spec/containers").map(|container| read_container(pod, container)).collect(),
            init: items(pod, "/spec/initContainers")
                .map(|container| ContainerResources::parse(container.get("resources")).requests)
                .fold(Amounts::default(), Amounts::max),
            node_selector: texts(pod.at("/spec/nodeSelector")),
            node_affinity: NodeAffinity::parse(pod),
            annotations: texts(pod.at("/metadata/annotations")),
            restart: match text("/spec/restartPolicy").as_str() {
                "Never" => RestartPolicy::Never,
                "OnFailure" => RestartPolicy::OnFailure,
                _ => RestartPolicy::Always,
            },
            infeasible: items(pod, "/status/conditions").any(is_infeasible),
        }
    }

    /// Whether it has ended and takes nothing any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    /// What the scheduler counts: the largest of spec, allocated and actual; an infeasible wish does not count.
    #[must_use]
    pub fn charged(&self) -> Amounts {
        let one = |container: &ContainerView| {
            let wish = if self.infeasible { Amounts::default() } else { container.desired.requests };
            let actual = container.actual.map(|actual| actual.requests).unwrap_or_default();
            let held = container.allocated.unwrap_or_default().max(actual);
            if held == Amounts::default() { container.desired.requests } else { wish.max(held) }
        };
        self.containers.iter().map(one).fold(Amounts::default(), Amounts::plus).max(self.init)
    }

    /// What its spec asks for in all.
    #[must_use]
    pub fn desired(&self) -> Amounts {
        self.containers.iter().map(|it| it.desired.requests).fold(Amounts::default(), Amounts::plus).max(self.init)
    }

    /// The container that runs a VMM.
    #[must_use]
    pub fn vmm_container(&self) -> Option<&ContainerView> {
        self.containers.iter().find(|container| container.name == VMM_CONTAINER)
    }
}

/// Why a container does not say what to boot.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// There is no layout in the arguments.
    #[error("the arguments of the container have no --layout")]
    Missing,
    /// It is none.
    #[error("the value of --layout is not a boot layout")]
    Unreadable(#[source] serde_json::Error),
}

impl ContainerView {
    /// What the arguments `launch --layout JSON` say to boot.
    ///
    /// # Errors
    /// Without a layout, or with one that cannot be read.
    pub fn layout(&self) -> Result<BootLayout, LayoutError> {
        let stated = self.args.iter().find_map(|arg| arg.strip_prefix("--layout="));
        let following = || self.args.iter().skip_while(|arg| *arg != "--layout").nth(1).map(String::as_str);
        let json = stated.or_else(following).ok_or(LayoutError::Missing)?;
        serde_json::from_str(json).map_err(LayoutError::Unreadable)
    }
}

fn read_container(pod: &Value, container: &Value) -> ContainerView {
    let name = container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_its = |status: &&Value| status.get("name").and_then(Value::as_str) == Some(&name);
    let status = items(pod, "/status/containerStatuses").find(is_its);
    let part = |field: &str| status.and_then(|status| status.get(field)).filter(|value| value.is_object());
    ContainerView {
        image: container.get("image").and_then(Value::as_str).unwrap_or_default().to_owned(),
        args: items(container, "/args").filter_map(Value::as_str).map(str::to_owned).collect(),
        desired: ContainerResources::parse(container.get("resources")),
        allocated: part("allocatedResources").map(|list| Amounts::parse(Some(list))),
        actual: part("resources").map(|resources| ContainerResources::parse(Some(resources))),
        name,
    }
}

fn is_infeasible(condition: &Value) -> bool {
    let is = |field: &str, value: &str| condition.get(field).and_then(Value::as_str) == Some(value);
    is("type", "PodResizePending") && is("status", "True") && is("reason", "Infeasible")
}

fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.at(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn texts(map: Option<&Value>) -> BTreeMap<String, String> {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
