//! Which nodes the required node affinity of a Pod allows, by the rules of kube-scheduler (component-helpers, `nodeaffinity`).
//!
//! Affinities between Pods depend on where the scheduler puts the others; they are not judged, and [`unjudged`] names them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, NodeSelectorRequirement, NodeSelectorTerm};
use reef_api::facts::NodeFacts;

/// Whether a node is one of those that the affinity requires. One term that matches is enough; an empty term matches nothing, and so does a
/// term with a requirement that cannot be.
pub(super) fn admits(affinity: Option<&Affinity>, node: &NodeFacts) -> bool {
    let required = affinity
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .and_then(|of_nodes| of_nodes.required_during_scheduling_ignored_during_execution.as_ref());
    required.is_none_or(|required| required.node_selector_terms.iter().any(|term| holds(term, node)))
}

/// The required affinities that depend on where other Pods are.
pub(super) fn unjudged(affinity: Option<&Affinity>) -> Vec<&'static str> {
    let with = affinity.and_then(|affinity| affinity.pod_affinity.as_ref());
    let with = with.and_then(|with| with.required_during_scheduling_ignored_during_execution.as_deref());
    let apart = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    let apart = apart.and_then(|apart| apart.required_during_scheduling_ignored_during_execution.as_deref());
    let named = [("podAffinity", with), ("podAntiAffinity", apart)];
    named.into_iter().filter(|(_, terms)| terms.is_some_and(|terms| !terms.is_empty())).map(|(name, _)| name).collect()
}

fn holds(term: &NodeSelectorTerm, node: &NodeFacts) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    !(expressions.is_empty() && fields.is_empty())
        && expressions.iter().all(|requirement| of_labels(requirement, &node.labels))
        && fields.iter().all(|requirement| of_name(requirement, &node.name))
}

fn of_labels(requirement: &NodeSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let label = labels.get(&requirement.key);
    match requirement.operator.as_str() {
        "In" => label.is_some_and(|label| values.contains(label)),
        "NotIn" => !values.is_empty() && label.is_none_or(|label| !values.contains(label)),
        "Exists" => values.is_empty() && label.is_some(),
        "DoesNotExist" => values.is_empty() && label.is_none(),
        "Gt" => numbers(label, values).is_some_and(|(label, value)| label > value),
        "Lt" => numbers(label, values).is_some_and(|(label, value)| label < value),
        _ => false,
    }
}

/// A label and the one value that it is compared with, where both are whole numbers.
fn numbers(label: Option<&String>, values: &[String]) -> Option<(i64, i64)> {
    let [value] = values else { return None };
    Some((label?.parse().ok()?, value.parse().ok()?))
}

/// Nodes have one field, their name, which is held against one value.
fn of_name(requirement: &NodeSelectorRequirement, name: &str) -> bool {
    let Some([value]) = requirement.values.as_deref() else { return false };
    // A field that nodes do not have is empty.
    let field = if requirement.key == "metadata.name" { name } else { "" };
    match requirement.operator.as_str() {
        "In" => field == value,
        "NotIn" => field != value,
        _ => false,
    }
}
