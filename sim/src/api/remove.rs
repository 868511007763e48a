//! Delete, of one object and of many.

use http::StatusCode;
use serde_json::{Value, json};

use super::ApiServer;
use super::body;
use super::present::Presenter;
use super::read;
use super::request::{RequestFacts, Target, method_not_allowed};
use super::resource::Served;
use super::respond::{self, Answer};
use crate::store::{
    ApiError, At, Attempt, Cause, DeleteOptions, Deleted, ObjectKey, Preconditions, Propagation, Stored, meta,
};

/// Answers a delete of one object.
///
/// # Errors
/// 404 where it is not there, 409 where a precondition fails, 405 for a part of an object.
pub fn one(
    server: &ApiServer,
    served: Served,
    target: &Target,
    facts: &RequestFacts,
    bytes: &[u8],
) -> Result<Answer, ApiError> {
    if target.subresource.is_some() {
        return Err(method_not_allowed());
    }
    let key = served.key(target)?;
    match server.store().delete(&key, &options(facts, bytes)?)? {
        Deleted::Pending(object) => {
            Ok(Answer::text(StatusCode::OK, read::presenter(server, served, facts)?.one(&object)))
        }
        // The real server answers with the last state of a Pod, and with a status of everything else.
        Deleted::Gone(object) if served.kind.graceful_deletion => {
            Ok(Answer::text(StatusCode::OK, read::presenter(server, served, facts)?.one(&object)))
        }
        Deleted::Gone(object) => Ok(Answer::json(StatusCode::OK, &success(&served, &object))),
    }
}

fn success(served: &Served, object: &Value) -> Value {
    let mut details = json!({ "name": meta::name(object), "kind": served.kind.plural, "uid": meta::uid(object) });
    if let (Some(map), false) = (details.as_object_mut(), served.group.is_empty()) {
        map.insert("group".to_owned(), json!(served.group));
    }
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
}

/// Answers a delete of every object that the selectors mean.
///
/// # Errors
/// 400 for selectors that do not parse.
pub fn many(
    server: &ApiServer,
    served: Served,
    target: &Target,
    facts: &RequestFacts,
    bytes: &[u8],
) -> Result<Answer, ApiError> {
    let selector = read::selector(&served, facts)?;
    let options = options(facts, bytes)?;
    let objects = server.store().list(&served.id, target.namespace.as_deref());
    let mut deleted: Vec<Stored> = Vec::new();
    for object in objects.iter().filter(|object| selector.matches(object)) {
        // One that is gone by now is what was asked for.
        if let Ok(outcome) = server.store().delete(&ObjectKey::of(&served.id, object), &options) {
            deleted.push(outcome.object().clone());
        }
    }
    let metadata = json!({ "resourceVersion": server.store().version().to_string() });
    let types = if served.kind.custom { respond::Types::Shown } else { respond::Types::Hidden };
    let presenter = Presenter::whole(server, served);
    let (api_version, kind) = presenter.list_type();
    Ok(Answer::text(StatusCode::OK, respond::list(&api_version, &kind, &metadata, &deleted, &presenter, types)))
}

fn options(facts: &RequestFacts, bytes: &[u8]) -> Result<DeleteOptions, ApiError> {
    let stated = body::optional(bytes)?;
    let text = |pointer: &str| stated.at(pointer).and_then(Value::as_str).map(str::to_owned);
    let policy = text("/propagationPolicy").or_else(|| facts.param("propagationPolicy").map(str::to_owned));
    let orphan = stated.get("orphanDependents").and_then(Value::as_bool).unwrap_or(false);
    let grace = stated.get("gracePeriodSeconds").and_then(Value::as_i64);
    let grace = grace.or(facts.number("gracePeriodSeconds")?.and_then(|seconds| i64::try_from(seconds).ok()));
    let dry_run = facts.attempt()? == Attempt::DryRun || stated.at("/dryRun/0") == Some(&json!("All"));
    Ok(DeleteOptions {
        preconditions: Preconditions {
            uid: text("/preconditions/uid"),
            resource_version: text("/preconditions/resourceVersion"),
        },
        grace_period_seconds: grace,
        propagation: propagation(policy.as_deref(), orphan)?,
        dry_run,
    })
}

fn propagation(policy: Option<&str>, orphan: bool) -> Result<Propagation, ApiError> {
    match policy {
        None if orphan => Ok(Propagation::Orphan),
        None | Some("Background") => Ok(Propagation::Background),
        Some("Foreground") => Ok(Propagation::Foreground),
        Some("Orphan") => Ok(Propagation::Orphan),
        Some(other) => {
            let message = format!(
                "Unsupported value: \"{other}\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            );
            let cause = Cause::new("FieldValueNotSupported", "propagationPolicy", message);
            Err(ApiError::invalid("meta.k8s.io", "DeleteOptions", "", vec![cause]))
        }
    }
}
