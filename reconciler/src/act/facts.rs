//! Lists everything that a plan needs to know of a cluster, page by page: for the controller and for the command line alike.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::{LimitRange, Node, Pod, ResourceQuota};
use kube::Resource;
use kube::core::ApiResource;
use reef_api::facts::ClusterFacts;
use reef_api::{GitSource, SizingPolicy, VirtualMachine};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::Caller;
use super::outcome::{Outcome, Refused};
use super::request::{Request, Verb};
use crate::decide::observed::RefusalKind;
use crate::observe::{self, Listed};

/// Objects in one page: lists of many thousands neither time out nor fill the API server's memory.
const PAGE: u32 = 500;

/// The facts, and the VMs as they are in the cluster.
#[derive(Debug)]
pub struct Facts {
    /// The facts.
    pub facts: ClusterFacts,
    /// The VMs.
    pub vms: Vec<VirtualMachine>,
}

/// Why something could not be listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{resource} cannot be listed: {message}")]
pub struct Unlisted {
    /// What, as `nodes` or `gitsources.reef.dev`.
    pub resource: String,
    /// The API server's words.
    pub message: String,
    /// What it takes until it can be.
    pub kind: UnlistedKind,
}

/// What it takes until something can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnlistedKind {
    /// A right is missing.
    Forbidden,
    /// The API server does not know the kind.
    Unknown,
    /// Anything else; the same may work later.
    Other,
}

/// One page of a list.
#[derive(Deserialize)]
struct Page<K> {
    #[serde(default)]
    metadata: Continued,
    items: Vec<K>,
}

#[derive(Default, Deserialize)]
struct Continued {
    #[serde(default, rename = "continue")]
    token: Option<String>,
}

/// Lists everything.
///
/// # Errors
/// Where something cannot be listed; the message names the kind.
pub async fn facts(caller: &Caller) -> Result<Facts, Unlisted> {
    let listed = Listed {
        nodes: all::<Node>(caller).await?,
        pods: all::<Pod>(caller).await?,
        vms: all::<VirtualMachine>(caller).await?,
        policies: all::<SizingPolicy>(caller).await?,
        quotas: if_known::<ResourceQuota>(caller).await?,
        limit_ranges: if_known::<LimitRange>(caller).await?,
        sources: all::<GitSource>(caller).await?,
    };
    Ok(Facts { facts: observe::facts(&listed), vms: listed.vms })
}

/// The same for a kind that the embedded cluster does not have.
async fn if_known<K>(caller: &Caller) -> Result<Vec<K>, Unlisted>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Debug,
{
    match all::<K>(caller).await {
        Err(unlisted) if unlisted.kind == UnlistedKind::Unknown => Ok(Vec::new()),
        other => other,
    }
}

/// All objects of one kind, of all namespaces.
async fn all<K>(caller: &Caller) -> Result<Vec<K>, Unlisted>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Debug,
{
    let resource = ApiResource::erase::<K>(&());
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let request = Request { verb: Verb::Get, uri: uri(&resource, token.as_deref()), body: Value::Null };
        let page: Page<K> = read(&resource, caller.call_unread(&request).await)?;
        found.extend(page.items);
        token = page.metadata.token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn uri(resource: &ApiResource, token: Option<&str>) -> String {
    let root = if resource.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", resource.group) };
    let more = token.map(|token| format!("&continue={}", escaped(token))).unwrap_or_default();
    format!("{root}/{}/{}?limit={PAGE}{more}", resource.version, resource.plural)
}

/// A token is the server's own word; what could end a query is written as its code.
fn escaped(token: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    let each = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    token.bytes().map(each).collect()
}

fn read<T: DeserializeOwned>(resource: &ApiResource, outcome: Outcome<bytes::Bytes>) -> Result<T, Unlisted> {
    let name = if resource.group.is_empty() {
        resource.plural.clone()
    } else {
        format!("{}.{}", resource.plural, resource.group)
    };
    let unlisted = |kind, message: String| Unlisted { resource: name, message, kind };
    match outcome {
        Outcome::Done(body) => {
            serde_json::from_slice(&body).map_err(|error| unlisted(UnlistedKind::Other, error.to_string()))
        }
        Outcome::Refused(Refused { kind, message }) => Err(unlisted(
            match kind {
                RefusalKind::Forbidden => UnlistedKind::Forbidden,
                RefusalKind::Unsupported => UnlistedKind::Unknown,
                _ => UnlistedKind::Other,
            },
            message,
        )),
        Outcome::Gone(message) => Err(unlisted(UnlistedKind::Unknown, message)),
        Outcome::Conflict(message) | Outcome::Unknown(message) | Outcome::Throttled { message, .. } => {
            Err(unlisted(UnlistedKind::Other, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_for_by_kind_and_token() {
        let nodes = ApiResource::erase::<Node>(&());
        assert_eq!(uri(&nodes, None), "/api/v1/nodes?limit=500");
        let sources = ApiResource::erase::<GitSource>(&());
        let expected = "/apis/reef.dev/v1alpha1/gitsources?limit=500&continue=eyJ2Ijo%3D%26x";
        assert_eq!(uri(&sources, Some("eyJ2Ijo=&x")), expected);
    }
}
