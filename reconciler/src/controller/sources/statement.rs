//! What Git states of one object against what the cluster has: agree, apply, or not, and why. Pure.

use std::collections::BTreeMap;

use reef_api::Reason;
use reef_api::argocd::{ARGOCD_MANAGER, ApplicationRef, TRACKING_ANNOTATION};
use serde_json::Value;

use crate::act::Manifest;
use crate::decide::diff::{self, Drift};
use crate::decide::target::TargetProblem;
use crate::desired::Origin;
use crate::observe::{Kind, ObjectKey, tracked_by};
use crate::packed::Packed;

/// What one source states of one object.
#[derive(Clone, Copy, Debug)]
pub(in crate::controller) struct Statement<'a> {
    pub(in crate::controller) source: &'a ObjectKey,
    pub(in crate::controller) manifest: &'a Packed,
    pub(in crate::controller) origin: &'a Origin,
    pub(in crate::controller) revision: &'a str,
}

/// What is to be done about an object.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::controller) enum Verdict {
    /// No source states it.
    Unstated,
    /// The cluster has what Git states.
    Agrees,
    /// It differs by this.
    Apply(Box<Manifest>, Drift),
    /// It cannot be told whose word counts.
    Blocked(TargetProblem),
}

/// Judges one object. `unread` tells of a source by its name whether it may state the object, and has not been read yet.
pub(in crate::controller) fn verdict(
    (kind, key): (Kind, &ObjectKey),
    statements: &[Statement<'_>],
    live: Option<&Value>,
    unread: impl Fn(&str) -> bool,
) -> Verdict {
    let owner = live.and_then(owner);
    let owned = statements.iter().find(|statement| Some(statement.source.to_string().as_str()) == owner);
    match (statements, owned) {
        ([], _) => Verdict::Unstated,
        (_, Some(statement)) | ([statement], None) if owned.is_some() || !owner.is_some_and(&unread) => {
            judge(kind, key, statement, live, owner)
        }
        ([statement], _) => Verdict::Blocked(TargetProblem {
            reason: Reason::Duplicate,
            message: format!(
                "{} states it in {}, but GitSource {} has applied it and has not been read yet",
                statement.source,
                statement.origin,
                owner.unwrap_or_default()
            ),
        }),
        (several, _) => Verdict::Blocked(duplicate(several)),
    }
}

fn judge(kind: Kind, key: &ObjectKey, statement: &Statement<'_>, live: Option<&Value>, owner: Option<&str>) -> Verdict {
    let source = statement.source.to_string();
    if let Some((application, live)) = live.and_then(|live| Some((application(kind, key, live)?, live))) {
        return Verdict::Blocked(two_owners(statement, &application, live));
    }
    // A source that is gone, or no longer states the object, has given it up: what it applied counts as applied by this one.
    let stated = diff::Stated { manifest: statement.manifest.value(), source: owner.unwrap_or(&source).to_owned() };
    let drift = match diff::drift(&stated, live) {
        None if owner.is_none_or(|owner| owner == source) => return Verdict::Agrees,
        None => Drift::OtherSource(owner.unwrap_or_default().to_owned()),
        Some(drift) => drift,
    };
    let manifest = Manifest {
        kind,
        key: key.clone(),
        stated: statement.manifest.clone(),
        revision: statement.revision.to_owned(),
        source,
        origin: statement.origin.to_string(),
    };
    Verdict::Apply(Box::new(manifest), drift)
}

/// The Application of Argo CD that tracks an object.
fn application(kind: Kind, key: &ObjectKey, live: &Value) -> Option<ApplicationRef> {
    let marks = live.pointer("/metadata/annotations")?.as_object()?;
    let told = marks.get(TRACKING_ANNOTATION)?.as_str()?;
    tracked_by(kind, key, Some(&BTreeMap::from([(TRACKING_ANNOTATION.to_owned(), told.to_owned())])))
}

/// A source and an Application state one object: whoever wrote last would win, again and again.
fn two_owners(statement: &Statement<'_>, application: &ApplicationRef, live: &Value) -> TargetProblem {
    let managers = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    let theirs = |entry: &Value| entry.get("manager").and_then(Value::as_str) == Some(ARGOCD_MANAGER);
    let applied = if managers.into_iter().flatten().any(theirs) {
        format!("field manager {ARGOCD_MANAGER}")
    } else {
        "which owns no field of it any more".to_owned()
    };
    let Statement { source, origin, .. } = statement;
    let message = format!(
        "GitSource {source} states it in {origin}, and Application {application} of Argo CD has it too (annotation {TRACKING_ANNOTATION}, {applied}): \
         nothing of the source is written; set apply: false in the source, or take the object out of the Application, remove the annotation, and state \
         reef.dev/adopt: \"true\" in its manifest"
    );
    TargetProblem { reason: Reason::OwnerConflict, message }
}

/// Several sources state an object that none of them has applied.
fn duplicate(statements: &[Statement<'_>]) -> TargetProblem {
    let places: Vec<String> =
        statements.iter().map(|statement| format!("{} of GitSource {}", statement.origin, statement.source)).collect();
    let message = format!("it is stated in {}, and none of them is used; keep one", places.join(" and in "));
    TargetProblem { reason: Reason::Duplicate, message }
}

/// Why what a source states of an object is not used, though the object is fine: another source has applied it.
pub(in crate::controller) fn overruled(
    statements: &[Statement<'_>],
    source: &ObjectKey,
    live: Option<&Value>,
) -> Option<String> {
    let other = live.and_then(owner).filter(|owner| *owner != source.to_string())?;
    let theirs = statements.iter().find(|statement| statement.source.to_string() == other)?;
    let place = theirs.origin;
    Some(format!("GitSource {other} states it too, in {place}, and has applied it; state it in one of them"))
}

/// The source that applied an object last, as `NAMESPACE/NAME`.
pub(super) fn owner(live: &Value) -> Option<&str> {
    live.pointer("/metadata/annotations")?.get(reef_api::names::SOURCE_ANNOTATION)?.as_str()
}
