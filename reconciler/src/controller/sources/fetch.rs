//! One fetch of one source, from its spec to what it asks for. Runs beside the loop, so that a slow repository holds up nothing.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use reef_api::GitSourceSpec;
use serde_json::Value;
use tokio::time::Instant;

use super::grants::granted;
use super::interval::account_name;
use super::trouble::Trouble;
use crate::act::{Account, Caller, Outcome, Request, Verb};
use crate::desired::{self, Desired, Grants, ParseCache, Scope};
use crate::observe::ObjectKey;
use crate::seams::Seams;
use crate::source::{FileUrls, Location, Retry, SecretContent, Snapshot};

/// Everything that a fetch needs; it gives back what it was lent.
pub(in crate::controller) struct Order {
    pub(in crate::controller) key: ObjectKey,
    pub(in crate::controller) spec: GitSourceSpec,
    pub(in crate::controller) files: FileUrls,
    pub(in crate::controller) last: Option<Arc<Snapshot>>,
    pub(in crate::controller) desired: Arc<Desired>,
    pub(in crate::controller) grants: Grants,
    pub(in crate::controller) cache: ParseCache,
}

/// What came of a fetch.
pub(in crate::controller) struct Fetched {
    /// Where from, as far as the spec could be read.
    pub(in crate::controller) location: Option<Location>,
    /// The tip and what it asks for.
    pub(in crate::controller) result: Result<Tip, Trouble>,
    /// The files that were read.
    pub(in crate::controller) cache: ParseCache,
}

/// A tip as it was read.
pub(in crate::controller) struct Tip {
    pub(in crate::controller) snapshot: Arc<Snapshot>,
    pub(in crate::controller) desired: Arc<Desired>,
    /// What of it the account of the source may write outside its namespace.
    pub(in crate::controller) grants: Grants,
}

/// Fetches and reads.
pub(in crate::controller) async fn fetch(seams: Seams, caller: Caller, order: Order) -> Fetched {
    let location = match locate(&caller, &order.key, &order.spec, order.files).await {
        Ok(location) => location,
        Err(trouble) => return Fetched { location: None, result: Err(trouble), cache: order.cache },
    };
    let begun = Instant::now();
    let fetching = seams.repositories.fetch(&location, order.last.clone());
    let fetched = fetching.await;
    seams.metrics.git.took(begun.elapsed());
    let Order { key, spec, last, desired, grants, mut cache, .. } = order;
    let result = match fetched.map_err(Trouble::from) {
        Ok(snapshot) => read(&seams, &caller, (&key, &spec), (last, desired, grants), snapshot, &mut cache).await,
        Err(trouble) => Err(trouble),
    };
    Fetched { location: Some(location), result, cache }
}

/// What was known before a fetch.
type Before = (Option<Arc<Snapshot>>, Arc<Desired>, Grants);

/// Reads a tip that is new, or of which the account of the source may write something else than before.
async fn read(
    seams: &Seams,
    caller: &Caller,
    (key, spec): (&ObjectKey, &GitSourceSpec),
    (last, desired, grants): Before,
    snapshot: Arc<Snapshot>,
    cache: &mut ParseCache,
) -> Result<Tip, Trouble> {
    let before = cache.files_parsed();
    let account = account(key, spec)?;
    let allowed = allowed(caller, account.as_ref(), &snapshot, cache).await?;
    let known = last.is_some_and(|last| Arc::ptr_eq(&last, &snapshot));
    if known && allowed == grants {
        return Ok(Tip { snapshot, desired, grants });
    }
    let read = desired::read_within(&snapshot, &desired, scope(key, account.as_ref(), &allowed), cache);
    seams.metrics.files_parsed.inc_by(cache.files_parsed().saturating_sub(before));
    let snapshot = if known { snapshot } else { Arc::new(snapshot.let_go()) };
    Ok(Tip { snapshot, desired: Arc::new(read), grants: allowed })
}

/// What a snapshot states, read as for a source that may apply it.
pub(in crate::controller) async fn read_as(
    caller: &Caller,
    (key, spec): (&ObjectKey, &GitSourceSpec),
    snapshot: &Snapshot,
    previous: &Desired,
    cache: &mut ParseCache,
) -> Result<Desired, Trouble> {
    let account = account(key, spec)?;
    let allowed = allowed(caller, account.as_ref(), snapshot, cache).await?;
    Ok(desired::read_within(snapshot, previous, scope(key, account.as_ref(), &allowed), cache))
}

