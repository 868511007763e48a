//! What of a change touches fields that Git states: those that the controller owns by its last apply.

use reef_api::names::CONTROLLER_MANAGER;
use serde_json::{Map, Value};

/// Paths of the fields that Git states and that differ, as `spec.instance.memory.size`. `old` is the object as the cluster has it.
pub fn changed(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for owned in applied(old) {
        compare(old, new, owned, "", &mut found);
    }
    found
}

/// The fields that the controller applied.
fn applied(object: &Value) -> impl Iterator<Item = &Value> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let ours = |entry: &&Value| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        text("manager") == Some(CONTROLLER_MANAGER)
            && text("operation") == Some("Apply")
            && text("subresource").is_none_or(str::is_empty)
    };
    entries.into_iter().flatten().filter(ours).filter_map(|entry| entry.get("fieldsV1"))
}

/// Walks along what is owned; an item of a list is looked at as a part of the list.
fn compare(old: &Value, new: &Value, owned: &Value, path: &str, found: &mut Vec<String>) {
    let Some(fields) = owned.as_object() else { return };
    for (key, below) in fields {
        let Some(name) = key.strip_prefix("f:") else { continue };
        let (before, after) = (old.get(name), new.get(name));
        if before == after {
            continue;
        }
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match (before, after) {
            (Some(Value::Object(_)), Some(Value::Object(_))) if !is_leaf(below) => {
                compare(before.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null), below, &path, found);
            }
            _ => found.push(path),
        }
    }
}

/// Whether the owner owns the value as a whole.
fn is_leaf(fields: &Value) -> bool {
    fields.as_object().is_none_or(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn old() -> Value {
        let fields = json!({
            "f:metadata": {"f:labels": {"f:team": {}}},
            "f:spec": {
                "f:instance": {"f:memory": {"f:size": {}}, "f:disks": {"k:{\"name\":\"root\"}": {"f:name": {}}}},
                "f:nodeSelector": {},
            },
        });
        json!({
            "metadata": {
                "labels": {"team": "web", "other": "x"},
                "managedFields": [
                    {"manager": "reef-controller", "operation": "Apply", "fieldsV1": fields},
                    {"manager": "reef-controller", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:spec": {"f:runPolicy": {}}}},
                    {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:vmm": {}}}},
                ],
            },
            "spec": {
                "instance": {"cpu": {"sockets": 1}, "memory": {"size": "1Gi", "max": "4Gi"}, "disks": [{"name": "root"}]},
                "nodeSelector": {"a": "b"}, "runPolicy": "Once", "vmm": "QEMU",
            },
        })
    }

    fn changed_by(patch: Value) -> Vec<String> {
        let mut new = old();
        json_patch::merge(&mut new, &patch);
        changed(&old(), &new)
    }

    #[test]
    fn only_what_git_states_is_a_change_of_what_git_states() {
        let none: Vec<String> = Vec::new();
        assert_eq!(
            changed_by(
                json!({"spec": {"instance": {"cpu": {"sockets": 2}, "memory": {"max": "8Gi"}}, "vmm": null, "runPolicy": "Halted"}})
            ),
            none
        );
        assert_eq!(changed_by(json!({"metadata": {"labels": {"other": "y"}}})), none);
        assert_eq!(
            changed_by(json!({"spec": {"instance": {"memory": {"size": "2Gi"}}}})),
            ["spec.instance.memory.size"]
        );
        assert_eq!(changed_by(json!({"spec": {"instance": {"memory": null}}})), ["spec.instance.memory"]);
        assert_eq!(
            changed_by(json!({"spec": {"instance": {"disks": []}, "nodeSelector": {"c": "d"}}})),
            ["spec.instance.disks", "spec.nodeSelector"]
        );
        assert_eq!(changed_by(json!({"metadata": {"labels": {"team": null}}})), ["metadata.labels.team"]);
    }

    #[test]
    fn odd_owners_are_no_owners() {
        for odd in [
            json!({}),
            json!({"metadata": {"managedFields": 3}}),
            json!({"metadata": {"managedFields": [7, {"manager": "reef-controller", "operation": "Apply", "fieldsV1": []}]}}),
        ] {
            assert_eq!(changed(&odd, &json!({"spec": {}})), Vec::<String>::new());
        }
    }
}
