//! Required node affinity as kube-scheduler applies it (component-helpers, `nodeaffinity`). What is preferred, and affinities between Pods, are left out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::store::At;

/// The terms of a Pod's required node affinity, of which one has to match; none where it requires nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAffinity(Option<Vec<Term>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: String,
    values: Vec<String>,
}

impl NodeAffinity {
    /// Reads it of a Pod.
    #[must_use]
    pub fn parse(pod: &Value) -> Self {
        let required = pod.at("/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution");
        Self(required.map(|required| list(required, "nodeSelectorTerms").map(Term::parse).collect()))
    }

    /// Whether a node is one of those that it requires.
    #[must_use]
    pub fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.0.as_ref().is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
    }
}

impl Term {
    fn parse(term: &Value) -> Self {
        let all = |field| list(term, field).map(Requirement::parse).collect();
        Self { labels: all("matchExpressions"), fields: all("matchFields") }
    }

    /// A term without a requirement selects nothing.
    fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        let is_empty = self.labels.is_empty() && self.fields.is_empty();
        !is_empty
            && self.labels.iter().all(|it| it.of_label(labels.get(&it.key).map(String::as_str)))
            && self.fields.iter().all(|it| it.of_field(if it.key == "metadata.name" { name } else { "" }))
    }
}

impl Requirement {
    fn parse(requirement: &Value) -> Self {
        let text = |field| requirement.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let values = list(requirement, "values").filter_map(Value::as_str).map(str::to_owned).collect();
        Self { key: text("key"), operator: text("operator"), values }
    }

    /// A requirement that cannot be spoils its term.
    fn of_label(&self, label: Option<&str>) -> bool {
        let listed = |label: &str| self.values.iter().any(|value| value == label);
        let compared = |holds: fn(i64, i64) -> bool| match (label, self.values.as_slice()) {
            (Some(label), [value]) => {
                label.parse().ok().zip(value.parse().ok()).is_some_and(|(one, two)| holds(one, two))
            }
            _ => false,
        };
        match (self.operator.as_str(), self.values.is_empty()) {
            ("In", false) => label.is_some_and(listed),
            ("NotIn", false) => !label.is_some_and(listed),
            ("Exists", true) => label.is_some(),
            ("DoesNotExist", true) => label.is_none(),
            ("Gt", false) => compared(|label, value| label > value),
            ("Lt", false) => compared(|label, value| label < value),
            _ => false,
        }
    }

    /// Fields know two operators, each with one value.
    fn of_field(&self, field: &str) -> bool {
        match (self.operator.as_str(), self.values.as_slice()) {
            ("In", [value]) => field == value,
            ("NotIn", [value]) => field != value,
            _ => false,
        }
    }
}

fn list<'v>(object: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matches(terms: Value) -> [bool; 2] {
        let required = json!({ "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } });
        let affinity = NodeAffinity::parse(&json!({ "spec": { "affinity": { "nodeAffinity": required } } }));
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        [("a", labels(&[("pool", "a"), ("rack", "7")])), ("b", labels(&[("pool", "b")]))]
            .map(|(name, labels)| affinity.matches(name, &labels))
    }

    fn one(key: &str, operator: &str, values: &[&str]) -> Value {
        json!({ "key": key, "operator": operator, "values": values })
    }

    #[test]
    fn each_operator_has_its_meaning_and_what_cannot_be_matches_nothing() {
        let of =
            |operator: &str, values: &[&str]| matches(json!([{ "matchExpressions": [one("rack", operator, values)] }]));
        assert_eq!(of("In", &["7", "8"]), [true, false]);
        assert_eq!(of("NotIn", &["7"]), [false, true]);
        assert_eq!(of("Exists", &[]), [true, false]);
        assert_eq!(of("DoesNotExist", &[]), [false, true]);
        assert_eq!((of("Gt", &["6"]), of("Lt", &["6"])), ([true, false], [false, false]));
        for (operator, values) in [("In", &[][..]), ("Exists", &["7"][..]), ("Gt", &["1", "2"][..]), ("Is", &["7"][..])]
        {
            assert_eq!(of(operator, values), [false, false], "{operator}");
        }
    }

    #[test]
    fn one_term_is_enough_each_of_its_requirements_counts_and_an_empty_one_selects_nothing() {
        let (first, second) = (one("pool", "In", &["a"]), one("metadata.name", "In", &["b"]));
        assert_eq!(matches(json!([{ "matchExpressions": [first] }, { "matchFields": [second] }])), [true, true]);
        assert_eq!(matches(json!([{ "matchExpressions": [first], "matchFields": [second] }])), [false, false]);
        assert_eq!(matches(json!([{}])), [false, false]);
        assert!(NodeAffinity::parse(&json!({ "spec": {} })).matches("a", &BTreeMap::new()));
    }
}
