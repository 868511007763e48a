//! Label and field selectors: parsed from text, asked of objects. Pure.

use std::borrow::Cow;

use serde_json::Value;

use crate::store::{ApiError, At, ResourceKind};

/// One demand on a value that may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Demand {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl Demand {
    fn holds(&self, found: Option<&str>) -> bool {
        let number = || found.and_then(|text| text.parse::<i64>().ok());
        match self {
            Demand::In(values) => found.is_some_and(|found| values.iter().any(|value| value == found)),
            Demand::NotIn(values) => !found.is_some_and(|found| values.iter().any(|value| value == found)),
            Demand::Exists => found.is_some(),
            Demand::Absent => found.is_none(),
            Demand::Above(limit) => number().is_some_and(|number| number > *limit),
            Demand::Below(limit) => number().is_some_and(|number| number < *limit),
        }
    }
}

/// Which objects a list or watch is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Vec<(String, Demand)>,
    fields: Vec<(String, Demand)>,
}

impl Selector {
    /// Reads both selectors of a request; `extra` are the field labels beyond name and namespace.
    ///
    /// # Errors
    /// 400 for a selector that does not parse, or a field that cannot be selected by.
    pub fn parse(labels: Option<&str>, fields: Option<&str>, kind: &ResourceKind) -> Result<Self, ApiError> {
        let labels = parse_labels(labels.unwrap_or_default())?;
        let fields = parse_fields(fields.unwrap_or_default())?;
        let known = selectable_fields(kind);
        for (field, _) in &fields {
            if !known.contains(&field.as_str()) && !kind.selectable_fields.contains(field) {
                return Err(unknown_field(kind, field));
            }
        }
        Ok(Selector { labels, fields })
    }

    /// Whether it means every object.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The same selector, for one name alone.
    pub fn with_name(mut self, name: &str) -> Self {
        self.fields.push(("metadata.name".to_owned(), Demand::In(vec![name.to_owned()])));
        self
    }

    /// Whether the object is meant.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = object.at("/metadata/labels");
        let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        self.labels.iter().all(|(key, demand)| demand.holds(label(key)))
            && self.fields.iter().all(|(path, demand)| demand.holds(Some(&field(object, path))))
    }
}

/// Kinds that know no fields of their own are answered for in other words.
fn unknown_field(kind: &ResourceKind, field: &str) -> ApiError {
    let own = kind.custom || matches!(kind.plural.as_str(), "pods" | "events" | "nodes" | "namespaces" | "secrets");
    let message = if own {
        format!("field label not supported: {field}")
    } else {
        format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
    };
    ApiError::bad_request(message)
}

fn field<'a>(object: &'a Value, path: &str) -> Cow<'a, str> {
    // The source of an event is known by its component.
    let path = if path == "source" { "source.component" } else { path };
    let found = path.split('.').filter(|part| !part.is_empty()).try_fold(object, |value, part| value.get(part));
    match found {
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(Value::Null) | None => Cow::Borrowed(""),
        Some(other) => Cow::Owned(other.to_string()),
    }
}

fn selectable_fields(kind: &ResourceKind) -> Vec<&'static str> {
    let mut all = vec!["metadata.name", "metadata.namespace"];
    if !kind.custom {
        all.extend_from_slice(match kind.plural.as_str() {
            "pods" => &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "status.phase",
                "status.podIP",
                "status.nominatedNodeName",
            ],
            "events" => EVENT_FIELDS,
            "nodes" => &["spec.unschedulable"],
            "namespaces" => &["status.phase"],
            "secrets" => &["type"],
            _ => &[],
        });
    }
    all
}

const EVENT_FIELDS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "reason",
    "reportingComponent",
    "source",
    "type",
];

fn parse_fields(text: &str) -> Result<Vec<(String, Demand)>, ApiError> {
    text.split(',').filter(|term| !term.trim().is_empty()).map(parse_field).collect()
}

