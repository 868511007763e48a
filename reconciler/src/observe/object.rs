//! An object as the API server sent it: what every object has, read, and all of it as text, for who knows its kind.
//!
//! A tree of maps in between would cost more than everything else that is done with an event.

use std::fmt;
use std::ops::Range;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use reef_api::argocd::ARGOCD_MANAGER;
use reef_api::names::CONTROLLER_MANAGER;
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::packed::Packed;

/// An object of any kind.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its metadata, without who owns what.
    pub metadata: ObjectMeta,
    text: String,
    /// Where in the text they stand.
    parts: Parts<Range<usize>>,
}

/// Equal texts are equal objects; the API server prints an object in one way.
impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// By this name `serde_json` is asked for the text of a value, as its own `RawValue` does. Who does not know it hands out the value.
const RAW: &str = "$serde_json::private::RawValue";

/// A JSON value as it stands in a document. `RawValue` itself cannot be read out of an event that tells its object before its type.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RAW, TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        map.next_key::<IgnoredAny>()?;
        map.next_value().map(Text)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        Value::deserialize(deserializer).map(|value| Text(value.to_string()))
    }
}

/// What Git can state of an object, in this order: spec, labels, annotations, end, and who owns what.
type Parts<T> = [Option<T>; 5];

/// An object that is being read: each text of it once, since scanning them is most of the work.
#[derive(Default)]
struct Reading {
    metadata: ObjectMeta,
    text: String,
    parts: Parts<Range<usize>>,
}

impl Reading {
    /// Begins an entry of a map.
    fn name(&mut self, name: &str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        // A text always prints.
        self.text.push_str(&serde_json::to_string(name).unwrap_or_default());
        self.text.push(':');
    }

    /// Ends an entry, and tells where its value stands; nowhere where it is null.
    fn value(&mut self, value: &str) -> Option<Range<usize>> {
        let start = self.text.len();
        self.text.push_str(value);
        (value != "null").then_some(start..self.text.len())
    }

    /// Keeps a field of the metadata, where it is used.
    fn keep(&mut self, name: &str, value: &str) -> Result<(), serde_json::Error> {
        let place = self.value(value);
        let [_, labels, annotations, end, owners] = &mut self.parts;
        let metadata = &mut self.metadata;
        match name {
            "name" => metadata.name = serde_json::from_str(value)?,
            "namespace" => metadata.namespace = serde_json::from_str(value)?,
            "uid" => metadata.uid = serde_json::from_str(value)?,
            "resourceVersion" => metadata.resource_version = serde_json::from_str(value)?,
            "generation" => metadata.generation = serde_json::from_str(value)?,
            "ownerReferences" => metadata.owner_references = serde_json::from_str(value)?,
            "labels" => (metadata.labels, *labels) = (serde_json::from_str(value)?, place),
            "annotations" => (metadata.annotations, *annotations) = (serde_json::from_str(value)?, place),
            "deletionTimestamp" => (metadata.deletion_timestamp, *end) = (serde_json::from_str(value)?, place),
            "managedFields" => *owners = place,
            _ => {}
        }
        Ok(())
    }
}

/// Reads an object.
struct WholeVisitor;

impl<'de> Visitor<'de> for WholeVisitor {
    type Value = Reading;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reading, A::Error> {
        let mut out = Reading::default();
        out.text.push('{');
        while let Some(name) = map.next_key::<String>()? {
            out.name(&name);
            if name == "metadata" {
                map.next_value_seed(MetadataOf(&mut out))?;
                continue;
            }
            let Text(value) = map.next_value()?;
            let place = out.value(&value);
            if name == "spec" {
                let [spec, ..] = &mut out.parts;
                *spec = place;
            }
        }
        out.text.push('}');
        Ok(out)
    }
}

/// Reads the metadata of an object.
struct MetadataOf<'a>(&'a mut Reading);

impl<'de> DeserializeSeed<'de> for MetadataOf<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MetadataOf<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(out) = self;
        out.text.push('{');
        while let Some(name) = map.next_key::<String>()? {
            out.name(&name);
            let Text(value) = map.next_value()?;
            out.keep(&name, &value).map_err(A::Error::custom)?;
        }
        out.text.push('}');
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Reading { metadata, text, parts } = deserializer.deserialize_map(WholeVisitor)?;
        Ok(Self { metadata, text, parts })
    }
}

