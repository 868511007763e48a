//! What a state of the repository states against what the cluster has, object by object: what the controller would write, and nothing else.
//!
//! Pure, and decided by the comparison that the controller itself applies by (`decide::diff`).

use std::collections::BTreeMap;

use reef_api::VmKey;
use reef_api::names::{ORIGIN_ANNOTATION, REVISION_ANNOTATION, SOURCE_ANNOTATION};
use serde_json::{Map, Value, json};

use crate::decide::diff::{Drift, FieldDrift, Stated, drift};
use crate::desired::{Desired, Kind, ObjectName, Origin};
use crate::packed::Packed;

/// How an object differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not in the cluster.
    Missing,
    /// Fields differ.
    Fields,
    /// Another GitSource applies it, so that nothing would be written.
    OtherSource(String),
    /// The source has applied it and the repository no longer states it: it is kept.
    Kept,
}

/// An object that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectDrift {
    /// Kind, namespace and name.
    pub name: ObjectName,
    /// Where the repository states it, or did.
    pub origin: String,
    /// How it differs.
    pub change: Change,
    /// The object as the cluster has it, without what the cluster or Reef itself adds; null where it is missing.
    pub live: Value,
    /// The object as it would become; null where it is not touched.
    pub merged: Value,
}

/// Compares. `live` has the objects of the cluster by their name; `source` is the GitSource that applies the repository, where that is known.
pub fn drifts(head: &Desired, live: &BTreeMap<ObjectName, Value>, source: Option<&str>) -> Vec<ObjectDrift> {
    let named = |kind, key: &VmKey| ObjectName { kind, namespace: key.namespace.clone(), name: key.name.clone() };
    let vms = head.vms.iter().map(|(key, vm)| (named(Kind::VirtualMachine, key), &vm.manifest, &vm.origin));
    let policies =
        head.policies.iter().map(|(key, policy)| (named(Kind::SizingPolicy, key), &policy.manifest, &policy.origin));
    let mut stated: BTreeMap<ObjectName, (&Packed, &Origin)> = BTreeMap::new();
    stated.extend(vms.chain(policies).map(|(name, manifest, origin)| (name, (manifest, origin))));
    let differing = stated
        .iter()
        .filter_map(|(name, (manifest, origin))| one(name, &manifest.value(), origin, live.get(name), source));
    let unread = |name: &ObjectName| head.problems.iter().any(|problem| problem.object.as_ref() == Some(name));
    let kept = live.iter().filter(|(name, object)| {
        source.is_some() && owner(object) == source && !stated.contains_key(*name) && !unread(name)
    });
    let kept = kept.map(|(name, object)| ObjectDrift {
        name: name.clone(),
        origin: annotation(object, ORIGIN_ANNOTATION).unwrap_or_default().to_owned(),
        change: Change::Kept,
        live: shown(name, object),
        merged: Value::Null,
    });
    let mut drifts: Vec<ObjectDrift> = differing.chain(kept).collect();
    drifts.sort_by(|one, other| one.name.cmp(&other.name));
    drifts
}

fn one(
    name: &ObjectName,
    manifest: &Value,
    origin: &Origin,
    live: Option<&Value>,
    source: Option<&str>,
) -> Option<ObjectDrift> {
    let keeper = source.or(live.and_then(owner)).unwrap_or_default();
    let before = live.map(|live| shown(name, live)).unwrap_or_default();
    let stated = Stated { manifest: manifest.clone(), source: keeper.to_owned() };
    let (change, merged) = match drift(&stated, live)? {
        Drift::Unowned => return None,
        Drift::Missing => (Change::Missing, shown(name, manifest)),
        Drift::OtherSource(other) => (Change::OtherSource(other), Value::Null),
        Drift::Fields(fields) => (Change::Fields, merged(&before, &shown(name, manifest), &fields)),
    };
    Some(ObjectDrift { name: name.clone(), origin: origin.to_string(), change, live: before, merged })
}

/// The parts of an object that people write.
fn shown(name: &ObjectName, object: &Value) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(name.name));
    metadata.insert("namespace".to_owned(), json!(name.namespace));
    for part in ["labels", "annotations"] {
        let Some(entries) = object.pointer(&format!("/metadata/{part}")).and_then(Value::as_object) else { continue };
        let ours = [REVISION_ANNOTATION, SOURCE_ANNOTATION, ORIGIN_ANNOTATION];
        let entries = entries.iter().filter(|(key, _)| !ours.contains(&key.as_str()));
        let entries: Map<String, Value> = entries.map(|(key, value)| (key.clone(), value.clone())).collect();
        if !entries.is_empty() {
            metadata.insert(part.to_owned(), Value::Object(entries));
        }
    }
    let spec = object.get("spec").cloned().unwrap_or_default();
    json!({ "kind": name.kind.to_string(), "metadata": metadata, "spec": spec })
}