fn parse_field(term: &str) -> Result<(String, Demand), ApiError> {
    let one = |value: &str| vec![value.trim().to_owned()];
    // Both names of an event's subject mean the field that is stored.
    let key = |name: &str| name.trim().replacen("regarding.", "involvedObject.", 1);
    if let Some((name, value)) = term.split_once("!=") {
        return Ok((key(name), Demand::NotIn(one(value))));
    }
    match term.split_once("==").or_else(|| term.split_once('=')) {
        Some((name, value)) => Ok((key(name), Demand::In(one(value)))),
        None => Err(ApiError::bad_request(format!("invalid selector: '{term}'; can't understand '{term}'"))),
    }
}

fn parse_labels(text: &str) -> Result<Vec<(String, Demand)>, ApiError> {
    split_outside_brackets(text).into_iter().filter(|term| !term.trim().is_empty()).map(parse_label).collect()
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(move |letter| {
        match letter {
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    })
    .collect()
}

fn parse_label(term: &str) -> Result<(String, Demand), ApiError> {
    let term = term.trim();
    let bad = || ApiError::bad_request(format!("unable to parse requirement: found '{term}'"));
    let key = |name: &str| {
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) { Err(bad()) } else { Ok(name.to_owned()) }
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some(name) = term.strip_prefix('!') {
        return Ok((key(name)?, Demand::Absent));
    }
    if let Some(open) = term.strip_suffix(')') {
        return parse_set(open).ok_or_else(bad);
    }
    if let Some((name, value)) = term.split_once("!=") {
        return Ok((key(name)?, Demand::NotIn(one(value))));
    }
    if let Some((name, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Ok((key(name)?, Demand::In(one(value))));
    }
    if let Some((name, value)) = term.split_once('>') {
        return Ok((key(name)?, Demand::Above(value.trim().parse().map_err(|_| bad())?)));
    }
    if let Some((name, value)) = term.split_once('<') {
        return Ok((key(name)?, Demand::Below(value.trim().parse().map_err(|_| bad())?)));
    }
    Ok((key(term)?, Demand::Exists))
}

fn parse_set(open: &str) -> Option<(String, Demand)> {
    let (head, values) = open.split_once('(')?;
    let values = values.split(',').map(|value| value.trim().to_owned()).collect();
    let mut words = head.split_whitespace();
    let demand = match (words.next()?, words.next()?, words.next()) {
        (name, "in", None) => (name.to_owned(), Demand::In(values)),
        (name, "notin", None) => (name.to_owned(), Demand::NotIn(values)),
        _ => return None,
    };
    Some(demand)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{ResourceId, Store, StoreOptions};

    fn matches(labels: &str, fields: &str) -> Result<bool, ApiError> {
        let store = Store::new(StoreOptions::new(1, std::sync::Arc::new(jiff::Timestamp::default)));
        let kind = store.kind(&ResourceId::core("pods")).unwrap();
        let pod = json!({
            "metadata": { "name": "p", "namespace": "a", "labels": { "app": "web", "tier": "1" } },
            "spec": { "nodeName": "n1" }, "status": { "phase": "Running" },
        });
        Ok(Selector::parse(Some(labels), Some(fields), &kind)?.matches(&pod))
    }

    #[test]
    fn label_selectors_mean_what_the_server_means() {
        let yes = [
            "",
            "app=web",
            "app==web",
            "app!=db",
            "app in (db, web)",
            "app notin (db),tier",
            "!gone",
            "gone!=x",
            "tier>0",
            "app,tier<2",
        ];
        let no = ["app=db", "app!=web", "app in (db)", "app notin (web)", "gone", "!app", "gone=x", "tier>1"];
        yes.iter().for_each(|text| assert_eq!(matches(text, ""), Ok(true), "{text}"));
        no.iter().for_each(|text| assert_eq!(matches(text, ""), Ok(false), "{text}"));
        for bad in ["app in web)", "a b", "tier>x"] {
            assert_eq!(matches(bad, "").unwrap_err().code(), 400, "{bad}");
        }
    }

    #[test]
    fn field_selectors_know_their_fields() {
        assert_eq!(matches("", "metadata.name=p,spec.nodeName=n1,status.phase!=Failed"), Ok(true));
        assert_eq!(matches("", "spec.nodeName=n2"), Ok(false));
        assert_eq!(matches("", "spec.nodeName="), Ok(false));
        assert_eq!(matches("", "spec.color=red").unwrap_err().message, "field label not supported: spec.color");
    }
}