impl Object {
    /// The object in a shape of its own, without who owns what: that is a third of most texts, and a tree of maps once read.
    ///
    /// # Errors
    /// Where it has another one.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match self.bare() {
            Some(bare) => serde_json::from_str(&bare),
            None => serde_json::from_str(&self.text),
        }
    }

    fn bare(&self) -> Option<String> {
        let [.., owners] = &self.parts;
        let owners = owners.clone()?;
        Some([self.text.get(..owners.start)?, "[]", self.text.get(owners.end..)?].concat())
    }

    /// The object as text, without those owners of fields that are not `kept`.
    pub fn told(&self, kept: fn(&ManagedFieldsEntry) -> bool) -> Told {
        let lean = self.lean(kept).and_then(|lean| Some((lean.moved(&self.parts)?, lean.text)));
        match lean {
            Some((stated, text)) => Told { text: Packed::from_text(&text), stated },
            None => Told { text: Packed::from_text(&self.text), stated: self.parts.clone() },
        }
    }

    /// The field manager, other than the controller's, that resized a Pod last and still owns some of its size.
    pub fn resizer(&self) -> Option<String> {
        let [.., owners] = &self.parts;
        let owners = self.text.get(owners.clone()?)?;
        // Most Pods were never resized, and need no reading.
        let owners: Vec<&RawValue> = serde_json::from_str(owners).ok().filter(|_| owners.contains("\"resize\""))?;
        let claims = owners.iter().filter_map(|owner| serde_json::from_str::<Claim>(owner.get()).ok());
        let others = |claim: &Claim| {
            claim.subresource.as_deref() == Some("resize") && claim.manager.as_deref() != Some(CONTROLLER_MANAGER)
        };
        claims.filter(others).max_by(|one, other| one.time.cmp(&other.time))?.manager
    }

    /// The field manager that changed the spec last. Times are whole seconds: of two in one second it is Argo CD, which undoes what others change.
    pub fn spec_writer(&self) -> Option<String> {
        let [.., owners] = &self.parts;
        let owners: Vec<&RawValue> = serde_json::from_str(self.text.get(owners.clone()?)?).ok()?;
        let of_spec = owners.iter().filter(|owner| owner.get().contains("\"f:spec\""));
        let claims = of_spec.filter_map(|owner| serde_json::from_str::<Claim>(owner.get()).ok());
        let claims = claims.filter(|claim| claim.subresource.as_deref().unwrap_or_default().is_empty());
        let rank = |claim: &Claim| (claim.time.clone(), claim.manager.as_deref() == Some(ARGOCD_MANAGER));
        claims.max_by_key(rank)?.manager
    }

    /// The text with fewer owners; none where it has none, or they cannot be read.
    fn lean(&self, kept: fn(&ManagedFieldsEntry) -> bool) -> Option<Lean> {
        let [.., owners] = &self.parts;
        lean(&self.text, owners.clone()?, kept)
    }
}

/// An object as text, and where in it stands what Git can state of it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The text.
    pub text: Packed,
    stated: Parts<Range<usize>>,
}

impl Told {
    /// Whether two texts of an object say the same but for its status and bookkeeping, letter by letter: then whatever was found of the one
    /// by what Git states holds for the other. Equal values may be told otherwise; that costs a comparison and nothing else.
    pub fn states_the_same(&self, other: &Self) -> bool {
        self.text == other.text || self.parts() == other.parts()
    }

    /// Whether the object is being deleted.
    pub fn ends(&self) -> bool {
        matches!(self.stated, [_, _, _, Some(_), _])
    }

    fn parts(&self) -> Parts<&str> {
        let part = |place: &Option<Range<usize>>| place.clone().and_then(|place| self.text.text().get(place));
        self.stated.each_ref().map(part)
    }
}

/// Who an entry of `managedFields` is of.
#[derive(Deserialize)]
struct Claim {
    manager: Option<String>,
    operation: Option<String>,
    subresource: Option<String>,
    /// As text: in RFC 3339, in seconds of UTC, it is in the order of time.
    time: Option<String>,
}

/// A text in which the owners were replaced by fewer of them.
struct Lean {
    text: String,
    before: Range<usize>,
    after: Range<usize>,
}

impl Lean {
    /// Parts of the former text, at their places in this one.
    fn moved(&self, parts: &Parts<Range<usize>>) -> Option<Parts<Range<usize>>> {
        let moved = |at: usize| {
            if at < self.before.end { Some(at) } else { at.checked_sub(self.before.end)?.checked_add(self.after.end) }
        };
        let mut out = [const { None }; 5];
        for (out, part) in out.iter_mut().zip(parts).filter_map(|(out, part)| Some((out, part.as_ref()?))) {
            let end = if part.end <= self.before.start { Some(part.end) } else { moved(part.end) };
            *out = Some(moved(part.start)?..end?);
        }
        Some(out)
    }
}

/// The text with fewer of the owners that stand at a place in it; none where they cannot be read.
fn lean(text: &str, before: Range<usize>, kept: fn(&ManagedFieldsEntry) -> bool) -> Option<Lean> {
    let entries: Vec<&RawValue> = serde_json::from_str(text.get(before.clone())?).ok()?;
    let stays = |entry: &&&RawValue| {
        serde_json::from_str(entry.get()).is_ok_and(|Claim { manager, operation, subresource, .. }| {
            kept(&ManagedFieldsEntry { manager, operation, subresource, ..ManagedFieldsEntry::default() })
        })
    };
    let left: Vec<&str> = entries.iter().filter(stays).map(|entry| entry.get()).collect();
    let (head, tail) = (text.get(..before.start)?, text.get(before.end..)?);
    let text = format!("{head}[{}]{tail}", left.join(","));
    let after = before.start..text.len().checked_sub(tail.len())?;
    Some(Lean { text, before, after })
}

reef_watch::resource_of_any_kind!(Object);

