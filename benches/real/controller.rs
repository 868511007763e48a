//! `reef controller` as a process of its own, with an account of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::audit::{ACCOUNT, NAMESPACE};
use crate::machine;

/// How long it may take to end by itself.
const END: Duration = Duration::from_secs(60);

/// How a controller is started.
pub struct Controllers {
    kubeconfig: PathBuf,
    folder: PathBuf,
    program: PathBuf,
}

/// A running controller; it ends when it is dropped.
pub struct Controller {
    process: Child,
    /// Its process id.
    pub pid: u32,
}

/// The release binary, or another one that the environment names.
pub fn program() -> PathBuf {
    std::env::var_os("REEF").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_reef")), PathBuf::from)
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
        Ok(Self { kubeconfig, folder: folder.to_owned(), program: program() })
    }

    /// Starts one.
    pub fn start(&self) -> anyhow::Result<Controller> {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("controller.log"))?;
        let mut command = Command::new(&self.program);
        command.args(["controller", "--health-addr", "127.0.0.1:0", "--vmm-image", "reef"]);
        command.arg("--cache-dir").arg(self.folder.join("cache")).arg("--kubeconfig").arg(&self.kubeconfig);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let process = command.spawn().with_context(|| format!("{} cannot be started", self.program.display()))?;
        let pid = process.id().context("the controller has ended")?;
        Ok(Controller { process, pid })
    }
}

impl Controller {
    /// CPU time so far.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        machine::cpu(self.pid)
    }

    /// Ends it as a cluster does.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").arg(self.pid.to_string()).status().await?;
        if !asked.success() {
            bail!("the controller cannot be told to end");
        }
        tokio::time::timeout(END, self.process.wait()).await.context("the controller does not end")??;
        Ok(())
    }
}
