//! Server-side apply of what Git states: exactly those fields, and where they come from, under one field manager.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use reef_api::names::{
    ADOPT_ANNOTATION, CONTROLLER_MANAGER, ORIGIN_ANNOTATION, REVISION_ANNOTATION, SOURCE_ANNOTATION,
};
use serde_json::{Map, Value};

use super::call::{Answer, Caller};
use super::classify::classify;
use super::fields::{FieldConflict, ours};
use super::outcome::Outcome;
use super::request::{Request, Verb};
use super::status::path;
use crate::observe::{Kind, Object, ObjectKey};
use crate::packed::Packed;

/// One object as Git states it.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Kind: a VM or a policy.
    pub kind: Kind,
    /// Namespace and name.
    pub key: ObjectKey,
    /// The whole document, fields that it does not state left out.
    pub stated: Packed,
    /// Commit that stated it so.
    pub revision: String,
    /// The source, as `NAMESPACE/NAME`.
    pub source: String,
    /// File and line, as `FILE:LINE`.
    pub origin: String,
}

/// What came of an apply.
#[derive(Clone, Debug, PartialEq)]
pub enum Applied {
    /// Whatever may come of any request.
    Outcome(Outcome<Box<Object>>),
    /// Others own fields that Git states; nothing was written.
    Conflict(FieldConflict),
}

impl Manifest {
    /// The object that is applied: what Git states of it, and three annotations that say where that stands.
    pub fn object(&self) -> Value {
        let resource = self.kind.resource();
        let stated = self.stated.value();
        let metadata = stated.get("metadata");
        let mut annotations = section(metadata, "annotations");
        for (name, text) in [
            (REVISION_ANNOTATION, &self.revision),
            (SOURCE_ANNOTATION, &self.source),
            (ORIGIN_ANNOTATION, &self.origin),
        ] {
            annotations.insert(name.to_owned(), Value::String(text.clone()));
        }
        let mut meta = Map::new();
        meta.insert("name".to_owned(), Value::String(self.key.name.clone()));
        meta.insert("namespace".to_owned(), Value::String(self.key.namespace.clone()));
        meta.insert("annotations".to_owned(), Value::Object(annotations));
        let labels = section(metadata, "labels");
        if !labels.is_empty() {
            meta.insert("labels".to_owned(), Value::Object(labels));
        }
        let mut object = Map::new();
        object.insert("apiVersion".to_owned(), Value::String(resource.api_version));
        object.insert("kind".to_owned(), Value::String(resource.kind));
        object.insert("metadata".to_owned(), Value::Object(meta));
        object.extend(stated.get("spec").map(|spec| ("spec".to_owned(), spec.clone())));
        Value::Object(object)
    }

    /// Whether an object that was there before may be taken over.
    fn adopts(&self) -> bool {
        section(self.stated.value().get("metadata"), "annotations").get(ADOPT_ANNOTATION).and_then(Value::as_str)
            == Some("true")
    }

    /// Forced once: when the manifest says so, and the live object does not tell yet that the controller has applied that word.
    fn forces(&self, live: Option<&ObjectMeta>) -> bool {
        self.adopts() && live.is_some_and(|live| !is_adopted(live))
    }

    pub(super) fn request(&self, live: Option<&ObjectMeta>) -> Request {
        let force = self.forces(live);
        let uri = format!("{}?fieldManager={CONTROLLER_MANAGER}&force={force}", path(&self.kind.resource(), &self.key));
        let mut body = self.object();
        if let (Some(meta), Some(live)) = (body.get_mut("metadata").and_then(Value::as_object_mut), live) {
            pin(meta, live);
        }
        Request { verb: Verb::Apply, uri, body }
    }
}

/// An apply holds for what was compared: one that arrives late must not undo a newer commit's, nor make again what was deleted.
fn pin(meta: &mut Map<String, Value>, live: &ObjectMeta) {
    for (name, value) in [("uid", &live.uid), ("resourceVersion", &live.resource_version)] {
        meta.extend(value.clone().map(|value| (name.to_owned(), Value::String(value))));
    }
}

/// Whether the controller has applied the leave to take this object over: an apply takes all fields or none, so it has had them.
fn is_adopted(live: &ObjectMeta) -> bool {
    let fields = ours(live.managed_fields.as_deref().unwrap_or_default()).and_then(|entry| entry.fields_v1.as_ref());
    let owned = fields.and_then(|fields| fields.0.pointer("/f:metadata/f:annotations"));
    owned.is_some_and(|owned| owned.get(format!("f:{ADOPT_ANNOTATION}")).is_some())
}

/// The source that applied an object last, as `NAMESPACE/NAME`.
pub fn owner_source(live: &ObjectMeta) -> Option<&str> {
    live.annotations.as_ref()?.get(SOURCE_ANNOTATION).map(String::as_str)
}

/// Applies a manifest over what is live.
pub async fn apply(caller: &Caller, manifest: &Manifest, live: Option<&ObjectMeta>) -> Applied {
    let request = manifest.request(live);
    match caller.answer(&request).await {
        Answer::Good(body) => Applied::Outcome(match serde_json::from_slice(&body) {
            Ok(object) => Outcome::Done(Box::new(object)),
            Err(error) => Outcome::Unknown(format!("the answer is no object: {error}")),
        }),
        Answer::Denied(denial) => match FieldConflict::of(&denial.status).filter(|_| denial.code == 409) {
            Some(conflict) => Applied::Conflict(conflict),
            None => Applied::Outcome(classify(&request, &denial)),
        },
        Answer::Lost(why) => Applied::Outcome(Outcome::Unknown(why)),
    }
}

fn section(metadata: Option<&Value>, name: &str) -> Map<String, Value> {
    let found = metadata.and_then(|metadata| metadata.get(name)).and_then(Value::as_object);
    found.cloned().unwrap_or_default()
}
