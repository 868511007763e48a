//! Create, replace and patch: one way for all, from a body to the store, in one atomic step.

use http::StatusCode;
use serde_json::{Value, json};

use super::ApiServer;
use super::admit::{self, FieldValidation, InfeasibleMode, Source, Write};
use super::body;
use super::patch::Patch;
use super::read;
use super::request::{RequestFacts, Target, method_not_allowed};
use super::resource::Served;
use super::respond::Answer;
use crate::store::fields::{self, Force, Owners, Writer};
use crate::store::{ApiError, At, Attempt, Cause, ObjectKey, Reason, ResourceId, Stored, meta};

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
            manager: facts.manager()?,
            api_version: served.kind.api_version(),
            subresource: target.subresource.clone(),
        };
        Ok(Terms {
            attempt: facts.attempt()?,
            validation: FieldValidation::parse(facts.param("fieldValidation"), facts.options_kind())?,
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
    let sent = body::object(&facts.content_type, bytes)?;
    let mut warnings = admit::judge_duplicates(&served.kind, terms.validation, &sent.duplicates)?;
    super::resource::check_new_event(&served, &sent.object)?;
    let mut object = served.absorb(sent.object);
    place(&served, target, &mut object)?;
    if meta::text(&object, "resourceVersion").is_some_and(|version| !version.is_empty()) {
        return Err(ApiError::new(Reason::Unnamed, "resourceVersion should not be set on objects to be created"));
    }
    let (owners, more) = prepare_new(server, &served, &terms, &mut object)?;
    warnings.extend(more);
    let created = server.store().create_or_try(&served.id, object, owners, terms.attempt)?;
    let shown = read::presenter(server, served, facts)?.one(&created);
    Ok(Answer::text(StatusCode::CREATED, shown).with_warnings(warnings))
}

fn prepare_new(
    server: &ApiServer,
    served: &Served,
    terms: &Terms,
    object: &mut Value,
) -> Result<(Owners, Vec<String>), ApiError> {
    let now = server.store().now();
    meta::unset(object, "managedFields");
    let write = Write {
        kind: &served.kind,
        subresource: None,
        before: None,
        validation: terms.validation,
        source: Source::Body,
        allocatable: None,
        now,
    };
    let warnings = admit::admit(&write, object)?;
    let owners = fields::track(&served.kind, None, object, &terms.writer, now);
    admit::complete(&served.kind, object);
    Ok((owners, warnings))
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
    let binding = body::object(&facts.content_type, bytes)?.object;
    let manager = facts.manager()?;
    let node = binding.at("/target/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = served.key(target)?;
    let now = server.store().now();
    server.store().try_update(&key, facts.attempt()?, |before| {
        let bound = before.at("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
        if !bound.is_empty() {
            let why = format!("pod {} is already assigned to node \"{bound}\"", key.name);
            return Err(ApiError::conflict(&ResourceId::core("pods/binding"), &key.name, &why));
        }
        let mut after = Value::clone(before);
        if let Some(spec) = after.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("nodeName".to_owned(), json!(node));
        }
        tell_scheduled(&mut after, now);
        let writer = Writer { manager, api_version: "v1".to_owned(), subresource: Some("binding".to_owned()) };
        let owners = fields::track(&served.kind, Some((before, &before.owners)), &mut after, &writer, now);
        Ok((after, owners))
    })?;
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
    Ok(Answer::json(StatusCode::CREATED, &status))
}

/// A Pod that is bound says so in its conditions.
fn tell_scheduled(pod: &mut Value, now: jiff::Timestamp) {
    let since = meta::time(now);
    let condition =
        json!({ "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": since });
    let Some(status) = pod.get_mut("status").and_then(Value::as_object_mut) else { return };
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    let Some(conditions) = conditions.as_array_mut() else { return };
    conditions.retain(|old| old.get("type") != condition.get("type"));
    conditions.push(condition);
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
    let sent = body::object(&facts.content_type, bytes)?;
    let warnings = admit::judge_duplicates(&served.kind, terms.validation, &sent.duplicates)?;
    let mut object = served.absorb(sent.object);
    place(&served, target, &mut object)?;
    require_version(&served, &object)?;
    let answer = change(server, served, facts, &terms, &key, |before| {
        check_name(&key, &object)?;
        check_uid_precondition(&key, before, &object)?;
        Ok(object)
    })?;
    Ok(answer.with_warnings(warnings))
}

/// A custom resource is never replaced unseen.
fn require_version(served: &Served, object: &Value) -> Result<(), ApiError> {
    let stated = meta::text(object, "resourceVersion").is_some_and(|version| !version.is_empty());
    if stated || !served.kind.custom {
        return Ok(());
    }
    let message = "Invalid value: 0: must be specified for an update";
    let cause = Cause::new("FieldValueInvalid", "metadata.resourceVersion", message);
    Err(ApiError::invalid(&served.kind.group, &served.kind.plural, meta::name(object), vec![cause]))
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
                let whole = if patch.knows_owners() { before.whole() } else { Value::clone(before) };
                let after = view.absorb(patch.apply(view.present(whole), &shape)?);
                check_name(&key, &after)?;
                check_namespace(&key, &after)?;
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
    make: impl FnOnce(&Stored) -> Result<Value, ApiError>,
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
            source: Source::Body,
            allocatable: allocatable.as_ref(),
            now,
        };
        warnings = admit::admit(&write, &mut after).map_err(|error| as_patch_fault(facts, error))?;
        let owners = fields::track(&served.kind, Some((before, &before.owners)), &mut after, &terms.writer, now);
        Ok((after, owners))
    })?;
    let shown = read::presenter(server, served, facts)?.one(&stored);
    Ok(Answer::text(StatusCode::OK, shown).with_warnings(warnings))
}

/// What does not decode is a bad request as a body, and an invalid patch as a patch.
fn as_patch_fault(facts: &RequestFacts, error: ApiError) -> ApiError {
    if error.reason != Reason::BadRequest || facts.method != http::Method::PATCH {
        return error;
    }
    ApiError::invalid("", "", "", vec![Cause::new("FieldValueInvalid", "patch", error.message)])
}

/// What the Pod's node can give, where a resize is to be refused at admission. Read before the atomic step.
pub fn allocatable(server: &ApiServer, key: &ObjectKey, subresource: Option<&str>) -> Option<Value> {
    if subresource != Some("resize") || server.infeasible() != InfeasibleMode::AtAdmission {
        return None;
    }
    let pod = server.store().get(key)?;
    let node = pod.at("/spec/nodeName")?.as_str()?;
    let node = server.store().get(&ObjectKey::cluster(ResourceId::core("nodes"), node))?;
    node.at("/status/allocatable").cloned()
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
    let group = if key.resource.group.is_empty() { String::new() } else { format!("{}/", key.resource.group) };
    let space = key.namespace.as_ref().map(|name| format!("{name}/")).unwrap_or_default();
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{group}{}/{space}{}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}",
        key.resource.plural, key.name
    );
    Err(ApiError::conflict(&key.resource, &key.name, &why))
}

/// Refuses a body that names another namespace than the path.
///
/// # Errors
/// 400.
pub fn check_namespace(key: &ObjectKey, object: &Value) -> Result<(), ApiError> {
    match (&key.namespace, meta::text(object, "namespace")) {
        (Some(namespace), Some(stated)) if !stated.is_empty() && stated != namespace => Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
        _ => Ok(()),
    }
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
