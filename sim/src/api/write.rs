//! Create, replace and patch: one way for all, from a body to the store, in one atomic step.

use http::StatusCode;
use serde_json::{Value, json};

use super::ApiServer;
use super::admit::{self, FieldValidation, InfeasibleMode, Write};
use super::body;
use super::patch::Patch;
use super::read;
use super::request::{RequestFacts, Target, method_not_allowed};
use super::resource::Served;
use super::respond::Answer;
use crate::store::fields::{self, Force, Writer};
use crate::store::{ApiError, Attempt, Cause, ObjectKey, Reason, ResourceId, meta};

/// What a write request says beside its body.
struct Terms {
    attempt: Attempt,
    validation: FieldValidation,
    writer: Writer,
    force: Force,
    subresource: Option<String>,
}

impl Terms {
    fn read(served: &Served, target: &Target, facts: &RequestFacts) -> Result<Self, ApiError> {
        let writer = Writer {
            manager: facts.manager(),
            api_version: served.kind.api_version(),
            subresource: target.subresource.clone(),
        };
        Ok(Terms {
            attempt: facts.attempt()?,
            validation: FieldValidation::parse(facts.param("fieldValidation"))?,
            writer,
            force: if facts.flag("force") { Force::Take } else { Force::Refuse },
            subresource: target.subresource.clone(),
        })
    }
}

/// Answers a create.
///
/// # Errors
/// Those of admission and the store; 405 for a part of an object that cannot be created.
pub fn create(
    server: &ApiServer,
    served: Served,
    target: &Target,
    facts: &RequestFacts,
    bytes: &[u8],
) -> Result<Answer, ApiError> {
    match target.subresource.as_deref() {
        None => {}
        Some("binding") => return bind(server, &served, target, facts, bytes),
        Some(_) => return Err(method_not_allowed()),
    }
    let terms = Terms::read(&served, target, facts)?;
    let mut object = served.absorb(body::object(&facts.content_type, bytes)?);
    place(&served, target, &mut object)?;
    if meta::text(&object, "resourceVersion").is_some_and(|version| !version.is_empty()) {
        return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
    }
    let warnings = prepare_new(server, &served, &terms, &mut object)?;
    let created = server.store().create_or_try(&served.id, object, terms.attempt)?;
    let shown = read::presenter(server, served, facts)?.one(&created);
    Ok(Answer::json(StatusCode::CREATED, &shown).with_warnings(warnings))
}

fn prepare_new(
    server: &ApiServer,
    served: &Served,
    terms: &Terms,
    object: &mut Value,
) -> Result<Vec<String>, ApiError> {
    let now = server.store().now();
    meta::unset(object, "managedFields");
    let write = Write {
        kind: &served.kind,
        subresource: None,
        before: None,
        validation: terms.validation,
        allocatable: None,
        now,
    };
    let warnings = admit::admit(&write, object)?;
    fields::track(&served.kind, None, object, &terms.writer, now);
    Ok(warnings)
}

/// The namespace of the path goes into the object, and must not contradict it.
fn place(served: &Served, target: &Target, object: &mut Value) -> Result<(), ApiError> {
    if !object.is_object() {
        return Err(ApiError::bad_request("the object provided is unrecognized (must be of type Object)"));
    }
    let (true, Some(namespace)) = (served.kind.namespaced, &target.namespace) else { return Ok(()) };
    match meta::text(object, "namespace") {
        Some(stated) if !stated.is_empty() && stated != namespace => {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            Err(ApiError::bad_request(message))
        }
        _ => {
            meta::set(object, "namespace", json!(namespace));
            Ok(())
        }
    }
}

fn bind(
    server: &ApiServer,
    served: &Served,
    target: &Target,
    facts: &RequestFacts,
    bytes: &[u8],
) -> Result<Answer, ApiError> {
    let binding = body::object(&facts.content_type, bytes)?;
    let node = binding.pointer("/target/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = served.key(target)?;
    let now = server.store().now();
    server.store().try_update(&key, facts.attempt()?, |before| {
        let bound = before.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
        if !bound.is_empty() {
            let why = format!("pod {} is already assigned to node \"{bound}\"", key.name);
            return Err(ApiError::conflict(&ResourceId::core("pods/binding"), &key.name, &why));
        }
        let mut after = before.clone();
        if let Some(spec) = after.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("nodeName".to_owned(), json!(node));
        }
        let writer =
            Writer { manager: facts.manager(), api_version: "v1".to_owned(), subresource: Some("binding".to_owned()) };
        fields::track(&served.kind, Some(before), &mut after, &writer, now);
        Ok(after)
    })?;
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
    Ok(Answer::json(StatusCode::CREATED, &status))
}

/// Answers a replace.
///
/// # Errors
/// Those of admission and the store; 409 for another version or incarnation than the one that is there.
pub fn update(
    server: &ApiServer,
    served: Served,
    target: &Target,
    facts: &RequestFacts,
    bytes: &[u8],
) -> Result<Answer, ApiError> {
    let terms = Terms::read(&served, target, facts)?;
    let key = served.key(target)?;
    let mut object = served.absorb(body::object(&facts.content_type, bytes)?);
    place(&served, target, &mut object)?;
    change(server, served, facts, &terms, &key, |before| {
        check_name(&key, &object)?;
        check_uid_precondition(&key, before, &object)?;
        Ok(object)
    })
}

