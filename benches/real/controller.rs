//! `reef controller` as a process of its own, with an account of its own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::audit::{ACCOUNT, NAMESPACE};
use crate::role::Role;

/// How a controller is started.
pub struct Controllers {
    kubeconfig: PathBuf,
    folder: PathBuf,
}

impl Controllers {
    /// Makes the account, and a kubeconfig for it beside the one of `admin`.
    pub async fn prepare(client: &Client, admin: &Path, folder: &Path) -> anyhow::Result<Self> {
        let new = PostParams::default();
        let named = |name: &str| -> Value { json!({ "metadata": { "name": name } }) };
        Api::<Namespace>::all(client.clone()).create(&new, &serde_json::from_value(named(NAMESPACE))?).await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), NAMESPACE);
        accounts.create(&new, &serde_json::from_value(named(ACCOUNT))?).await?;
        let binding: ClusterRoleBinding = serde_json::from_value(json!({
            "metadata": { "name": "reef" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE }]
        }))?;
        Api::all(client.clone()).create(&new, &binding).await?;
        let request = serde_json::from_value(json!({ "spec": { "audiences": [], "expirationSeconds": 86_400 } }))?;
        let token = accounts.create_token_request(ACCOUNT, &new, &request).await?;
        let token = token.status.context("the API server gave no token")?.token;
        let mut config: Value = serde_json::from_slice(&std::fs::read(admin)?)?;
        *config.pointer_mut("/users/0/user").context("the kubeconfig has no user")? = json!({ "token": token });
        let kubeconfig = folder.join("controller.kubeconfig");
        std::fs::write(&kubeconfig, config.to_string())?;
        Ok(Self { kubeconfig, folder: folder.to_owned() })
    }

    /// Starts one.
    pub fn start(&self) -> anyhow::Result<Role> {
        let cache = self.folder.join("cache").display().to_string();
        let arguments = ["controller", "--vmm-image", "reef", "--cache-dir", &cache];
        Role::start(&arguments, &self.kubeconfig, &self.folder.join("controller.log"))
    }
}