#[cfg(test)]
mod tests {
    use kube::core::WatchEvent;
    use serde_json::json;

    use super::*;
    use crate::act::applied_by_us;

    #[test]
    fn an_event_of_a_watch_becomes_an_object_with_its_text() {
        let object =
            json!({"kind": "Pod", "metadata": {"name": "a", "resourceVersion": "7"}, "spec": {"odd": [1, null]}});
        let line = format!("{{\"type\":\"ADDED\",\"object\":{object}}}");
        let Ok(WatchEvent::Added(read)) = serde_json::from_str::<WatchEvent<Object>>(&line) else { panic!("{line}") };
        assert_eq!(read.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(read.read::<Value>().unwrap(), object);
        let line = format!("{{\"object\":{object},\"type\":\"ADDED\"}}");
        let Ok(WatchEvent::Added(other)) = serde_json::from_str::<WatchEvent<Object>>(&line) else { panic!("{line}") };
        assert_eq!(other, read);
    }

    #[test]
    fn what_is_null_is_stated_nowhere_and_names_keep_their_letters() {
        let text = r#"{"a\"b":{},"metadata":{"x/y":[1],"name":"a","labels":null,"generation":3},"spec":null}"#;
        let object: Object = serde_json::from_str(text).unwrap();
        assert_eq!((object.text.as_str(), &object.parts), (text, &[const { None }; 5]));
        assert_eq!((object.metadata.generation, object.metadata.labels), (Some(3), None));
        let spaced: Object = serde_json::from_str("{ \"metadata\" : { \"name\" : \"a\" } , \"spec\" : {} }").unwrap();
        assert_eq!(spaced.text, r#"{"metadata":{"name":"a"},"spec":{}}"#);
        assert_eq!(spaced.parts[0], Some(32..34));
        assert!(serde_json::from_str::<Object>("[]").is_err());
        assert!(serde_json::from_str::<Object>(r#"{"metadata":{"name":1}}"#).is_err());
    }

    #[test]
    fn of_the_owners_only_our_own_applies_are_kept() {
        let entry = |manager: &str, subresource: &str| json!({"manager": manager, "operation": "Apply", "subresource": subresource, "fieldsV1": {"f:a": {}}});
        let ours = entry("reef-controller", "");
        let owners = json!([entry("kubectl", ""), ours, entry("reef-controller", "status")]);
        let mut stored = json!({"metadata": {"managedFields": owners, "name": "a"}, "spec": {"managedFields": [2]}});
        let object: Object = serde_json::from_value(stored.clone()).unwrap();
        stored["metadata"]["managedFields"] = json!([ours]);
        assert_eq!(object.told(applied_by_us).text.value(), stored);
        let bare = json!({"metadata": {"name": "a"}});
        let object: Object = serde_json::from_value(bare.clone()).unwrap();
        assert_eq!(object.told(applied_by_us).text.value(), bare);
    }

    #[test]
    fn who_else_resized_a_pod_last_is_told_by_its_owners() {
        let entry = |manager: &str, subresource: &str, second: u32| {
            let time = format!("2026-11-21T12:00:0{second}Z");
            json!({"manager": manager, "operation": "Update", "subresource": subresource, "time": time, "fieldsV1": {}})
        };
        let told = |owners: Value| {
            let object = json!({"metadata": {"name": "a", "managedFields": owners}});
            serde_json::from_value::<Object>(object).unwrap().resizer()
        };
        let (ours, kubelet) = (entry("reef-controller", "resize", 3), entry("kubelet", "status", 5));
        let [early, late] = [entry("kubectl-edit", "resize", 1), entry("vpa-updater", "resize", 2)];
        assert_eq!(told(json!([early, late, ours, kubelet])).as_deref(), Some("vpa-updater"));
        assert_eq!(told(json!([late, early])).as_deref(), Some("vpa-updater"));
        assert_eq!(told(json!([ours, kubelet])), None);
        assert_eq!(told(json!([])), None);
    }

    #[test]
    fn another_status_states_the_same_and_another_spec_label_owner_or_end_does_not() {
        let told = |object: &Value| {
            let object: Object = serde_json::from_value(object.clone()).unwrap();
            object.told(applied_by_us)
        };
        let object = json!({"metadata": {"name": "a", "resourceVersion": "1"}, "spec": {"a": 1}, "status": {"b": 1}});
        let mut other = object.clone();
        other["status"]["b"] = json!(2);
        other["metadata"]["resourceVersion"] = json!("2");
        assert!(told(&object).states_the_same(&told(&other)));
        let news = [
            ("/spec", json!({"a": 2})),
            ("/metadata", json!({"name": "a", "labels": {"x": "y"}})),
            ("/metadata", json!({"name": "a", "annotations": {"x": "y"}})),
            ("/metadata", json!({"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"})),
            (
                "/metadata",
                json!({"name": "a", "managedFields": [{"manager": "reef-controller", "operation": "Apply"}]}),
            ),
        ];
        for (place, value) in news {
            let mut other = object.clone();
            *other.pointer_mut(place).unwrap() = value;
            assert!(!told(&object).states_the_same(&told(&other)), "{other}");
        }
    }
}
