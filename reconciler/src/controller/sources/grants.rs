//! What the account of a source may do in other namespaces: asked of the API server at each fetch, before anything there is looked at.
//!
//! A source that states an object of another namespace without the right to write it must not hold that object up, be told of it, or have anything
//! said of it there. The write itself is made as the account too, so that the API server decides once more.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use reef_api::names::{REEF_GROUP, VM_GROUP};
use serde_json::Value;

use super::trouble::Trouble;
use crate::act::{Account, Caller, Outcome, Request, Verb};
use crate::desired::{Grants, Kind};
use crate::source::Retry;

/// Kinds times namespaces that are asked about; a repository must not make the API server answer without end.
const MOST: usize = 100;
/// What an apply needs.
const VERBS: [&str; 2] = ["create", "patch"];
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// Asks for all that a source states outside its namespace.
pub(super) async fn granted(
    caller: &Caller,
    account: &Account,
    stated: &BTreeSet<(Kind, String)>,
) -> Result<Grants, Trouble> {
    let caller = caller.acting_as(Some(account.clone()));
    let mut grants = Grants { account: account.to_string(), ..Grants::default() };
    let others = stated.iter().filter(|(_, namespace)| *namespace != account.namespace);
    for (asked, (kind, namespace)) in others.enumerate() {
        let refusal = match reef_api::dns1123_label(namespace) {
            Err(error) => Some(format!("metadata.namespace is no name of a namespace: {error}")),
            Ok(()) if asked >= MOST => Some(too_many()),
            Ok(()) => refusal(&caller, account, *kind, namespace).await?,
        };
        match refusal {
            None => drop(grants.allowed.insert((*kind, namespace.clone()))),
            Some(why) => drop(grants.refused.insert((*kind, namespace.clone()), why)),
        }
    }
    Ok(grants)
}

/// Why an account may not write objects of a kind in a namespace.
async fn refusal(caller: &Caller, account: &Account, kind: Kind, namespace: &str) -> Result<Option<String>, Trouble> {
    for verb in VERBS {
        let review = review(kind, namespace, verb);
        let uri = REVIEWS.to_owned();
        match caller.call(&Request { verb: Verb::Create, uri, body: review }).await {
            Outcome::Done(body) => {
                let answer: SelfSubjectAccessReview =
                    serde_json::from_slice(&body).map_err(|error| unknown(account, &error.to_string()))?;
                if !answer.status.is_some_and(|status| status.allowed) {
                    return Ok(Some(lacking(account, kind, namespace, verb)));
                }
            }
            // The controller itself may not act as this account.
            Outcome::Refused(refused) => return Ok(Some(refused_as(account, &refused.message))),
            Outcome::Gone(why) | Outcome::Conflict(why) | Outcome::Unknown(why) => return Err(unknown(account, &why)),
            Outcome::Throttled { message, .. } => return Err(unknown(account, &message)),
        }
    }
    Ok(None)
}

fn review(kind: Kind, namespace: &str, verb: &str) -> Value {
    let (group, resource) = resource(kind);
    let attributes = ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        namespace: Some(namespace.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec =
        SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..SelfSubjectAccessReviewSpec::default() };
    serde_json::to_value(SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() }).unwrap_or_default()
}

const fn resource(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::VirtualMachine => (VM_GROUP, "virtualmachines"),
        Kind::SizingPolicy => (REEF_GROUP, "sizingpolicies"),
    }
}

fn lacking(account: &Account, kind: Kind, namespace: &str, verb: &str) -> String {
    let (group, resource) = resource(kind);
    let Account { name, namespace: own } = account;
    format!(
        "ServiceAccount {own}/{name}, as which the source writes, lacks the right to {verb} {resource}.{group} in namespace {namespace}; give it \
         there by a RoleBinding (verbs create and patch), or leave metadata.namespace out"
    )
}

/// What is said where a write or a question as an account was refused, in the API server's words and with what to do.
pub(in crate::controller) fn refused_as(account: &Account, why: &str) -> String {
    let Account { name, namespace } = account;
    if why.contains("cannot impersonate") {
        return format!(
            "the controller may not act as ServiceAccount {namespace}/{name} of spec.serviceAccountName ({why}); use an account of a name for which \
             it has this right, as installed reef-source, or give it the right to impersonate serviceaccounts of this name"
        );
    }
    format!(
        "ServiceAccount {namespace}/{name}, as which the source writes, was refused ({why}); give it this right by a RoleBinding there"
    )
}

fn too_many() -> String {
    format!("the source states objects of more than {MOST} pairs of kind and namespace; split it into several sources")
}

fn unknown(account: &Account, why: &str) -> Trouble {
    Trouble::Rights { account: account.to_string(), problem: why.to_owned(), retry: Retry::Backoff }
}
