//! What Git states against what the cluster has: only the fields that Git states, and those that it stated before.
//!
//! An object that agrees yields nothing, so a fleet that agrees costs no call. Nothing is judged here; that a change can be carried out is `plan`'s business.

use reef_api::VmKey;
use reef_api::names::{CONTROLLER_MANAGER, ORIGIN_ANNOTATION, REVISION_ANNOTATION, SOURCE_ANNOTATION};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What Git states of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// The manifest as it stands in the repository, with its namespace filled in.
    pub manifest: Value,
    /// `NAMESPACE/NAME` of the source that states it.
    pub source: String,
}

/// How an object differs from what Git states.
#[derive(Clone, Debug, PartialEq)]
pub enum Drift {
    /// It is not in the cluster.
    Missing,
    /// It agrees, and was never applied by Reef: applying it makes Reef a keeper of its fields.
    Unowned,
    /// These fields differ.
    Fields(Vec<FieldDrift>),
    /// Another source applied it; nothing is written.
    OtherSource(String),
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDrift {
    /// Path, as `spec.instance.memory.size`.
    pub path: String,
    /// What the cluster has.
    pub live: Option<Value>,
    /// What Git states; nothing where Git no longer states it.
    pub stated: Option<Value>,
}

/// Compares what Git states with what the cluster has, in the order of the keys.
pub fn diff<'a>(
    stated: impl IntoIterator<Item = (&'a VmKey, &'a Stated)>,
    live: &BTreeMap<VmKey, &Value>,
) -> BTreeMap<VmKey, Drift> {
    let pairs = stated.into_iter();
    pairs.filter_map(|(key, stated)| Some((key.clone(), drift(stated, live.get(key).copied())?))).collect()
}

/// Compares one object; nothing where it agrees.
pub fn drift(stated: &Stated, live: Option<&Value>) -> Option<Drift> {
    let Some(live) = live else { return Some(Drift::Missing) };
    let annotations = live.pointer("/metadata/annotations");
    let owner = annotations.and_then(|found| found.get(SOURCE_ANNOTATION)).and_then(Value::as_str);
    if let Some(other) = owner.filter(|owner| *owner != stated.source) {
        return Some(Drift::OtherSource(other.to_owned()));
    }
    let mut fields = Vec::new();
    for part in ["labels", "annotations"] {
        let stated = stated.manifest.pointer(&format!("/metadata/{part}")).unwrap_or(&Value::Null);
        let live = live.pointer(&format!("/metadata/{part}"));
        changed(&format!("metadata.{part}"), stated, live, &mut fields);
    }
    let spec = stated.manifest.get("spec").unwrap_or(&Value::Null);
    changed("spec", spec, live.get("spec"), &mut fields);
    let owned = owned_fields(live);
    if let Some(owned) = owned {
        let owned_spec = owned.get("f:spec").and_then(Value::as_object);
        dropped("spec", owned_spec, spec, live.get("spec"), &mut fields);
        for part in ["labels", "annotations"] {
            let stated = stated.manifest.pointer(&format!("/metadata/{part}")).unwrap_or(&Value::Null);
            let live = live.pointer(&format!("/metadata/{part}"));
            let owned = owned.pointer(&format!("/f:metadata/f:{part}")).and_then(Value::as_object).map(without_ours);
            dropped(&format!("metadata.{part}"), owned.as_ref(), stated, live, &mut fields);
        }
    }
    match (fields.is_empty(), owned) {
        (false, _) => Some(Drift::Fields(fields)),
        (true, None) => Some(Drift::Unowned),
        (true, Some(_)) => None,
    }
}

/// Fields that the cluster has otherwise than Git states them. Lists are compared as a whole.
fn changed(path: &str, stated: &Value, live: Option<&Value>, fields: &mut Vec<FieldDrift>) {
    match (stated, live) {
        (Value::Null, _) => {}
        (Value::Object(stated), Some(Value::Object(live))) => {
            for (name, value) in stated {
                changed(&format!("{path}.{name}"), value, live.get(name), fields);
            }
        }
        (stated, live) if live != Some(stated) => {
            fields.push(FieldDrift { path: path.to_owned(), live: live.cloned(), stated: Some(stated.clone()) });
        }
        _ => {}
    }
}

/// Fields that Reef applied before and that Git no longer states.
fn dropped(
    path: &str,
    owned: Option<&Map<String, Value>>,
    stated: &Value,
    live: Option<&Value>,
    fields: &mut Vec<FieldDrift>,
) {
    for (key, below) in owned.into_iter().flatten() {
        let Some(name) = key.strip_prefix("f:") else { continue };
        let path = format!("{path}.{name}");
        let live = live.and_then(|live| live.get(name));
        match stated.get(name) {
            None if live.is_some() => fields.push(FieldDrift { path, live: live.cloned(), stated: None }),
            None => {}
            Some(stated) => dropped(&path, below.as_object(), stated, live, fields),
        }
    }
}

