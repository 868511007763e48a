//! One fetch of one source, from its spec to what it asks for. Runs beside the loop, so that a slow repository holds up nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use reef_api::GitSourceSpec;
use serde_json::Value;

use super::trouble::Trouble;
use crate::act::{Caller, Outcome, Request, Verb};
use crate::desired::{self, Desired, ParseCache};
use crate::observe::ObjectKey;
use crate::seams::Seams;
use crate::source::{Credentials, FileUrls, Location, Retry, Snapshot};

/// Everything that a fetch needs; it gives back what it was lent.
pub(in crate::controller) struct Order {
    pub(in crate::controller) key: ObjectKey,
    pub(in crate::controller) spec: GitSourceSpec,
    pub(in crate::controller) files: FileUrls,
    pub(in crate::controller) last: Option<Arc<Snapshot>>,
    pub(in crate::controller) desired: Arc<Desired>,
    pub(in crate::controller) cache: ParseCache,
}

/// What came of a fetch.
pub(in crate::controller) struct Fetched {
    /// Where from, as far as the spec could be read.
    pub(in crate::controller) location: Option<Location>,
    /// The tip and what it asks for.
    pub(in crate::controller) result: Result<(Arc<Snapshot>, Arc<Desired>), Trouble>,
    /// The files that were read.
    pub(in crate::controller) cache: ParseCache,
}

/// Fetches and reads.
pub(in crate::controller) async fn fetch(seams: Seams, caller: Caller, order: Order) -> Fetched {
    let location = match locate(&caller, &order).await {
        Ok(location) => location,
        Err(trouble) => return Fetched { location: None, result: Err(trouble), cache: order.cache },
    };
    seams.counters.fetched();
    let fetching = seams.repositories.fetch(&location, order.last.clone());
    let Order { key, last, desired, mut cache, .. } = order;
    let result = fetching.await.map_err(Trouble::from).map(|snapshot| {
        if last.is_some_and(|last| Arc::ptr_eq(&last, &snapshot)) {
            return (snapshot, desired);
        }
        let before = cache.files_parsed();
        let read = desired::read(&snapshot, &desired, &key.namespace, &mut cache);
        seams.counters.parsed(cache.files_parsed().saturating_sub(before));
        (snapshot, Arc::new(read))
    });
    Fetched { location: Some(location), result, cache }
}

async fn locate(caller: &Caller, order: &Order) -> Result<Location, Trouble> {
    let spec = &order.spec;
    let mut location = Location::parse(&spec.url, order.files)?
        .with_reference(spec.reference.as_deref())?
        .with_path(spec.path.as_deref().unwrap_or_default())?;
    let secret = match &spec.secret_ref {
        Some(secret) => Some(read_secret(caller, &order.key.namespace, &secret.name).await?),
        None => None,
    };
    let in_secret = secret.as_ref().and_then(|secret| text(secret, "known_hosts"));
    if let Some(known_hosts) = spec.known_hosts.as_deref().or(in_secret) {
        location = location.with_known_hosts(known_hosts)?;
    }
    match (&secret, &spec.secret_ref) {
        (Some(data), Some(name)) => Ok(location.with_credentials(credentials(data, &name.name)?)?),
        _ => Ok(location),
    }
}

type Data = BTreeMap<String, ByteString>;

async fn read_secret(caller: &Caller, namespace: &str, name: &str) -> Result<Data, Trouble> {
    let uri = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
    let trouble = |problem: &str, retry| Trouble::Secret { name: name.to_owned(), problem: problem.to_owned(), retry };
    match caller.call(&Request { verb: Verb::Get, uri, body: Value::Null }).await {
        Outcome::Done(body) => serde_json::from_value::<Secret>(body)
            .map(|secret| secret.data.unwrap_or_default())
            .map_err(|_| trouble("cannot be read", Retry::AfterChange)),
        Outcome::Gone(_) => Err(trouble("does not exist", Retry::AfterChange)),
        Outcome::Refused(refused) => Err(trouble(&refused.message, Retry::AfterChange)),
        Outcome::Conflict(message) | Outcome::Unknown(message) | Outcome::Throttled { message, .. } => {
            Err(trouble(&message, Retry::Backoff))
        }
    }
}

fn credentials(data: &Data, name: &str) -> Result<Credentials, Trouble> {
    let username = text(data, "username").map(str::to_owned);
    let password = text(data, "password").map(str::to_owned);
    if let Some(key) = text(data, "identity") {
        return Ok(Credentials::SshKey { username, private_key: key.to_owned(), passphrase: password });
    }
    match (username, password) {
        (Some(username), Some(password)) => Ok(Credentials::Basic { username, password }),
        (None, None) => Ok(Credentials::None),
        _ => Err(Trouble::Secret {
            name: name.to_owned(),
            problem: "holds one of `username` and `password`, and both are needed".to_owned(),
            retry: Retry::AfterChange,
        }),
    }
}

fn text<'a>(data: &'a Data, name: &str) -> Option<&'a str> {
    std::str::from_utf8(&data.get(name)?.0).ok().map(str::trim_end)
}
