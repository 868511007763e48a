//! The few changes that are made to an object on its way in, as a JSON Patch. Nothing else of the object is touched or written anew.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation};
use serde_json::{Map, Value};

/// A JSON Patch in the making; later changes see the earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch(Vec<PatchOperation>);

impl Patch {
    /// Sets a value in an object of the document, or replaces it. The object is made where it is not there.
    pub fn set(&mut self, object: &Value, parent: &[&str], key: &str, value: Value) {
        let found = parent.iter().try_fold(object, |value, name| value.get(name));
        if !found.is_some_and(Value::is_object) {
            self.add(parent, Value::Object(Map::new()));
        }
        self.add(&[parent, &[key]].concat(), value);
    }

    /// Takes a value out of an object of the document, where it is there.
    pub fn unset(&mut self, object: &Value, path: &[&str]) {
        if path.iter().try_fold(object, |value, name| value.get(name)).is_some() {
            self.0.push(PatchOperation::Remove(RemoveOperation { path: pointer(path) }));
        }
    }

    /// The operations; none where nothing changes.
    pub fn operations(self) -> Vec<PatchOperation> {
        self.0
    }

    fn add(&mut self, path: &[&str], value: Value) {
        self.0.push(PatchOperation::Add(AddOperation { path: pointer(path), value }));
    }
}

/// Names of keys are escaped by the pointer itself.
fn pointer(path: &[&str]) -> PointerBuf {
    PointerBuf::from_tokens(path.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(mut object: Value, change: impl Fn(&mut Patch, &Value)) -> Value {
        let mut patch = Patch::default();
        change(&mut patch, &object);
        json_patch::patch(&mut object, &json_patch::Patch(patch.operations())).unwrap();
        object
    }

    #[test]
    fn keys_with_slashes_and_tildes_and_missing_parents_are_set() {
        let set = |patch: &mut Patch, object: &Value| {
            patch.set(object, &["metadata", "annotations"], "reef.dev/a~b", json!("c"));
        };
        let wanted = json!({"metadata": {"name": "x", "annotations": {"reef.dev/a~b": "c"}}});
        assert_eq!(patched(json!({"metadata": {"name": "x"}}), set), wanted);
        assert_eq!(patched(json!({"metadata": {"name": "x", "annotations": null}}), set), wanted);
    }

    #[test]
    fn what_is_not_there_is_not_taken_out() {
        let unset = |patch: &mut Patch, object: &Value| patch.unset(object, &["a", "b/c"]);
        assert_eq!(patched(json!({"a": {"b/c": 1, "d": 2}}), unset), json!({"a": {"d": 2}}));
        assert_eq!(patched(json!({"a": {}}), unset), json!({"a": {}}));
    }
}