/// Reef applies some annotations that Git never states.
fn without_ours(owned: &Map<String, Value>) -> Map<String, Value> {
    let ours = [REVISION_ANNOTATION, SOURCE_ANNOTATION, ORIGIN_ANNOTATION];
    let foreign = |key: &str| key.strip_prefix("f:").is_some_and(|name| !ours.contains(&name));
    owned.iter().filter(|(key, _)| foreign(key)).map(|(key, below)| (key.clone(), below.clone())).collect()
}

/// What `managedFields` says that Reef applied.
fn owned_fields(live: &Value) -> Option<&Value> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    let ours = |entry: &&Value| {
        entry.get("manager").and_then(Value::as_str) == Some(CONTROLLER_MANAGER)
            && entry.get("operation").and_then(Value::as_str) == Some("Apply")
            && entry.get("subresource").and_then(Value::as_str).unwrap_or_default().is_empty()
    };
    entries.iter().find(ours)?.get("fieldsV1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stated(spec: Value) -> Stated {
        Stated { manifest: json!({"metadata": {"name": "web-1"}, "spec": spec}), source: "web/fleet".to_owned() }
    }

    fn live(spec: &Value, owned: &Value) -> Value {
        json!({
            "metadata": {
                "name": "web-1",
                "annotations": {"reef.dev/source": "web/fleet"},
                "managedFields": [{"manager": "reef-controller", "operation": "Apply", "fieldsV1": {"f:spec": owned}}]
            },
            "spec": spec
        })
    }

    #[test]
    fn an_object_that_agrees_in_what_git_states_has_no_drift() {
        let live = live(&json!({"runPolicy": "Always", "defaulted": 1}), &json!({"f:runPolicy": {}}));
        assert_eq!(drift(&stated(json!({"runPolicy": "Always"})), Some(&live)), None);
    }

    #[test]
    fn a_field_that_differs_is_named_with_both_values() {
        let size = |size: &str| json!({"instance": {"memory": {"size": size}}});
        let live = live(&size("2Gi"), &json!({"f:instance": {"f:memory": {"f:size": {}}}}));
        let found = drift(&stated(size("4Gi")), Some(&live));
        let field = FieldDrift {
            path: "spec.instance.memory.size".to_owned(),
            live: Some(json!("2Gi")),
            stated: Some(json!("4Gi")),
        };
        assert_eq!(found, Some(Drift::Fields(vec![field])));
    }

    #[test]
    fn a_field_that_git_no_longer_states_is_dropped_but_not_one_of_somebody_else() {
        let spec = json!({"instance": {"cpu": {"max": 8, "min": 1}}});
        let live = live(&spec, &json!({"f:instance": {"f:cpu": {"f:max": {}}}}));
        let found = drift(&stated(json!({"instance": {"cpu": {}}})), Some(&live));
        let field = FieldDrift { path: "spec.instance.cpu.max".to_owned(), live: Some(json!(8)), stated: None };
        assert_eq!(found, Some(Drift::Fields(vec![field])));
    }

    #[test]
    fn a_label_that_git_no_longer_states_is_dropped_and_our_own_annotations_are_not() {
        let mut live = live(&json!({}), &json!({}));
        live["metadata"]["labels"] = json!({"tier": "gold", "theirs": "x"});
        live["metadata"]["managedFields"][0]["fieldsV1"] = json!({"f:metadata": {
            "f:labels": {".": {}, "f:tier": {}}, "f:annotations": {"f:reef.dev/source": {}, "f:reef.dev/revision": {}}}});
        let field = FieldDrift { path: "metadata.labels.tier".to_owned(), live: Some(json!("gold")), stated: None };
        assert_eq!(drift(&stated(json!({})), Some(&live)), Some(Drift::Fields(vec![field])));
    }

    #[test]
    fn an_object_of_another_source_is_not_compared() {
        let mut other = live(&json!({"runPolicy": "Once"}), &json!({}));
        other["metadata"]["annotations"]["reef.dev/source"] = json!("web/other");
        let found = drift(&stated(json!({"runPolicy": "Always"})), Some(&other));
        assert_eq!(found, Some(Drift::OtherSource("web/other".to_owned())));
    }

    #[test]
    fn missing_and_never_applied_objects_are_told_apart() {
        assert_eq!(drift(&stated(json!({})), None), Some(Drift::Missing));
        let plain = json!({"metadata": {"name": "web-1"}, "spec": {"runPolicy": "Always"}});
        assert_eq!(drift(&stated(json!({"runPolicy": "Always"})), Some(&plain)), Some(Drift::Unowned));
    }
}
