//! What the API server itself writes down of requests, watches not counted.

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;
use serde::Deserialize;

/// The account of the controller.
pub const NAMESPACE: &str = "reef";
/// Its name.
pub const ACCOUNT: &str = "controller";

/// The log of requests.
pub struct Audit {
    log: PathBuf,
}

/// One request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// `get`, `list`, `patch`, ...
    pub verb: String,
    /// When it arrived.
    pub request_received_timestamp: Timestamp,
    /// When it was answered.
    pub stage_timestamp: Timestamp,
    user: User,
    object_ref: Option<Object>,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    username: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Object {
    resource: String,
    subresource: String,
    name: String,
}

impl Audit {
    /// Follows the one controller.
    pub fn of_controller(folder: &Path) -> anyhow::Result<(Self, Vec<String>)> {
        Self::prepare(folder, &format!("users: [\"system:serviceaccount:{NAMESPACE}:{ACCOUNT}\"]"))
    }

    /// Follows every account of an installation.
    pub fn of_installation(folder: &Path) -> anyhow::Result<(Self, Vec<String>)> {
        Self::prepare(folder, "userGroups: [\"system:serviceaccounts:reef-system\"]")
    }

    /// Makes the policy in a folder, and tells the flags of the API server that go with it.
    fn prepare(folder: &Path, whom: &str) -> anyhow::Result<(Self, Vec<String>)> {
        let (policy, log) = (folder.join("audit.yaml"), folder.join("audit.log"));
        let text = format!(
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived, ResponseStarted]\nrules:\n\
             - level: Metadata\n  {whom}\n- level: None\n"
        );
        std::fs::write(&policy, text)?;
        let flags = [("audit-policy-file", &policy), ("audit-log-path", &log)];
        let flags = flags.map(|(name, path)| format!("--{name}={}", path.display()));
        Ok((Self { log }, flags.to_vec()))
    }

    /// The requests so far.
    pub fn calls(&self) -> anyhow::Result<Vec<Call>> {
        let text =
            std::fs::read_to_string(&self.log).with_context(|| format!("{} cannot be read", self.log.display()))?;
        // The last line may be half written.
        let calls = text.lines().filter_map(|line| serde_json::from_str::<Call>(line).ok());
        Ok(calls.filter(|call| call.verb != "watch").collect())
    }
}

impl Call {
    /// Whether it wrote the spec of a VM.
    pub fn applies(&self, vm: &str) -> bool {
        let object = self.object_ref.clone().unwrap_or_default();
        object.resource == "virtualmachines" && object.subresource.is_empty() && object.name == vm && self.writes()
    }

    /// Whether it writes anything.
    pub fn writes(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list")
    }

    /// Whether it is about a lease: who leads says so every few seconds.
    pub fn renews(&self) -> bool {
        self.object_ref.as_ref().is_some_and(|object| object.resource == "leases")
    }

    /// Whether it was asked for by this account.
    pub fn is_by(&self, account: &str) -> bool {
        self.user.username.ends_with(&format!(":{account}"))
    }

    /// The verb and what it was about, for people.
    pub fn told(&self) -> String {
        let object = self.object_ref.clone().unwrap_or_default();
        let part = if object.subresource.is_empty() { String::new() } else { format!("/{}", object.subresource) };
        format!("{} {}{part}", self.verb, object.resource)
    }
}