/// What comes of applying: what is stated in its place, what is no longer stated left out, everything else as it is.
fn merged(live: &Value, stated: &Value, fields: &[FieldDrift]) -> Value {
    let mut merged = live.clone();
    put(&mut merged, stated);
    for field in fields.iter().filter(|field| field.stated.is_none()) {
        remove(&mut merged, &field.path);
    }
    merged
}

fn put(into: &mut Value, stated: &Value) {
    match (into, stated) {
        (Value::Object(into), Value::Object(stated)) => {
            for (name, value) in stated.iter().filter(|(_, value)| !value.is_null()) {
                put(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, stated) => *into = stated.clone(),
    }
}

/// Names of fields may have dots in them, so a path is followed by the names that are there.
fn remove(value: &mut Value, path: &str) {
    let Some(fields) = value.as_object_mut() else { return };
    if fields.remove(path).is_some() {
        return;
    }
    for (name, below) in fields.iter_mut() {
        if let Some(rest) = path.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.')) {
            remove(below, rest);
        }
    }
}

fn owner(object: &Value) -> Option<&str> {
    annotation(object, SOURCE_ANNOTATION)
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::desired::{DesiredVm, Since};

    fn name() -> ObjectName {
        ObjectName { kind: Kind::VirtualMachine, namespace: "vms".to_owned(), name: "web-1".to_owned() }
    }

    fn head(manifest: &Value) -> Desired {
        let origin = Origin { file: Arc::from("web.yaml"), document: 1, line: 1, column: 0 };
        let revision = Arc::from("c");
        let vm = DesiredVm { manifest: Packed::from(manifest), origin, revision, since: Since::Unknown };
        Desired { vms: BTreeMap::from([(name().key(), Arc::new(vm))]), ..Desired::default() }
    }

    fn live(spec: &Value) -> BTreeMap<ObjectName, Value> {
        let object = json!({
            "metadata": {
                "name": "web-1", "namespace": "vms", "uid": "1", "labels": { "tier.example.com/a": "gold", "theirs": "x" },
                "annotations": { "reef.dev/source": "vms/fleet", "reef.dev/origin": "old.yaml:3" },
                "managedFields": [{ "manager": "reef-controller", "operation": "Apply", "fieldsV1": {
                    "f:metadata": { "f:labels": { "f:tier.example.com/a": {} } }, "f:spec": { "f:runPolicy": {} } } }]
            },
            "spec": spec, "status": { "phase": "Running" }
        });
        BTreeMap::from([(name(), object)])
    }

    fn stated(spec: &Value) -> Desired {
        head(&json!({ "kind": "VirtualMachine", "metadata": { "name": "web-1", "namespace": "vms" }, "spec": spec }))
    }

    #[test]
    fn what_is_no_longer_stated_goes_and_what_others_set_stays() {
        let spec = json!({ "runPolicy": "Always", "theirs": 1 });
        let found = drifts(&stated(&json!({ "runPolicy": "Once" })), &live(&spec), None);
        let [found] = found.as_slice() else { panic!("{found:?}") };
        let object = |labels: Value, spec: Value| {
            let metadata = json!({ "name": "web-1", "namespace": "vms", "labels": labels });
            json!({ "kind": "VirtualMachine", "metadata": metadata, "spec": spec })
        };
        assert_eq!((&found.change, found.origin.as_str()), (&Change::Fields, "web.yaml:1"));
        assert_eq!(found.live, object(json!({ "tier.example.com/a": "gold", "theirs": "x" }), spec));
        assert_eq!(found.merged, object(json!({ "theirs": "x" }), json!({ "runPolicy": "Once", "theirs": 1 })));
    }

    #[test]
    fn missing_foreign_and_kept_objects_are_told_apart() {
        let spec = json!({ "runPolicy": "Always" });
        let changes =
            |found: Vec<ObjectDrift>| -> Vec<Change> { found.into_iter().map(|found| found.change).collect() };
        assert_eq!(changes(drifts(&stated(&spec), &BTreeMap::new(), None)), [Change::Missing]);
        let other = drifts(&stated(&spec), &live(&spec), Some("vms/other"));
        assert_eq!(changes(other), [Change::OtherSource("vms/fleet".to_owned())]);
        let kept = drifts(&Desired::default(), &live(&spec), Some("vms/fleet"));
        assert_eq!(
            (kept.first().map(|kept| kept.origin.as_str()), changes(kept.clone())),
            (Some("old.yaml:3"), vec![Change::Kept])
        );
        assert_eq!(drifts(&Desired::default(), &live(&spec), None), []);
    }
}