/// What the account of a source may write outside its namespace, as far as a snapshot states it.
async fn allowed(
    caller: &Caller,
    account: Option<&Account>,
    snapshot: &Snapshot,
    cache: &mut ParseCache,
) -> Result<Grants, Trouble> {
    match account {
        Some(account) => granted(caller, account, &desired::stated_namespaces(snapshot, cache)).await,
        None => Ok(Grants::default()),
    }
}

fn scope<'a>(key: &'a ObjectKey, account: Option<&Account>, allowed: &'a Grants) -> Scope<'a> {
    match account {
        Some(_) => Scope::Granted(&key.namespace, allowed),
        None => Scope::Only(&key.namespace),
    }
}

/// The account as which what a source states is written; the controller's own where there is none.
pub(in crate::controller) fn account(key: &ObjectKey, spec: &GitSourceSpec) -> Result<Option<Account>, Trouble> {
    let name = account_name(spec).map_err(Trouble::Spec)?;
    Ok(name.map(|name| Account { namespace: key.namespace.clone(), name: name.to_owned() }))
}

/// Where a source points to, with what its Secret holds.
pub(in crate::controller) async fn locate(
    caller: &Caller,
    key: &ObjectKey,
    spec: &GitSourceSpec,
    files: FileUrls,
) -> Result<Location, Trouble> {
    let location = Location::of_spec(spec, files)?;
    let Some(reference) = &spec.secret_ref else { return Ok(location) };
    let SecretContent { credentials, known_hosts } = read_secret(caller, &key.namespace, &reference.name).await?;
    let location = location.with_credentials(credentials)?;
    // What the source itself states about host keys is nearer than what its secret does.
    match known_hosts.filter(|_| spec.known_hosts.is_none()) {
        Some(known_hosts) => Ok(location.with_known_hosts(&known_hosts)?),
        None => Ok(location),
    }
}

async fn read_secret(caller: &Caller, namespace: &str, name: &str) -> Result<SecretContent, Trouble> {
    let uri = secret_path(namespace, name)?;
    let trouble = |problem: &str, retry| Trouble::Secret { name: name.to_owned(), problem: problem.to_owned(), retry };
    match caller.call(&Request { verb: Verb::Get, uri, body: Value::Null }).await {
        Outcome::Done(body) => {
            let secret: Secret =
                serde_json::from_slice(&body).map_err(|_| trouble("cannot be read", Retry::AfterChange))?;
            let content = SecretContent::read(&secret.data.unwrap_or_default());
            content.map_err(|error| trouble(&format!("cannot be used: {error}"), Retry::AfterChange))
        }
        Outcome::Gone(_) => Err(trouble("does not exist", Retry::AfterChange)),
        Outcome::Refused(refused) => Err(trouble(&refused.message, Retry::AfterChange)),
        Outcome::Conflict(message) | Outcome::Unknown(message) | Outcome::Throttled { message, .. } => {
            Err(trouble(&message, Retry::Backoff))
        }
    }
}

/// The path of a Secret. A name is a word of the source's: one that could lead to another path, and so into another namespace, is refused.
fn secret_path(namespace: &str, name: &str) -> Result<String, Trouble> {
    let refused = |error: reef_api::NameError| Trouble::Secret {
        name: format!("{name:?}"),
        problem: format!("has a name that no Secret can have ({error}); state one in spec.secretRef.name"),
        retry: Retry::AfterChange,
    };
    reef_api::dns1123_subdomain(name).map_err(refused)?;
    Ok(format!("/api/v1/namespaces/{namespace}/secrets/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_secret_leads_to_no_other_path() {
        assert_eq!(secret_path("vms", "git.token"), Ok("/api/v1/namespaces/vms/secrets/git.token".to_owned()));
        for name in ["../../other/secrets/token", "a/b", "a?watch=true", "a#b", "%2e%2e", "", ".."] {
            let told = secret_path("vms", name).unwrap_err().to_string();
            assert!(told.contains("has a name that no Secret can have"), "{told}");
        }
    }
}
