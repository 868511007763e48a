//! The accounts of Reef's roles, with the rights of `deploy/rbac.yaml` and no others, and kubeconfigs that name files with a token and an authority.
//!
//! What an installation does; nothing here knows what a role asks for.
use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Secret, ServiceAccount},
};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};

use super::apply;
use crate::Cluster;

/// The accounts, their roles and bindings, as they are installed.
pub const RBAC: &str = include_str!("../../../../deploy/rbac.yaml");
const NAMESPACE: &str = "reef-system";
/// Longer than any run.
const DAY: i64 = 86_400;

/// An account, and the files that hold its token and the authority that it trusts.
#[derive(Clone, Debug)]
pub struct Account {
    name: String,
    token: PathBuf,
    authority: PathBuf,
    /// A kubeconfig that names the file.
    pub kubeconfig: PathBuf,
}

/// Installs accounts and rights.
///
/// # Errors
/// The cluster refuses them.
pub fn install(cluster: &Cluster) -> Result<()> {
    apply(cluster, &cluster.folder().join("rbac.yaml"), RBAC)
}

impl Account {
    /// The account of a role, with a token.
    ///
    /// # Errors
    /// The cluster gives no token, or the files cannot be written.
    pub async fn of(cluster: &Cluster, role: &str) -> Result<Self> {
        let folder = cluster.folder();
        let token = folder.join(format!("{role}.token"));
        let account = Self {
            name: format!("reef-{role}"),
            kubeconfig: folder.join(format!("{role}.kubeconfig")),
            token,
            authority: folder.join(format!("{role}.ca.crt")),
        };
        account.renew(cluster, "first").await?;
        account.trust(cluster)?;
        let text = fs::read_to_string(cluster.kubeconfig()).context("the admin's kubeconfig")?;
        let mut config: Value = serde_json::from_str(&text).context("the admin's kubeconfig is JSON")?;
        let user = config.pointer_mut("/users/0/user").context("the admin's kubeconfig names a user")?;
        *user = json!({ "tokenFile": account.token });
        let trusted = config.pointer_mut("/clusters/0/cluster").context("the admin's kubeconfig names a cluster")?;
        trusted["certificate-authority"] = json!(account.authority);
        fs::write(&account.kubeconfig, config.to_string())?;
        Ok(account)
    }

    /// Writes a new token over the old one. It holds until what it is bound to is deleted: see [`Account::revoke`].
    ///
    /// # Errors
    /// The cluster gives no token, or the file cannot be written.
    pub async fn renew(&self, cluster: &Cluster, bond: &str) -> Result<()> {
        let client = cluster.client().await?;
        let secret = format!("{}-{bond}", self.name);
        let object: Secret = serde_json::from_value(json!({ "metadata": { "name": secret } }))?;
        let secrets = Api::<Secret>::namespaced(client.clone(), NAMESPACE);
        let uid = secrets.create(&PostParams::default(), &object).await?.metadata.uid;
        let bound = json!({ "kind": "Secret", "apiVersion": "v1", "name": secret, "uid": uid });
        let spec = json!({ "audiences": [], "expirationSeconds": DAY, "boundObjectRef": bound });
        let request: TokenRequest = serde_json::from_value(json!({ "metadata": {}, "spec": spec }))?;
        let accounts = Api::<ServiceAccount>::namespaced(client, NAMESPACE);
        let answer = accounts.create_token_request(&self.name, &PostParams::default(), &request).await?;
        replace(&self.token, &answer.status.context("a token was given")?.token)
    }

    /// Writes the cluster's present authority over the one that the kubeconfig names.
    ///
    /// # Errors
    /// The files cannot be read or written.
    pub fn trust(&self, cluster: &Cluster) -> Result<()> {
        replace(&self.authority, &fs::read_to_string(cluster.authority())?)
    }

    /// From now on the server no longer takes a token that was bound so.
    ///
    /// # Errors
    /// There is no such bond.
    pub async fn revoke(&self, cluster: &Cluster, bond: &str) -> Result<()> {
        let secrets = Api::<Secret>::namespaced(cluster.client().await?, NAMESPACE);
        secrets.delete(&format!("{}-{bond}", self.name), &DeleteParams::default()).await?;
        Ok(())
    }
}

/// Nobody ever reads half a file.
fn replace(path: &Path, text: &str) -> Result<()> {
    let next = path.with_extension("next");
    fs::write(&next, text)?;
    fs::rename(&next, path).context("a file is put in place")
}
