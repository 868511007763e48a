//! Reads objects of a cluster with the right to list them alone, page by page; what may not be read is told with what to do.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::kubeconfig::Cluster;

/// Objects in one page: lists of many thousands neither time out nor fill the API server's memory.
const PAGE: u32 = 500;

/// All objects of one list.
///
/// # Errors
/// As the API server answers.
pub async fn pages<K>(api: &Api<K>, params: &ListParams) -> kube::Result<Vec<K>>
where
    K: Clone + DeserializeOwned + Debug,
{
    let mut params = params.clone().limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api.list(&params).await?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// The objects of a namespace, or of all.
///
/// # Errors
/// Where they cannot be read; the message names the kind, and what to do about a missing right.
pub async fn list<K>(cluster: &Cluster, namespace: Option<&str>, params: &ListParams) -> anyhow::Result<Vec<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let client = cluster.requests.clone();
    let api: Api<K> = match namespace {
        Some(name) => Api::namespaced(client, name),
        None => Api::all(client),
    };
    pages(&api, params).await.map_err(|error| unreadable(&K::plural(&()), cluster, error))
}

/// One object. It is listed by its name: who may list needs no other right.
///
/// # Errors
/// Where it cannot be read.
pub async fn named<K>(cluster: &Cluster, namespace: &str, name: &str) -> anyhow::Result<Option<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let params = ListParams::default().fields(&format!("metadata.name={name}"));
    Ok(list(cluster, Some(namespace), &params).await?.into_iter().next())
}

/// The objects of a namespace as they are stored, with every field.
///
/// # Errors
/// Where they cannot be read.
pub async fn raw<K>(cluster: &Cluster, namespace: &str) -> anyhow::Result<Vec<Value>>
where
    K: Resource<DynamicType = ()>,
{
    let resource = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.requests.clone(), namespace, &resource);
    let found = pages(&api, &ListParams::default()).await;
    let found = found.map_err(|error| unreadable(&resource.plural, cluster, error))?;
    Ok(found.iter().filter_map(|object| serde_json::to_value(object).ok()).collect())
}

/// Nothing in place of what may not be read; another failure stays one.
///
/// # Errors
/// What is no lack of rights.
pub fn unless_forbidden<T>(read: anyhow::Result<Vec<T>>) -> anyhow::Result<Option<Vec<T>>> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_forbidden(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the API server refused for lack of rights.
pub fn is_forbidden(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if status.code == 403)
}

fn unreadable(plural: &str, cluster: &Cluster, error: kube::Error) -> anyhow::Error {
    let advice = match &error {
        kube::Error::Api(status) if status.code == 403 => {
            "; your account needs the right to list them: bind the ClusterRole reef-reader of deploy/rbac.yaml to it"
        }
        kube::Error::Api(status) if status.code == 404 => {
            "; the kind is not installed there: `reef manifests --crds | kubectl apply -f -`"
        }
        _ => "",
    };
    anyhow::Error::new(error).context(format!("{plural} cannot be read from {}{advice}", cluster.server))
}
