//! What is wrong with a policy by itself, and with two of them together.

use std::fmt::Display;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use reef_api::validate::violation;
use reef_api::{SizingPolicySpec, Violation};

const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

/// Everything that makes a policy unusable or impossible to fulfil. Rules of one's own are looked at by [`check`](crate::check).
pub fn unsound(spec: &SizingPolicySpec) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, range) in [("spec.bounds", spec.bounds), ("spec.boot", spec.boot)] {
        let range = range.unwrap_or_default();
        let (least, most) = (range.min.unwrap_or_default(), range.max.unwrap_or_default());
        found.extend(reversed(path, least.vcpus, most.vcpus));
        found.extend(reversed(path, least.memory, most.memory));
    }
    let ratio = spec.memory_per_vcpu.unwrap_or_default();
    found.extend(reversed("spec.memoryPerVcpu", ratio.min, ratio.max));
    let step = spec.step.unwrap_or_default();
    if step.vcpus.is_some_and(|step| step.0 == 0) || step.memory.is_some_and(|step| step.0 == 0) {
        found.push(violation("spec.step", 0, "a step is at least 1", "state a positive step, or leave it out"));
    }
    found.extend(
        spec.selector
            .as_ref()
            .and_then(|selector| selector.match_expressions.as_ref())
            .map_or_else(Vec::new, |requirements| requirements.iter().filter_map(unusable).collect()),
    );
    found
}

fn reversed<T: PartialOrd + Display>(path: &'static str, least: Option<T>, most: Option<T>) -> Option<Violation> {
    let (least, most) = (least?, most?);
    (least > most).then(|| {
        violation(path, format!("from {least} to {most}"), "no size lies in it", "state a min that is no more than max")
    })
}

fn unusable(requirement: &LabelSelectorRequirement) -> Option<Violation> {
    const PATH: &str = "spec.selector.matchExpressions";
    let LabelSelectorRequirement { key, operator, values } = requirement;
    if !OPERATORS.contains(&operator.as_str()) {
        let found = format!("{operator:?} of {key}");
        return Some(violation(PATH, found, "there are In, NotIn, Exists and DoesNotExist", "use one of these"));
    }
    let listed = values.as_ref().is_some_and(|values| !values.is_empty());
    let wanted = operator.as_str() == "In" || operator.as_str() == "NotIn";
    (listed != wanted).then(|| {
        let (limit, remedy) =
            if wanted { ("it needs values", "list them") } else { ("it takes no values", "leave them out") };
        violation(
            PATH,
            format!("{operator} of {key} {}", if listed { "with values" } else { "without values" }),
            limit,
            remedy,
        )
    })
}

/// How two policies of one namespace stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// No VM gets both, or one of them is more specific wherever both match.
    None,
    /// A VM that both match would have no policy: they are equally specific, and nothing keeps them apart.
    Possible,
    /// Every VM of one is a VM of the other, at the same specificity.
    Certain,
}

/// Compares the selectors of two policies.
pub fn overlap(one: Option<&LabelSelector>, other: Option<&LabelSelector>) -> Overlap {
    let (one, other) = (requirements(one), requirements(other));
    if one.len() != other.len() || one.iter().any(|wanted| other.iter().any(|against| excludes(wanted, against))) {
        return Overlap::None;
    }
    if one.iter().all(|wanted| other.contains(wanted)) { Overlap::Certain } else { Overlap::Possible }
}

/// A selector as one list, each label that it names as the requirement that it stands for.
fn requirements(selector: Option<&LabelSelector>) -> Vec<LabelSelectorRequirement> {
    let Some(selector) = selector else { return Vec::new() };
    let of_label = |(key, value): (&String, &String)| LabelSelectorRequirement {
        key: key.clone(),
        operator: "In".to_owned(),
        values: Some(vec![value.clone()]),
    };
    let labels = selector.match_labels.iter().flatten().map(of_label);
    labels.chain(selector.match_expressions.iter().flatten().cloned()).collect()
}

/// Whether no label can fulfil both.
fn excludes(one: &LabelSelectorRequirement, other: &LabelSelectorRequirement) -> bool {
    if one.key != other.key {
        return false;
    }
    let values = |requirement: &LabelSelectorRequirement| requirement.values.clone().unwrap_or_default();
    match (one.operator.as_str(), other.operator.as_str()) {
        ("In", "In") => !values(one).iter().any(|value| values(other).contains(value)),
        ("In", "NotIn") => values(one).iter().all(|value| values(other).contains(value)),
        ("NotIn", "In") => values(other).iter().all(|value| values(one).contains(value)),
        ("In" | "Exists", "DoesNotExist") | ("DoesNotExist", "In" | "Exists") => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selector(value: serde_json::Value) -> LabelSelector {
        serde_json::from_value(value).unwrap()
    }

    fn spec(value: serde_json::Value) -> SizingPolicySpec {
        serde_json::from_value(value).unwrap()
    }

    fn told(value: serde_json::Value) -> Vec<String> {
        unsound(&spec(value)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_policy_is_not_complained_about() {
        let sound = json!({
            "selector": {"matchLabels": {"team": "db"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]},
            "bounds": {"min": {"vcpus": 1, "memory": "1Gi"}, "max": {"vcpus": 1, "memory": "1Gi"}},
            "step": {"memory": "1Gi"},
        });
        assert_eq!(told(sound), Vec::<String>::new());
    }

    #[test]
    fn what_no_size_can_fulfil_is_told_with_its_path() {
        let found = told(json!({
            "bounds": {"min": {"vcpus": 4, "memory": "2Gi"}, "max": {"vcpus": 2, "memory": "1Gi"}},
            "memoryPerVcpu": {"min": "4Gi", "max": "2Gi"},
            "step": {"vcpus": 0},
        }));
        assert_eq!(
            found,
            [
                "spec.bounds is from 4 to 2, but no size lies in it; state a min that is no more than max",
                "spec.bounds is from 2Gi to 1Gi, but no size lies in it; state a min that is no more than max",
                "spec.memoryPerVcpu is from 4Gi to 2Gi, but no size lies in it; state a min that is no more than max",
                "spec.step is 0, but a step is at least 1; state a positive step, or leave it out",
            ]
        );
    }

    #[test]
    fn a_selector_that_can_match_nothing_by_mistake_is_told() {
        let found = told(json!({"selector": {"matchExpressions": [
            {"key": "a", "operator": "in", "values": ["x"]},
            {"key": "b", "operator": "In"},
            {"key": "c", "operator": "Exists", "values": ["x"]},
        ]}}));
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn only_equally_specific_selectors_that_can_meet_overlap() {
        let db = selector(json!({"matchLabels": {"team": "db"}}));
        let same = selector(json!({"matchExpressions": [{"key": "team", "operator": "In", "values": ["db"]}]}));
        let web = selector(json!({"matchLabels": {"team": "web"}}));
        let gold = selector(json!({"matchLabels": {"tier": "gold"}}));
        let both = selector(json!({"matchLabels": {"team": "db", "tier": "gold"}}));
        let not_db = selector(json!({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["db"]}]}));
        let with = |other: &LabelSelector| overlap(Some(&db), Some(other));
        assert_eq!(
            [&same, &web, &gold, &both, &not_db].map(with),
            [Overlap::Certain, Overlap::None, Overlap::Possible, Overlap::None, Overlap::None]
        );
        assert_eq!(overlap(None, None), Overlap::Certain);
        assert_eq!(overlap(None, Some(&db)), Overlap::None);
    }
}
