//! Executes one action about one VM, once.

use bytes::Bytes;
use reef_api::VmKey;

use super::call::Caller;
use super::events;
use super::outcome::{Outcome, Refused};
use super::request::Request;
use super::{pod, status};
use crate::decide::action::{Action, PlannedEvent};
use crate::decide::observed::RefusalKind;
use crate::observe::{Kind, Object, ObjectKey};

/// The VM that an action is about, as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmRef {
    /// Namespace and name.
    pub key: VmKey,
    /// UID.
    pub uid: String,
    /// resourceVersion of the view.
    pub resource_version: String,
}

/// What an action did: to which object, and what came of it. The object is none when a deletion left none.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// Kind of the object that was written.
    pub kind: Kind,
    /// Its key.
    pub key: ObjectKey,
    /// What came of it.
    pub outcome: Outcome<Option<Box<Object>>>,
}

/// Executes an action. None for those that write nothing.
pub async fn execute(caller: &Caller, vm: &VmRef, action: &Action) -> Option<Effect> {
    let namespace = vm.key.namespace.as_str();
    let on_pod = |name: &str, outcome| Some(Effect { kind: Kind::Pod, key: ObjectKey::new(namespace, name), outcome });
    match action {
        Action::Rest | Action::ReadPod { .. } => None,
        Action::CreatePod(wanted) => {
            let name = wanted.metadata.name.as_deref().unwrap_or_default();
            let request = pod::create(namespace, wanted);
            let outcome = created(caller, vm, name, &request).await;
            on_pod(name, outcome)
        }
        Action::DeletePod { name, uid, resource_version } => {
            let request = pod::delete(namespace, name, uid, resource_version.as_deref());
            on_pod(name, caller.call(&request).await.map(deleted))
        }
        Action::ResizePod { name, uid, resource_version, wish } => {
            let request = pod::resize(namespace, name, uid, resource_version, *wish);
            on_pod(name, sent(caller, &request).await)
        }
        Action::WriteStatus { status, events } => {
            post(caller, vm, events).await;
            let outcome = sent(caller, &status::vm_status(vm, status)).await;
            Some(Effect { kind: Kind::Vm, key: ObjectKey::from(&vm.key), outcome })
        }
    }
}

async fn sent(caller: &Caller, request: &Request) -> Outcome<Option<Box<Object>>> {
    object(caller.call_unread(request).await)
}

/// An answer that is no object says nothing about what is stored.
pub fn object(outcome: Outcome<Bytes>) -> Outcome<Option<Box<Object>>> {
    match outcome.map(|body| serde_json::from_slice::<Object>(&body)) {
        Outcome::Done(Ok(object)) => Outcome::Done(Some(Box::new(object))),
        Outcome::Done(Err(error)) => Outcome::Unknown(format!("the answer is no object: {error}")),
        other => other.map(|_| None),
    }
}

/// A deletion answers with the Pod while it ends, or with a Status when it is gone at once.
fn deleted(body: Bytes) -> Option<Box<Object>> {
    let object: Object = serde_json::from_slice(&body).ok()?;
    (object.metadata.deletion_timestamp.is_some() && object.metadata.resource_version.is_some())
        .then(|| Box::new(object))
}

/// What the server made of a wish that it did not refuse, where that is something else.
pub fn made_otherwise(action: &Action, effect: &Effect) -> Option<Refused> {
    match (action, &effect.outcome) {
        (Action::ResizePod { wish, .. }, Outcome::Done(Some(answer))) => pod::made_otherwise(*wish, answer),
        _ => None,
    }
}

/// A creation that meets a Pod of the same name has either been done before, by us, or is in somebody's way.
async fn created(caller: &Caller, vm: &VmRef, name: &str, request: &Request) -> Outcome<Option<Box<Object>>> {
    let outcome = sent(caller, request).await;
    if !matches!(outcome, Outcome::Conflict(_)) {
        return outcome;
    }
    let found = sent(caller, &status::get(Kind::Pod, &ObjectKey::new(&*vm.key.namespace, name))).await;
    match found {
        Outcome::Done(Some(pod)) if !owned_by(&pod, &vm.uid) => Outcome::Refused(Refused {
            kind: RefusalKind::Invalid,
            message: format!("a Pod {name} is there already and belongs to somebody else; delete or rename it"),
        }),
        other => other,
    }
}

fn owned_by(pod: &Object, uid: &str) -> bool {
    pod.metadata.owner_references.as_deref().unwrap_or_default().iter().any(|owner| owner.uid == uid)
}

/// Posts events before the status that they go with: a crash between the two repeats the posting, which then meets itself.
async fn post(caller: &Caller, vm: &VmRef, planned: &[PlannedEvent]) {
    for event in planned {
        match caller.call(&events::event(vm, event)).await {
            Outcome::Done(_) | Outcome::Conflict(_) => {}
            failed @ (Outcome::Refused(_) | Outcome::Gone(_) | Outcome::Unknown(_) | Outcome::Throttled { .. }) => {
                let category = failed.category();
                tracing::warn!(vm = %vm.key, event = %event.name.as_str(), category, "an event could not be posted");
            }
        }
    }
}
