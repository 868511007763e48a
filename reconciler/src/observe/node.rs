//! A Node of the API as the value that the pipeline reads. Pure.

use k8s_openapi::api::core::v1::Node;

use crate::decide::observed::NodeObserved;

/// Reads a node; none when it does not say what it can hold.
pub fn node_observed(node: &Node) -> Option<NodeObserved> {
    let status = node.status.as_ref()?;
    let allocatable = status.allocatable.as_ref()?;
    let conditions = status.conditions.as_deref().unwrap_or_default();
    Some(NodeObserved {
        name: node.metadata.name.clone()?,
        ready: conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        cpu: allocatable.get("cpu")?.0.parse().ok()?,
        memory: allocatable.get("memory")?.0.parse().ok()?,
    })
}
