//! Looking into a JSON value by a path, for paths that are written in code: no name in them has a slash or a tilde.

use serde_json::Value;

/// A value that is looked into by a path.
pub trait At {
    /// What is at a path such as `/metadata/name`: [`Value::pointer`] without its escapes, for which that one makes two texts of each name.
    fn at(&self, path: &str) -> Option<&Value>;
}

impl At for Value {
    fn at(&self, path: &str) -> Option<&Value> {
        path.split('/').skip(1).try_fold(self, |value, name| match value {
            Value::Object(map) => map.get(name),
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_where_a_pointer_does() {
        let value = json!({ "a": { "b": [1, { "c": "d" }] }, "": 2 });
        for path in ["", "/", "/a", "/a/b", "/a/b/1", "/a/b/1/c", "/a/b/2", "/a/b/c", "/a/c", "/b", "/a/b/0/x"] {
            assert_eq!(value.at(path), value.pointer(path), "{path}");
        }
    }
}
