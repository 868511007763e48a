//! What holds of ownership whatever managers do, in any order.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::set::{FieldSet, Step};
use super::walk::{fields_of, step_to};
use super::*;
use crate::store::{ResourceId, ResourceKind, Store, StoreOptions};

fn kind() -> ResourceKind {
    let store = Store::new(StoreOptions::new(1, Arc::new(jiff::Timestamp::default)));
    let mut kind = ResourceKind::clone(&store.kind(&ResourceId::core("configmaps")).unwrap());
    let schema = json!({ "type": "object", "properties": { "spec": { "type": "object", "properties": {
        "a": { "type": "integer" }, "b": { "type": "integer" },
        "inner": { "type": "object", "properties": { "c": { "type": "integer" } } },
        "list": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
            "items": { "type": "object", "properties": { "type": { "type": "string" }, "n": { "type": "integer" }, "m": { "type": "integer" } } } },
        "set": { "type": "array", "x-kubernetes-list-type": "set" },
        "whole": { "type": "array" },
    } } } });
    kind.shape = Arc::new(Shape::of_schema(&schema));
    kind.custom = true;
    kind
}

fn number() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(0..3_i64)
}

fn object(fields: Vec<(&str, Option<Value>)>) -> Value {
    Value::Object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn spec() -> impl Strategy<Value = Value> {
    let item = (prop::sample::select(vec!["x", "y"]), number(), number());
    let items = prop::collection::btree_map(item.0, (item.1, item.2), 0..3);
    let set = prop::option::of(prop::collection::btree_set(0..3_i64, 1..3));
    (number(), number(), number(), items, set, prop::option::of(prop::collection::vec(0..3_i64, 0..3))).prop_map(
        |(a, b, c, items, set, whole)| {
            let item = |(name, (n, m)): (&str, (Option<i64>, Option<i64>))| {
                object(vec![("type", Some(json!(name))), ("n", n.map(Into::into)), ("m", m.map(Into::into))])
            };
            let list: Vec<Value> = items.into_iter().map(item).collect();
            object(vec![
                ("a", a.map(Into::into)),
                ("b", b.map(Into::into)),
                ("inner", c.map(|c| json!({ "c": c }))),
                ("list", (!list.is_empty()).then(|| json!(list))),
                ("set", set.map(|set| json!(set))),
                ("whole", whole.map(|whole| json!(whole))),
            ])
        },
    )
}

#[derive(Debug, Clone)]
enum Act {
    Apply { manager: &'static str, spec: Value, force: bool },
    Replace { manager: &'static str, spec: Value },
}

fn act() -> impl Strategy<Value = Act> {
    let manager = prop::sample::select(vec!["one", "two", "three"]);
    prop_oneof![
        3 => (manager.clone(), spec(), any::<bool>()).prop_map(|(manager, spec, force)| Act::Apply { manager, spec, force }),
        1 => (manager, spec()).prop_map(|(manager, spec)| Act::Replace { manager, spec }),
    ]
}

fn writer(manager: &str) -> Writer {
    Writer { manager: manager.to_owned(), api_version: "x.dev/v1".to_owned(), subresource: None }
}

type Live = (Value, Owners);

fn applied(kind: &ResourceKind, live: &Live, manager: &str, spec: &Value, force: bool) -> Option<Live> {
    let force = if force { Force::Take } else { Force::Refuse };
    let now = jiff::Timestamp::default();
    let before = Some((&live.0, &live.1));
    let (after, claim) = apply(kind, before, &json!({ "spec": spec }), &writer(manager), force, now).ok()?;
    let owners = claim.finish(Some(&live.0), &after, now);
    Some((after, owners))
}

/// Whether a path leads to something.
fn exists(value: &Value, path: &[Step], shape: &Shape) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    match (first, value) {
        (Step::Field(name), Value::Object(map)) => {
            map.get(&**name).is_some_and(|inner| exists(inner, rest, shape.field(name)))
        }
        (step, Value::Array(items)) => {
            items.iter().any(|item| step_to(item, &shape.list) == *step && exists(item, rest, shape.item()))
        }
        _ => false,
    }
}

fn check(kind: &ResourceKind, (object, owners): &Live) {
    assert_eq!(Owners::stated_in(&owners.shown_in(object)), *owners);
    for entry in owners.entries() {
        for path in entry.fields.paths() {
            assert!(
                exists(object, &path, &kind.shape),
                "{} owns {} of {object}",
                entry.manager,
                super::set::shown(&path)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// An owner's fields are there; an apply gets what it stated, owns exactly that, and does nothing the second time.
    #[test]
    fn managers_own_what_is_there_and_get_what_they_state(acts in prop::collection::vec(act(), 1..12)) {
        let kind = kind();
        let mut live = (json!({ "metadata": { "name": "a" }, "spec": {} }), Owners::default());
        for act in acts {
            match act {
                Act::Replace { manager, spec } => {
                    let mut after = live.0.clone();
                    after["spec"] = spec;
                    let before = Some((&live.0, &live.1));
                    let owners = track(&kind, before, &mut after, &writer(manager), jiff::Timestamp::default());
                    live = (after, owners);
                }
                Act::Apply { manager, spec, force } => {
                    let Some(after) = applied(&kind, &live, manager, &spec, force) else {
                        prop_assert!(!force, "a forced apply was refused");
                        continue;
                    };
                    let wanted = fields_of(&json!({ "spec": spec }), &kind.shape);
                    let mut all = after.1.entries().iter();
                    let own = all.find(|entry| entry.belongs_to(&writer(manager), managed::Operation::Apply));
                    prop_assert_eq!(own.map(|entry| FieldSet::clone(&entry.fields)).unwrap_or_default(), wanted);
                    prop_assert_eq!(applied(&kind, &after, manager, &spec, false), Some(after.clone()));
                    live = after;
                }
            }
            check(&kind, &live);
        }
    }
}
