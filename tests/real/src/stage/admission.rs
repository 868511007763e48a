//! The webhook beside a cluster, asked at an address instead of a Service: by the configurations of `deploy/admission.yaml`.
//!
//! What an installation does; nothing here knows what a webhook answers.
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::{accounts::Account, beside};
use crate::{Cluster, Program};

const ADMISSION: &str = include_str!("../../../../deploy/admission.yaml");

/// Starts a webhook as an account. Its port is its own choice: see [`address`].
///
/// # Errors
/// It cannot be started, or one of its name runs.
pub async fn start(cluster: &mut Cluster, account: &Account, name: &str, flags: &[&str]) -> Result<()> {
    let usual = ["webhook", "--listen", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--tls-host", "127.0.0.1"];
    let arguments = [&usual[..], &["--allow-file-urls"], flags].concat();
    let program = Program {
        name: name.to_owned(),
        program: beside("reef")?,
        arguments: arguments.into_iter().map(str::to_owned).collect(),
        environment: [("KUBECONFIG".to_owned(), account.kubeconfig.display().to_string())].into(),
    };
    cluster.run(program).await
}

/// Where the last webhook that wrote this log listens; nothing as long as it does not.
///
/// # Errors
/// What it logged is no JSON.
pub fn address(log: &Path) -> Result<Option<String>> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let line = text.lines().rfind(|line| line.contains("webhook started")).map(serde_json::from_str::<Value>);
    Ok(line.transpose()?.and_then(|line| line.get("address")?.as_str().map(str::to_owned)))
}

/// The configurations, by which the API server asks whoever is at this address.
pub fn configurations(address: &str) -> String {
    let service =
        |path: &str| format!("service: {{ namespace: reef-system, name: reef-webhook, path: {path}, port: 443 }}");
    let at = |text: String, path: &&str| text.replace(&service(path), &format!("url: https://{address}{path}"));
    ["/mutate", "/validate"].iter().fold(ADMISSION.to_owned(), at)
}
