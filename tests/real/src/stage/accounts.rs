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
    core::v1::{Pod, Secret, ServiceAccount},
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
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
    namespace: String,
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
        let account = Self::named(cluster, role, role);
        account.renew(cluster, "first").await?;
        account.written(cluster)
    }

    /// An account of another namespace, with a token.
    ///
    /// # Errors
    /// The cluster gives no token, or the files cannot be written.
    pub async fn within(cluster: &Cluster, namespace: &str, name: &str) -> Result<Self> {
        let account =
            Self { namespace: namespace.to_owned(), name: name.to_owned(), ..Self::named(cluster, name, name) };
        account.renew(cluster, "first").await?;
        account.written(cluster)
    }

    /// The account of a role, with a token as a Pod of it has it on a node: it names the node, which need not be there.
    ///
    /// # Errors
    /// The cluster gives no token, or the files cannot be written.
    pub async fn on_node(cluster: &Cluster, role: &str, node: &str) -> Result<Self> {
        let account = Self::named(cluster, role, &format!("{role}-{node}"));
        let name = format!("played-{role}-{node}");
        let object: Pod = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": {
                "serviceAccountName": account.name, "nodeName": node,
                "containers": [{ "name": "played", "image": "played" }],
            },
        }))?;
        let pods = Api::<Pod>::namespaced(cluster.client().await?, NAMESPACE);
        let uid = pods.create(&PostParams::default(), &object).await?.metadata.uid;
        account.bind(cluster, &json!({ "kind": "Pod", "apiVersion": "v1", "name": name, "uid": uid })).await?;
        account.written(cluster)
    }

    fn named(cluster: &Cluster, role: &str, file: &str) -> Self {
        let folder = cluster.folder();
        Self {
            namespace: NAMESPACE.to_owned(),
            name: format!("reef-{role}"),
            kubeconfig: folder.join(format!("{file}.kubeconfig")),
            token: folder.join(format!("{file}.token")),
            authority: folder.join(format!("{file}.ca.crt")),
        }
    }

    /// Writes the kubeconfig.
    fn written(self, cluster: &Cluster) -> Result<Self> {
        self.trust(cluster)?;
        let text = fs::read_to_string(cluster.kubeconfig()).context("the admin's kubeconfig")?;
        let mut config: Value = serde_json::from_str(&text).context("the admin's kubeconfig is JSON")?;
        let user = config.pointer_mut("/users/0/user").context("the admin's kubeconfig names a user")?;
        *user = json!({ "tokenFile": self.token });
        let trusted = config.pointer_mut("/clusters/0/cluster").context("the admin's kubeconfig names a cluster")?;
        trusted["certificate-authority"] = json!(self.authority);
        fs::write(&self.kubeconfig, config.to_string())?;
        Ok(self)
    }

    /// A client with the account's token.
    ///
    /// # Errors
    /// The kubeconfig cannot be read.
    pub async fn client(&self) -> Result<Client> {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// Writes a new token over the old one. It holds until what it is bound to is deleted: see [`Account::revoke`].
    ///
    /// # Errors
    /// The cluster gives no token, or the file cannot be written.
    pub async fn renew(&self, cluster: &Cluster, bond: &str) -> Result<()> {
        let secret = format!("{}-{bond}", self.name);
        let object: Secret = serde_json::from_value(json!({ "metadata": { "name": secret } }))?;
        let secrets = Api::<Secret>::namespaced(cluster.client().await?, &self.namespace);
        let uid = secrets.create(&PostParams::default(), &object).await?.metadata.uid;
        self.bind(cluster, &json!({ "kind": "Secret", "apiVersion": "v1", "name": secret, "uid": uid })).await
    }

    /// Writes a token that holds as long as an object is there.
    async fn bind(&self, cluster: &Cluster, bound: &Value) -> Result<()> {
        let spec = json!({ "audiences": [], "expirationSeconds": DAY, "boundObjectRef": bound });
        let request: TokenRequest = serde_json::from_value(json!({ "metadata": {}, "spec": spec }))?;
        let accounts = Api::<ServiceAccount>::namespaced(cluster.client().await?, &self.namespace);
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
        let secrets = Api::<Secret>::namespaced(cluster.client().await?, &self.namespace);
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
