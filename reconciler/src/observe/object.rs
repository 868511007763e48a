//! An object as the API server sent it: what every object has, read, and all of it as text, for who knows its kind.
//!
//! A tree of maps in between would cost more than everything else that is done with an event.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference, Time};
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use reef_api::names::CONTROLLER_MANAGER;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
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

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    metadata: Meta<'a>,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Meta<'a> {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    deletion_timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    managed_fields: Option<&'a RawValue>,
    owner_references: Option<Vec<OwnerReference>>,
}

impl<'a> Head<'a> {
    fn parts(&self) -> Parts<&'a str> {
        let Meta { labels, annotations, deletion_timestamp, managed_fields, .. } = self.metadata;
        [self.spec, labels, annotations, deletion_timestamp, managed_fields].map(|part| part.map(RawValue::get))
    }
}

impl Meta<'_> {
    fn read(self) -> Result<ObjectMeta, serde_json::Error> {
        Ok(ObjectMeta {
            labels: part(self.labels)?,
            annotations: part(self.annotations)?,
            deletion_timestamp: part::<Time>(self.deletion_timestamp)?,
            name: self.name,
            namespace: self.namespace,
            uid: self.uid,
            resource_version: self.resource_version,
            generation: self.generation,
            owner_references: self.owner_references,
            ..ObjectMeta::default()
        })
    }
}

fn part<T: DeserializeOwned>(part: Option<&RawValue>) -> Result<Option<T>, serde_json::Error> {
    part.map(|part| serde_json::from_str(part.get())).transpose()
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let head: Head<'_> = serde_json::from_str(&text).map_err(D::Error::custom)?;
        let parts = head.parts().map(|part| part.and_then(|part| place(&text, part)));
        let metadata = head.metadata.read().map_err(D::Error::custom)?;
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

/// Where a part of a text stands in it.
fn place(text: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    Some(start..start.checked_add(part.len())?)
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

impl Resource for Object {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

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