/// Answers a patch.
///
/// # Errors
/// Those of admission and the store; 415 for an unknown kind of patch; 409 for conflicts of field managers.
pub fn patch(
    server: &ApiServer,
    served: Served,
    target: &Target,
    facts: &RequestFacts,
    bytes: &[u8],
) -> Result<Answer, ApiError> {
    let terms = Terms::read(&served, target, facts)?;
    let key = served.key(target)?;
    match Patch::parse(&facts.content_type, bytes, &served.kind)? {
        Patch::Apply(config) => super::apply::apply(server, served, target, facts, config),
        _ if terms.force == Force::Take => Err(forbidden_force()),
        patch => {
            let shape = served.kind.shape.clone();
            let view = served.clone();
            change(server, served, facts, &terms, &key, |before| {
                let shown = view.present(&std::sync::Arc::new(before.clone()));
                let after = view.absorb(patch.apply(&shown, &shape)?);
                check_name(&key, &after)?;
                check_uid_kept(&view, before, &after)?;
                Ok(after)
            })
        }
    }
}

fn forbidden_force() -> ApiError {
    let cause = Cause::new("FieldValueForbidden", "force", "Forbidden: may not be specified for non-apply patch");
    ApiError::invalid("meta.k8s.io", "PatchOptions", "", vec![cause])
}

fn change(
    server: &ApiServer,
    served: Served,
    facts: &RequestFacts,
    terms: &Terms,
    key: &ObjectKey,
    make: impl FnOnce(&Value) -> Result<Value, ApiError>,
) -> Result<Answer, ApiError> {
    let now = server.store().now();
    let allocatable = allocatable(server, key, terms.subresource.as_deref());
    let mut warnings = Vec::new();
    let stored = server.store().try_update(key, terms.attempt, |before| {
        let mut after = make(before)?;
        check_version(key, before, &after)?;
        let write = Write {
            kind: &served.kind,
            subresource: terms.subresource.as_deref(),
            before: Some(before),
            validation: terms.validation,
            allocatable: allocatable.as_ref(),
            now,
        };
        warnings = admit::admit(&write, &mut after)?;
        fields::track(&served.kind, Some(before), &mut after, &terms.writer, now);
        Ok(after)
    })?;
    let shown = read::presenter(server, served, facts)?.one(&stored);
    Ok(Answer::json(StatusCode::OK, &shown).with_warnings(warnings))
}

/// What the Pod's node can give, where a resize is to be refused at admission. Read before the atomic step.
pub fn allocatable(server: &ApiServer, key: &ObjectKey, subresource: Option<&str>) -> Option<Value> {
    if subresource != Some("resize") || server.infeasible() != InfeasibleMode::AtAdmission {
        return None;
    }
    let pod = server.store().get(key)?;
    let node = pod.pointer("/spec/nodeName")?.as_str()?;
    let node = server.store().get(&ObjectKey::cluster(ResourceId::core("nodes"), node))?;
    node.pointer("/status/allocatable").cloned()
}

/// Refuses a body that names another object than the path.
///
/// # Errors
/// 400 naming both.
pub fn check_name(key: &ObjectKey, object: &Value) -> Result<(), ApiError> {
    let name = meta::name(object);
    if name.is_empty() || name == key.name {
        return Ok(());
    }
    let message = format!("the name of the object ({name}) does not match the name on the URL ({})", key.name);
    Err(ApiError::new(Reason::BadRequest, message))
}

fn check_uid_precondition(key: &ObjectKey, before: &Value, object: &Value) -> Result<(), ApiError> {
    let wanted = meta::uid(object);
    if wanted.is_empty() || wanted == meta::uid(before) {
        return Ok(());
    }
    let found = meta::uid(before);
    let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}");
    Err(ApiError::conflict(&key.resource, &key.name, &why))
}

/// Refuses a patch that would change the UID: the precondition that clients write into patches.
///
/// # Errors
/// 422 for `metadata.uid`.
pub fn check_uid_kept(served: &Served, before: &Value, after: &Value) -> Result<(), ApiError> {
    let wanted = meta::uid(after);
    if wanted.is_empty() || wanted == meta::uid(before) {
        return Ok(());
    }
    let cause =
        Cause::new("FieldValueInvalid", "metadata.uid", format!("Invalid value: \"{wanted}\": field is immutable"));
    Err(ApiError::invalid(&served.kind.group, &served.kind.kind, meta::name(before), vec![cause]))
}

/// Refuses a body made from another version than the one that is there.
///
/// # Errors
/// 409 in the words that clients look for.
pub fn check_version(key: &ObjectKey, before: &Value, after: &Value) -> Result<(), ApiError> {
    let wanted = meta::text(after, "resourceVersion").unwrap_or_default();
    if wanted.is_empty() || Some(wanted) == meta::text(before, "resourceVersion") {
        return Ok(());
    }
    Err(ApiError::modified(&key.resource, &key.name))
}
