//! Whether the cluster still has the past that a watch is to go on from.
//!
//! A cluster that is restored from a backup counts its versions from an earlier one again. A watch that goes on from a later one is not refused: it
//! says nothing until the new past has become as long, and never what was undone. So before a watch goes on, the same list is asked for one object,
//! and for no more than its metadata. Such a list is consistent: its version is never lower than one that was seen before it was asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::ACCEPT;
use http::{Request, Response, Uri};
use kube::client::Body;
use kube::runtime::watcher;
use kube::{Client, Error};
use serde::Deserialize;
use tower::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A list of metadata alone.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
/// The watches' client waits for minutes; an answer of a few hundred bytes comes soon or not at all.
const DEADLINE: Duration = Duration::from_secs(30);

/// The cluster was restored from a backup: nothing that was seen of it before is known to be there, and no version of then says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cluster was restored from a backup: it is at version {present}, and was at {seen}")]
pub struct Restored {
    /// The version that a watch was to go on from.
    pub seen: u64,
    /// The version that the cluster has reached.
    pub present: u64,
}

impl Restored {
    /// What the failure of a watch says of it.
    pub fn told_by(error: &watcher::Error) -> Option<Self> {
        match error {
            watcher::Error::WatchStartFailed(Error::Service(error)) => error.downcast_ref().copied(),
            _ => None,
        }
    }
}

/// A client for one watch, which fails with [`Restored`] where it cannot go on. Must be used for nothing else.
pub fn with_past(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(WithPast { client, listed: Arc::default() }, namespace)
}

#[derive(Clone)]
struct WithPast {
    client: Client,
    /// Whether the last request was a list: the watch after it goes on from where it has just been.
    listed: Arc<AtomicBool>,
}

impl Service<Request<Body>> for WithPast {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { client, listed } = self.clone();
        let just_listed = listed.swap(!is_watch(request.uri()), Ordering::Relaxed);
        async move {
            if let Some(seen) = goes_on_from(request.uri()).filter(|_| !just_listed) {
                check(&client, request.uri(), seen).await?;
            }
            Ok(client.send(request).await?)
        }
        .boxed()
    }
}

/// Asks whether the cluster has reached a version that was seen.
async fn check(client: &Client, watched: &Uri, seen: u64) -> Result<(), BoxError> {
    let request = Request::get(one_of(watched)).header(ACCEPT, METADATA).body(Vec::new())?;
    let list: Listed = tokio::time::timeout(DEADLINE, client.request(request)).await??;
    match list.metadata.resource_version.parse() {
        Ok(present) if present < seen => Err(Restored { seen, present }.into()),
        // A version that is no number cannot be compared.
        Ok(_) | Err(_) => Ok(()),
    }
}

#[derive(Deserialize)]
struct Listed {
    metadata: ListMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMeta {
    resource_version: String,
}

fn parameters(uri: &Uri) -> impl Iterator<Item = (&str, &str)> {
    uri.query().unwrap_or_default().split('&').filter_map(|parameter| parameter.split_once('='))
}

fn is_watch(uri: &Uri) -> bool {
    parameters(uri).any(|parameter| parameter == ("watch", "true"))
}

/// The version that a watch goes on from; 0 is any.
fn goes_on_from(uri: &Uri) -> Option<u64> {
    let version = parameters(uri).find(|(name, _)| *name == "resourceVersion").filter(|_| is_watch(uri))?.1;
    version.parse().ok().filter(|version| *version > 0)
}

/// The list that a watch follows, of one object. It selects what the watch selects: who asks may have no right to more.
fn one_of(watched: &Uri) -> String {
    let selectors = parameters(watched).filter(|(name, _)| matches!(*name, "labelSelector" | "fieldSelector"));
    let selectors: String = selectors.map(|(name, value)| format!("&{name}={value}")).collect();
    format!("{}?limit=1{selectors}", watched.path())
}
